package manifest

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/GoogleContainerTools/kpt-functions-sdk/go/fn"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"debuggable.dev/debuggable/internal/yamlnode"
)

const (
	resourceList  = "ResourceList"
	functionGroup = "config.kubernetes.io/"
)

// Set is all that was read. It is not safe for concurrent use.
type Set struct {
	// Function tells that a ResourceList came in: the program runs as a KRM function.
	Function bool
	// APIVersion is the ResourceList's: config.kubernetes.io/v1, v1beta1 or v1alpha1. Empty where Function is false.
	APIVersion string
	// FunctionConfig is the ResourceList's functionConfig; nil where there is none. It is for reading only.
	FunctionConfig *yaml.RNode

	inputs  [][]*chunk
	objects []*Object
	list    *chunk // the ResourceList; nil where Function is false
}

// Object is one Kubernetes object: a document, or an item of the ResourceList.
type Object struct {
	chunk *chunk
	item  int // position among the ResourceList's items, from 0; -1 in a stream
	node  *yaml.RNode
	line  int

	released bool // its tree is let go when nobody works on it
}

// Read reads manifests: either one ResourceList, or any YAML and JSON documents. It accepts only what it can write
// back, and says of the first thing that it cannot accept where it is and what to do about it. Empty documents are
// kept, but they are no objects.
func Read(inputs ...Input) (*Set, error) {
	return ReadEach(func(*Set) func(*Object) bool { return func(*Object) bool { return true } }, inputs...)
}

// ReadEach reads as [Read] does, and shows each object to a function, in order, as soon as it and those before it are
// read. The function says whether to keep the object's tree; another one may be let go, and is made again where it is
// asked for: at once by [Object.Node], for many of them by [Set.Again].
//
// begin returns the function. It is called when all of the set but its objects is known, and called anew where it turns
// out that they have to be read in another way, from the first one on.
func ReadEach(begin func(*Set) (keep func(*Object) bool), inputs ...Input) (*Set, error) {
	s := &Set{}
	aliases := &aliasBudget{left: maxAliased}
	empty := true
	var keep func(*Object) bool
	for _, in := range inputs {
		if err := checkEncoding(in); err != nil {
			return nil, err
		}
		empty = empty && isBlank([]byte(strings.TrimPrefix(string(in.Data), string(bom))))
		chunks := splitInput(in)
		s.inputs = append(s.inputs, chunks)
		if len(inputs) == 1 && len(chunks) == 1 && chunks[0].checkAround() == nil && s.readItems(chunks[0], begin) {
			return s, nil
		}
		if err := s.readChunks(chunks, aliases, func(o *Object) bool {
			if keep == nil {
				keep = begin(s)
			}
			return keep(o)
		}); err != nil {
			return nil, err
		}
	}
	if empty {
		names := make([]string, len(inputs))
		for i, in := range inputs {
			names[i] = in.Name
		}
		if len(names) == 0 {
			return nil, errors.New("reading manifests: there is no input")
		}
		return nil, fmt.Errorf("reading %s: the input is empty: manifests or a ResourceList are expected",
			strings.Join(names, ", "))
	}
	if s.list == nil {
		return s, nil
	}
	if len(s.objects) > 1 {
		return nil, s.list.fail(&problem{s.list.tree.Line, fmt.Sprintf(
			"a ResourceList stands among other documents (%d): give it alone, or give its items as plain manifests",
			len(s.objects)-1)})
	}
	if err := s.openList(); err != nil {
		return nil, err
	}
	keep = begin(s)
	for _, o := range s.objects {
		keep(o)
	}
	return s, nil
}

// readChunks reads the documents of an input.
func (s *Set) readChunks(chunks []*chunk, aliases *aliasBudget, keep func(*Object) bool) error {
	batches := slices.Collect(slices.Chunk(chunks, atOnce))
	parse := func(i int) []error { return parallel(batches[i], (*chunk).parse) }
	return inTurn(len(batches), parse, func(n int, errs []error) error {
		for i, c := range batches[n] {
			if err := cmp.Or(errs[i], c.expand(aliases)); err != nil {
				return err
			}
			if c.tree == nil {
				continue
			}
			o := &Object{chunk: c, item: -1, node: yaml.NewRNode(c.expanded), line: c.tree.Line}
			s.objects = append(s.objects, o)
			if isResourceList(c.expanded) {
				s.list = c
				continue
			}
			if !keep(o) && c != chunks[len(chunks)-1] { // behind which a line break may be missing
				o.release()
			}
		}
		return nil
	})
}

func isResourceList(root *yaml.Node) bool {
	return yamlnode.Text(root, "kind") == resourceList &&
		strings.HasPrefix(yamlnode.Text(root, "apiVersion"), functionGroup)
}

// parallel calls f for each of all, several at a time, and returns what it says of each.
func parallel[A, T any](all []A, f func(A) T) []T {
	said := make([]T, len(all))
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(all)) {
		workers.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(all) {
					return
				}
				said[i] = f(all[i])
			}
		})
	}
	workers.Wait()
	return said
}

// openList makes the items of the ResourceList the set's objects.
func (s *Set) openList() error {
	c := s.list
	root := c.expanded
	s.objects = nil
	if !s.setFunction(root) {
		return c.fail(
			&problem{root.Line, fmt.Sprintf("apiVersion %s of the ResourceList is not known: v1, v1beta1 and v1alpha1 of %s are",
				s.APIVersion, strings.TrimSuffix(functionGroup, "/"))})
	}
	items := yamlnode.Get(root, "items")
	if items == nil || yamlnode.IsNull(items) {
		return nil
	}
	if items.Kind != yaml.SequenceNode {
		return c.fail(&problem{items.Line, fmt.Sprintf("items of the ResourceList is %s, not a sequence", kindName(items))})
	}
	for i, item := range items.Content {
		if item.Kind != yaml.MappingNode {
			return c.fail(
				&problem{item.Line, fmt.Sprintf("item %d of the ResourceList is %s, not a mapping", i+1, kindName(item))})
		}
		s.objects = append(s.objects, &Object{chunk: c, item: i, node: yaml.NewRNode(item), line: item.Line})
	}
	return nil
}

// setFunction sets what a ResourceList says but for its items, and reports whether its version is known.
func (s *Set) setFunction(root *yaml.Node) bool {
	s.Function = true
	s.APIVersion = yamlnode.Text(root, "apiVersion")
	if config := yamlnode.Get(root, "functionConfig"); config != nil && !yamlnode.IsNull(config) {
		s.FunctionConfig = yaml.NewRNode(config)
	}
	return slices.Contains([]string{"v1", "v1beta1", "v1alpha1"}, strings.TrimPrefix(s.APIVersion, functionGroup))
}

// Objects returns the objects in the order in which they were read: one a document, or one an item of the ResourceList.
// Lists (kind List and the like) are objects of their own; their items are not.
func (s *Set) Objects() []*Object { return s.objects }

// Node returns the object's mapping, without aliases and merge keys. Edit it in place, then call [Object.MarkEdited].
// Lines in it count from the start of the input.
func (o *Object) Node() *yaml.RNode {
	if o.node == nil {
		c := o.chunk
		c.restore()
		if o.node = yaml.NewRNode(c.tree); c.list != nil {
			o.node = yaml.NewRNode(c.tree.Content[0])
			c.list.Content[o.item] = c.tree.Content[0]
		}
	}
	return o.node
}

// MarkEdited says that Node was changed. Changes to objects that are not marked are lost.
func (o *Object) MarkEdited() { o.chunk.edited = true }

// Path returns the file that the object comes from: what the orchestrator says in the annotation
// internal.config.kubernetes.io/path or config.kubernetes.io/path, else the input's name.
func (o *Object) Path() string {
	if path := o.annotation("path"); path != "" {
		return path
	}
	return o.chunk.input
}

// Index returns the object's position in its file, counting from 0, where the orchestrator gives it in the annotation
// internal.config.kubernetes.io/index or config.kubernetes.io/index.
func (o *Object) Index() (int, bool) {
	i, err := strconv.Atoi(o.annotation("index"))
	return i, err == nil && i >= 0
}

// Place returns the name of the input that the object was read from, and the position of its document there, counting
// from 0.
func (o *Object) Place() (input string, document int) { return o.chunk.input, max(o.chunk.number-1, 0) }

func (o *Object) annotation(name string) string {
	annotations := yamlnode.Get(o.Node().YNode(), "metadata", "annotations")
	if v := yamlnode.Text(annotations, "internal.config.kubernetes.io/"+name); v != "" {
		return v
	}
	return yamlnode.Text(annotations, "config.kubernetes.io/"+name)
}

// Where says for people where the object is: "k8s/web.yaml, document 3, line 41", or for an item of a ResourceList
// "k8s/web.yaml, index 2 (<stdin>, item 7, line 410)".
func (o *Object) Where() string {
	if o.item < 0 {
		return fmt.Sprintf("%s, document %d, line %d", o.chunk.input, o.chunk.number, o.line)
	}
	at := fmt.Sprintf("%s, item %d, line %d", o.chunk.input, o.item+1, o.line)
	path := o.annotation("path")
	if path == "" {
		return at
	}
	if i, ok := o.Index(); ok {
		path += ", index " + strconv.Itoa(i)
	}
	return fmt.Sprintf("%s (%s)", path, at)
}

// Write writes everything in the order in which it was read: what was not edited as the bytes that were read. In
// function mode, results are appended to those of the functions before; otherwise they are ignored. Several inputs
// become one stream. Nothing is written unless all of it can be.
func (s *Set) Write(w io.Writer, results fn.Results) error {
	texts, err := s.render(results)
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(w, 1<<16)
	for _, text := range texts {
		_, _ = out.Write(text) // Flush says what went wrong
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("writing manifests: %w", err)
	}
	return nil
}

// render returns all texts to be written, one behind the other.
func (s *Set) render(results fn.Results) ([][]byte, error) {
	j := joiner{allJSON: s.isAllJSON()}
	for n, chunks := range s.inputs {
		bodies := parallel(chunks, func(c *chunk) emitted {
			switch {
			case c == s.list && len(results) > 0:
				return c.emitBody(results)
			case c.isEdited():
				return c.emitBody(nil)
			}
			return emitted{root: c.expanded, body: c.body}
		})
		for i, c := range chunks {
			head, root, body, err := c.head, bodies[i].root, bodies[i].body, bodies[i].err
			if err != nil {
				return nil, fmt.Errorf("writing %s, document %d, line %d: %w", c.input, c.number, c.start, err)
			}
			if i == len(chunks)-1 && len(c.tail) == 0 && slices.ContainsFunc(s.inputs[n+1:], isNotEmpty) {
				if body, err = c.endLine(body, root); err != nil {
					return nil, fmt.Errorf("writing %s, document %d, line %d: %w", c.input, c.number, c.start, err)
				}
			}
			if i == 0 {
				head = j.join(c)
			}
			j.write(c, head, body)
		}
	}
	return j.texts, nil
}

// isAllJSON tells whether there is nothing but JSON documents.
func (s *Set) isAllJSON() bool {
	for _, chunks := range s.inputs {
		for _, c := range chunks {
			if c.number > 0 && c.format != jsonFormat || !isBlank(c.head) || !isBlank(c.tail) {
				return false
			}
		}
	}
	return true
}

// emitted is the text of a chunk and the tree that it stands for.
type emitted struct {
	root *yaml.Node
	body []byte
	err  error
}

// emitBody writes an edited document, and a ResourceList with results.
func (c *chunk) emitBody(results fn.Results) emitted {
	if c.written != nil {
		return emitted{body: c.written}
	}
	if c.items != nil {
		if body, ok := c.emitItems(results); ok {
			return emitted{body: body}
		}
		c.items.restore()
	}
	root := c.tree
	if c.isEdited() {
		root = c.expanded
	}
	if len(results) > 0 {
		var err error
		if root, err = withResults(root, results); err != nil {
			return emitted{err: fmt.Errorf("adding results: %w", err)}
		}
	}
	body, err := c.emit(root)
	return emitted{root, body, err}
}

func isNotEmpty(chunks []*chunk) bool { return len(chunks) > 0 }

// withResults returns a copy of the ResourceList root with ours behind the results that are there.
func withResults(root *yaml.Node, ours fn.Results) (*yaml.Node, error) {
	added := make([]*yaml.Node, len(ours))
	for i, r := range ours {
		var err error
		if added[i], err = resultNode(r); err != nil {
			return nil, err
		}
	}

	list := *root
	list.Content = append([]*yaml.Node(nil), root.Content...)
	for i := 0; i+1 < len(list.Content); i += 2 {
		if list.Content[i].Value != "results" {
			continue
		}
		old := yamlnode.Resolve(list.Content[i+1])
		results := yaml.Node{Kind: yaml.SequenceNode, Tag: yaml.NodeTagSeq}
		switch {
		case old.Kind == yaml.SequenceNode:
			results = *old
			results.Content = append([]*yaml.Node(nil), old.Content...)
			if len(old.Content) == 0 {
				results.Style &^= yaml.FlowStyle
			}
		case !yamlnode.IsNull(old):
			// Not a list, as it should be; it is another function's, so keep it.
			results.Content = []*yaml.Node{old}
		}
		results.Content = append(results.Content, added...)
		list.Content[i+1] = &results
		return &list, nil
	}
	list.Content = append(list.Content,
		&yaml.Node{Kind: yaml.ScalarNode, Tag: yaml.NodeTagString, Value: "results"},
		&yaml.Node{Kind: yaml.SequenceNode, Tag: yaml.NodeTagSeq, Content: added})
	return &list, nil
}
