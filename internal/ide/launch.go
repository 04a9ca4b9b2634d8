package ide

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/tailscale/hujson"

	"debuggable.dev/debuggable/runtimes/editor"
)

// everything is the name of the compound that starts all of our entries.
const everything = prefix + "all"

// emptyLaunch is what a new launch.json starts from.
const emptyLaunch = "{\n  \"version\": \"0.2.0\",\n  \"configurations\": []\n}\n"

// mergeLaunch puts entries into a launch.json, which may be empty. Entries that own takes for ours and that are not
// wanted any more are taken out; ours that already say what they have to stay as they are, and whatever is not ours
// stays byte for byte.
func mergeLaunch(old []byte, own func(name, kind string) bool, wanted []entry, compound bool) ([]byte, error) {
	bom := []byte("\ufeff")
	if len(bytes.TrimSpace(bytes.TrimPrefix(old, bom))) == 0 {
		old = []byte(emptyLaunch)
	}
	text, hadBOM := bytes.CutPrefix(old, bom)
	if depth(text) > deepest {
		return nil, fmt.Errorf("it nests deeper than %d levels", deepest)
	}
	root, err := hujson.Parse(bytes.Clone(text))
	if err != nil {
		return nil, fmt.Errorf("%s; mend it, or move it away", strings.TrimPrefix(err.Error(), "hujson: "))
	}
	object, ok := root.Value.(*hujson.Object)
	if !ok {
		return nil, fmt.Errorf("line %d: want an object with configurations", lineOf(text, root.StartOffset))
	}
	d := document{text: text, root: object, unit: unitOf(object), newline: "\n"}
	if bytes.Contains(text, []byte("\r\n")) {
		d.newline = "\r\n"
	}
	var names []any
	for _, e := range wanted {
		names = append(names, e.name)
	}
	if err := d.merge("configurations", own, wanted); err != nil {
		return nil, err
	}
	if compound {
		var all []entry
		if len(wanted) > 1 {
			all = []entry{{everything, editor.Object{{Key: "configurations", Value: names}}}}
		}
		ours := func(name, _ string) bool { return name == everything }
		if err := d.merge("compounds", ours, all); err != nil {
			return nil, err
		}
	}
	packed := root.Pack()
	if hadBOM {
		packed = append(bytes.Clone(bom), packed...)
	}
	return packed, nil
}

// deepest is how deep a launch.json may nest: what reads it calls itself for each level.
const deepest = 1000

// depth is how deep a text nests, if it is one that can be read.
func depth(text []byte) (most int) {
	level := 0
	for i := 0; i < len(text); i++ {
		switch rest := text[i:]; {
		case rest[0] == '[' || rest[0] == '{':
			level++
			most = max(most, level)
		case rest[0] == ']' || rest[0] == '}':
			level--
		case rest[0] == '"':
			for i++; i < len(text) && text[i] != '"'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
		case bytes.HasPrefix(rest, []byte("//")):
			i = after(text, i, "\n")
		case bytes.HasPrefix(rest, []byte("/*")):
			i = after(text, i+2, "*/")
		}
	}
	return most
}

// after is where the next end is, behind a place: its last byte, or the text's.
func after(text []byte, from int, end string) int {
	if from >= len(text) {
		return len(text)
	}
	if at := bytes.Index(text[from:], []byte(end)); at >= 0 {
		return from + at + len(end) - 1
	}
	return len(text)
}

// document is a launch.json while it is edited.
type document struct {
	text          []byte
	root          *hujson.Object
	unit, newline string // one step of indentation, and the end of a line
}

func lineOf(text []byte, offset int) int {
	return 1 + bytes.Count(text[:min(offset, len(text))], []byte("\n"))
}

// lastLine returns what stands in front of a value on its line, where that is blank.
func lastLine(extra hujson.Extra) (string, bool) {
	at := bytes.LastIndexByte(extra, '\n')
	if at < 0 || len(bytes.TrimLeft(extra[at+1:], " \t")) > 0 {
		return "", false
	}
	return string(extra[at+1:]), true
}

// unitOf is the indentation of an object's members.
func unitOf(o *hujson.Object) string {
	for _, m := range o.Members {
		if indent, ok := lastLine(m.Name.BeforeExtra); ok && indent != "" {
			return indent
		}
	}
	return "  "
}

// array returns the array of a member, nil for one that is not there.
func (d document) array(key string) (*hujson.Array, error) {
	var found *hujson.Array
	for _, m := range d.root.Members {
		name, ok := m.Name.Value.(hujson.Literal)
		if !ok || name.String() != key {
			continue
		}
		a, ok := m.Value.Value.(*hujson.Array)
		if !ok {
			return nil, fmt.Errorf("line %d: %s is not an array", lineOf(d.text, m.Value.StartOffset), key)
		}
		if found != nil {
			return nil, fmt.Errorf("line %d: %s is there twice", lineOf(d.text, m.Name.StartOffset), key)
		}
		found = a
	}
	return found, nil
}

// merge brings the elements of an array up to date.
func (d document) merge(key string, own func(name, kind string) bool, wanted []entry) error {
	a, err := d.array(key)
	if err != nil {
		return err
	}
	if a == nil {
		if len(wanted) == 0 {
			return nil
		}
		a = d.addArray(key)
	}
	indent := d.unit + d.unit
	for _, e := range a.Elements {
		if found, ok := lastLine(e.BeforeExtra); ok {
			indent = found
			break
		}
	}
	at := map[string]int{}
	for i, e := range slices.Backward(wanted) {
		at[e.name] = i
	}
	last := -1 // the place of the last of ours
	done := map[string]bool{}
	kept := a.Elements[:0]
	for i := range a.Elements {
		name, kind := nameOf(a.Elements[i])
		if own(name, kind) {
			place, ok := at[name]
			if !ok || done[name] {
				remove(a, i, kept)
				continue
			}
			done[name], last = true, len(kept)
			if object := wanted[place].object(); !says(a.Elements[i], object) {
				a.Elements[i].Value = d.value(object, indent).Value
			}
		}
		kept = append(kept, a.Elements[i])
	}
	a.Elements = kept
	var between []hujson.Value // what there is something behind of is put in at once
	for _, e := range wanted {
		if done[e.name] {
			continue
		}
		v := d.value(e.object(), indent)
		if last >= 0 && last+1 < len(a.Elements) {
			v.BeforeExtra = hujson.Extra(d.newline + indent)
			between = append(between, v)
			continue
		}
		last++
		d.insert(a, last, v, indent)
	}
	a.Elements = slices.Insert(a.Elements, min(last+1, len(a.Elements)), between...)
	return nil
}

// nameOf returns the name and the type of a configuration.
func nameOf(v hujson.Value) (name, kind string) {
	for key, to := range map[string]*string{"/name": &name, "/type": &kind} {
		if found := v.Find(key); found != nil {
			if l, ok := found.Value.(hujson.Literal); ok && l.Kind() == '"' {
				*to = l.String()
			}
		}
	}
	return name, kind
}

// says reports whether a value says the same as an object, however it is written.
func says(v hujson.Value, want editor.Object) bool {
	v = v.Clone()
	v.Standardize()
	encoded, err := json.Marshal(want)
	if err != nil {
		return false
	}
	var a, b any
	return json.Unmarshal(v.Pack(), &a) == nil && json.Unmarshal(encoded, &b) == nil && reflect.DeepEqual(a, b)
}

// value renders an object whose lines after the first start with an indentation.
func (d document) value(o editor.Object, indent string) hujson.Value {
	data, err := json.Marshal(o)
	var b bytes.Buffer
	if err == nil {
		err = json.Indent(&b, data, indent, d.unit)
	}
	var v hujson.Value
	if err == nil {
		v, err = hujson.Parse([]byte(strings.ReplaceAll(unescape(b.String()), "\n", d.newline)))
	}
	if err != nil {
		panic(fmt.Sprintf("encoding an entry: %v", err)) // of strings, numbers and lists of them
	}
	return v
}

// unescape undoes what encoding/json does for the sake of HTML when it compacts what a MarshalJSON returned.
func unescape(s string) string {
	return strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(s)
}

func commented(e hujson.Extra) bool { return bytes.ContainsAny(e, "/") }

// insert puts an element at a place. A comma in front of what follows is all that changes elsewhere. (Package hujson
// has what stands in front of a closing bracket in the AfterExtra of the array, and a comma there where that of the
// last element is not nil.)
func (d document) insert(a *hujson.Array, at int, v hujson.Value, indent string) {
	v.BeforeExtra = hujson.Extra(d.newline + indent)
	switch {
	case len(a.Elements) == 0:
		if commented(a.AfterExtra) {
			v.BeforeExtra = append(bytes.TrimRight(a.AfterExtra, " \t\r\n"), v.BeforeExtra...)
		}
		a.AfterExtra = hujson.Extra(d.newline + strings.TrimSuffix(indent, d.unit))
	case at == 0:
		first := &a.Elements[0]
		// What stands on the line of the bracket stays there.
		v.BeforeExtra, first.BeforeExtra = d.splitLine(first.BeforeExtra, v.BeforeExtra)
		if !bytes.Contains(first.BeforeExtra, []byte("\n")) {
			first.BeforeExtra = append(hujson.Extra(d.newline+indent), bytes.TrimLeft(first.BeforeExtra, " \t")...)
		}
	case at == len(a.Elements):
		if a.Elements[at-1].AfterExtra != nil {
			v.AfterExtra = hujson.Extra{}
		}
		// What stands behind the last one so far stays there.
		v.BeforeExtra, a.AfterExtra = d.splitLine(a.AfterExtra, v.BeforeExtra)
		if !bytes.Contains(a.AfterExtra, []byte("\n")) {
			v.BeforeExtra = append(bytes.TrimRight(a.AfterExtra, " \t"), v.BeforeExtra...)
			a.AfterExtra = hujson.Extra(d.newline + strings.TrimSuffix(indent, d.unit))
		}
	}
	a.Elements = slices.Insert(a.Elements, at, v)
}

// splitLine puts a comment at the end of a line in front of what comes next, and returns that and the rest.
func (d document) splitLine(extra, next hujson.Extra) (joined, rest hujson.Extra) {
	end := bytes.IndexByte(extra, '\n')
	if end > 0 && extra[end-1] == '\r' {
		end--
	}
	if end <= 0 || !commented(extra[:end]) ||
		bytes.Count(extra[:end], []byte("/*")) != bytes.Count(extra[:end], []byte("*/")) {
		return next, extra
	}
	return append(bytes.Clone(extra[:end]), next...), extra[end:]
}

// remove hands the comments around an element that is taken out to those beside it: kept are those that stay in front.
func remove(a *hujson.Array, at int, kept []hujson.Value) {
	gone := a.Elements[at]
	comments := func(e hujson.Extra) hujson.Extra {
		if !commented(e) {
			return nil
		}
		return bytes.TrimRight(e, " \t\r\n")
	}
	around := comments(gone.BeforeExtra)
	if after := comments(gone.AfterExtra); after != nil {
		around = follow(around, after)
	}
	if at+1 < len(a.Elements) {
		next := &a.Elements[at+1]
		next.BeforeExtra = follow(around, next.BeforeExtra)
		return
	}
	if len(kept) > 0 {
		previous := &kept[len(kept)-1]
		if gone.AfterExtra != nil { // a comma stays behind the last one
			previous.AfterExtra = append(hujson.Extra{}, previous.AfterExtra...)
		} else {
			if before := comments(previous.AfterExtra); before != nil {
				around = follow(before, around)
			}
			previous.AfterExtra = nil
		}
	}
	a.AfterExtra = follow(around, a.AfterExtra)
}

// follow puts two pieces together. What ends with a comment to the end of the line gets one.
func follow(a, b hujson.Extra) hujson.Extra {
	if len(a) == 0 {
		return b
	}
	joined := bytes.Clone(a)
	at := bytes.LastIndexByte(a, '\n') + 1
	if bytes.Contains(a[at:], []byte("//")) && !bytes.HasPrefix(bytes.TrimLeft(b, " \t\r"), []byte("\n")) {
		joined = append(joined, '\n')
	}
	return append(joined, b...)
}

// addArray adds a member with an empty array: in front of the configurations, where there is a comma already, or of
// everything.
func (d document) addArray(key string) *hujson.Array {
	a := &hujson.Array{}
	m := hujson.ObjectMember{
		Name:  hujson.Value{BeforeExtra: hujson.Extra(d.newline + d.unit), Value: hujson.String(key)},
		Value: hujson.Value{BeforeExtra: hujson.Extra(" "), Value: a},
	}
	if len(d.root.Members) == 0 {
		if commented(d.root.AfterExtra) {
			m.Name.BeforeExtra = append(bytes.TrimRight(d.root.AfterExtra, " \t\r\n"), m.Name.BeforeExtra...)
		}
		d.root.AfterExtra = hujson.Extra(d.newline)
		d.root.Members = []hujson.ObjectMember{m}
		return a
	}
	at := max(0, slices.IndexFunc(d.root.Members, func(m hujson.ObjectMember) bool {
		name, ok := m.Name.Value.(hujson.Literal)
		return ok && name.String() == "configurations"
	}))
	next := &d.root.Members[at].Name
	if !bytes.Contains(next.BeforeExtra, []byte("\n")) {
		next.BeforeExtra = append(hujson.Extra(d.newline+d.unit), bytes.TrimLeft(next.BeforeExtra, " \t")...)
	}
	d.root.Members = slices.Insert(d.root.Members, at, m)
	return a
}
