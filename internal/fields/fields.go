// Package fields reads YAML that people write, strictly: every field is known, of the type that is wanted and given
// once, and whatever is wrong is reported at once, by the field's path and in document order.
//
// A [Reader] collects the problems; its methods say whether they could read a value. It reads YAML nodes and not Go
// structs, because decoding into structs neither tells a number from a string nor knows paths and near misses.
package fields

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/agnivade/levenshtein"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"debuggable.dev/debuggable/internal/foreign"
	"debuggable.dev/debuggable/internal/yamlnode"
)

// Error is one problem of one field.
type Error struct {
	// Path is the field's path from the document's root, like artifacts[1].runtime; "" is the root.
	Path string
	// Problem completes "PATH: …". It holds the value and what is wanted instead.
	Problem string
}

func (e *Error) Error() string {
	if e.Path == "" {
		return e.Problem
	}
	return e.Path + ": " + e.Problem
}

// Field is a field that a mapping may have.
type Field struct {
	Name string
	// Required makes it a problem when the field is missing or null.
	Required bool
	// Read reads the field's value. It is not called for null, which counts as not given.
	Read func(n *yaml.Node, path string)
}

const withoutQuotes = "; write it without quotes"

// Reader reads nodes and collects problems. The zero value is ready for use; a Reader is not for concurrent use.
type Reader struct {
	problems []error
	visited  map[*yaml.Node]bool // mappings and lists
	repeated int                 // values read again
}

// maxRepeated bounds what one Reader reads more than once, which only aliases can make it do: a few lines of them can
// stand for more than fits into memory. What a file holds itself is as much as its bytes.
const maxRepeated = 1_000_000

// tooMany counts the values of a mapping or a list that was read before, and records a problem, once, when there are
// more than maxRepeated of them.
func (r *Reader) tooMany(n *yaml.Node, path string) bool {
	if !r.visited[n] {
		if r.visited == nil {
			r.visited = map[*yaml.Node]bool{}
		}
		r.visited[n] = true
		return false
	}
	if r.repeated > maxRepeated {
		return true
	}
	if r.repeated += 1 + len(n.Content); r.repeated > maxRepeated {
		r.Errorf(path, "there are more than %d values up to here: do aliases (*name) multiply?", maxRepeated)
		return true
	}
	return false
}

// Errorf records a problem of the field at path.
func (r *Reader) Errorf(path, format string, args ...any) {
	r.problems = append(r.problems, &Error{path, fmt.Sprintf(format, args...)})
}

// Err returns all problems so far, joined (each one an *Error), or nil.
func (r *Reader) Err() error { return errors.Join(r.problems...) }

// Errs returns all problems so far, each one an *Error, in the order in which they were found.
func (r *Reader) Errs() []error { return r.problems }

// Mapping reads a mapping that has no other fields than those given.
func (r *Reader) Mapping(n *yaml.Node, path string, known []Field) bool {
	return r.mapping(n, path, known, false)
}

// OpenMapping reads a mapping that may have further fields, which are ignored. One that is
// nearly a known field is a problem all the same: to ignore it is never what its author meant.
func (r *Reader) OpenMapping(n *yaml.Node, path string, known []Field) bool {
	return r.mapping(n, path, known, true)
}

func (r *Reader) mapping(n *yaml.Node, path string, known []Field, open bool) bool {
	before := len(r.problems)
	given := map[string]bool{}
	ok := r.Pairs(n, path, func(name string, value *yaml.Node, at string) {
		for _, f := range known {
			if f.Name == name {
				if !IsNull(value) {
					given[name] = true
					f.Read(value, at)
				}
				return
			}
		}
		meant := Nearest(name, names(known))
		switch {
		case open && strings.EqualFold(name, meant):
			r.Errorf(at, "case matters in field names: write %s", meant)
		case open && meant == "":
		case meant != "":
			r.Errorf(at, "unknown field, did you mean %s?", meant)
		default:
			r.Errorf(at, "unknown field; known are %s", strings.Join(names(known), ", "))
		}
	})
	if !ok {
		return false
	}
	for _, f := range known {
		if f.Required && !given[f.Name] {
			r.Errorf(Join(path, f.Name), "is missing")
		}
	}
	return len(r.problems) == before
}

// Pairs calls f for each key and value of a mapping, in document order, and not again for a key that was there
// before, which is a problem.
func (r *Reader) Pairs(n *yaml.Node, path string, f func(key string, value *yaml.Node, path string)) bool {
	n = resolve(n)
	if n.Kind != yaml.MappingNode {
		r.wrong(n, path, "a mapping", "")
		return false
	}
	if r.tooMany(n, path) {
		return false
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := resolve(n.Content[i])
		switch at := Join(path, key.Value); {
		case key.Kind != yaml.ScalarNode:
			r.Errorf(path, "a field's name must be a string, got %s", describe(key))
		case key.ShortTag() == "!!merge":
			r.Errorf(at, "merge keys (<<) are not supported here; write the fields out")
		case seen[key.Value]:
			r.Errorf(at, "is given twice")
		default:
			seen[key.Value] = true
			f(key.Value, resolve(n.Content[i+1]), at)
		}
	}
	return true
}

// Items calls f for each element of a sequence.
func (r *Reader) Items(n *yaml.Node, path string, f func(n *yaml.Node, path string)) bool {
	return r.items(n, path, "a list", f)
}

func (r *Reader) items(n *yaml.Node, path, want string, f func(n *yaml.Node, path string)) bool {
	n = resolve(n)
	if n.Kind != yaml.SequenceNode {
		r.wrong(n, path, want, "")
		return false
	}
	if r.tooMany(n, path) {
		return false
	}
	for i, item := range n.Content {
		f(resolve(item), yamlnode.Index(path, i))
	}
	return true
}

// String reads a string.
func (r *Reader) String(n *yaml.Node, path string) (string, bool) {
	n = resolve(n)
	if n.Kind == yaml.ScalarNode {
		// A plain date is a timestamp to the YAML library only; to Kubernetes it is a string.
		if tag := n.ShortTag(); tag == "!!str" || tag == "!!timestamp" {
			return n.Value, true
		}
	}
	hint := ""
	if n.Kind == yaml.ScalarNode && !IsNull(n) {
		hint = "; put it in quotes"
	}
	r.wrong(n, path, "a string", hint)
	return "", false
}

// Strings reads a list of strings.
func (r *Reader) Strings(n *yaml.Node, path string) ([]string, bool) {
	var list []string
	ok := true
	isList := r.items(n, path, "a list of strings", func(n *yaml.Node, path string) {
		s, good := r.String(n, path)
		list, ok = append(list, s), ok && good
	})
	return list, isList && ok
}

// Bool reads true or false.
func (r *Reader) Bool(n *yaml.Node, path string) (value, ok bool) {
	n = resolve(n)
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!bool" && n.Decode(&value) == nil {
		return value, true
	}
	hint := ""
	if n.Value == "true" || n.Value == "false" {
		hint = withoutQuotes
	}
	r.wrong(n, path, "true or false", hint)
	return false, false
}

// Int reads an integer.
func (r *Reader) Int(n *yaml.Node, path string) (value int, ok bool) {
	n = resolve(n)
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!int" && n.Decode(&value) == nil {
		return value, true
	}
	hint := ""
	if _, err := strconv.Atoi(n.Value); err == nil && n.ShortTag() == "!!str" {
		hint = withoutQuotes
	}
	r.wrong(n, path, "an integer", hint)
	return 0, false
}

// wrong records that n is not what is wanted.
func (r *Reader) wrong(n *yaml.Node, path, want, hint string) {
	r.Errorf(path, "want %s, got %s%s", want, describe(n), hint)
}

// IsNull reports whether a node counts as not given.
func IsNull(n *yaml.Node) bool {
	n = resolve(n)
	return n.Kind == 0 || yamlnode.IsNull(n)
}

// resolve follows an alias to what it stands for, and a document to its content; a missing node is a null.
func resolve(n *yaml.Node) *yaml.Node {
	if n = yamlnode.Resolve(n); n == nil {
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: yaml.NodeTagNull}
	}
	return n
}

// describe names a node's type and, for a scalar, its value.
func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	case yaml.ScalarNode:
		switch n.ShortTag() {
		case "!!null":
			return "null"
		case "!!str":
			return "the string " + Quote(n.Value)
		case "!!int":
			return "the integer " + Quote(n.Value)
		case "!!float":
			return "the number " + Quote(n.Value)
		case "!!bool":
			return "the boolean " + Quote(n.Value)
		}
		return "the " + strings.TrimLeft(n.ShortTag(), "!") + " " + Quote(n.Value)
	}
	return "nothing"
}

// Quote quotes a value for a message and cuts it where it is very long.
func Quote(s string) string { return foreign.Quote(s) }

var simple = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*$`)

// Join appends a field's name to a path: a.b, or a["x.y/z"] where the name would be hard to tell from the path.
func Join(path, name string) string {
	if !simple.MatchString(name) {
		return path + "[" + Quote(name) + "]"
	}
	if path == "" {
		return name
	}
	return path + "." + name
}

func names(known []Field) []string {
	list := make([]string, 0, len(known))
	for _, f := range known {
		list = append(list, f.Name)
	}
	return list
}

// Nearest returns the candidate that somebody who wrote word probably meant, or "". Case, dashes, dots, underscores
// and spaces do not count; of equally near candidates the first wins.
func Nearest(word string, candidates []string) string {
	if len(word) > 64 { // no typo, and the distance takes quadratic time
		return ""
	}
	plain := strings.NewReplacer("-", "", "_", "", ".", "", " ", "")
	w := plain.Replace(strings.ToLower(word))
	nearest, best := "", (len(w)+2)/3
	if len(w) < 2 {
		best = 0
	}
	for _, c := range candidates {
		if d := levenshtein.ComputeDistance(w, plain.Replace(strings.ToLower(c))); d <= best && (nearest == "" || d < best) {
			nearest, best = c, d
		}
	}
	return nearest
}

// DidYouMean returns `, did you mean "…"?` for the candidate nearest to word, else the list of the candidates.
func DidYouMean(word string, candidates []string) string {
	if c := Nearest(word, candidates); c != "" {
		return ", did you mean " + strconv.Quote(c) + "?"
	}
	return "; known are " + strings.Join(candidates, ", ")
}
