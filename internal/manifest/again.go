package manifest

import (
	"slices"
	"sync"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"debuggable.dev/debuggable/internal/plainyaml"
)

// atOnce is how many documents have trees at a time, where these are let go.
const atOnce = 64

// inTurn calls use with each of n things in turn, while the next one is being made.
func inTurn[T any](n int, make func(i int) T, use func(i int, made T) error) error {
	if n == 0 {
		return nil
	}
	next := make(0)
	for i := range n {
		made := next
		var beside sync.WaitGroup
		if i+1 < n {
			beside.Go(func() { next = make(i + 1) })
		}
		err := use(i, made)
		beside.Wait()
		if err != nil {
			return err
		}
	}
	return nil
}

// Again calls edit with objects, some at a time, in order, and sees to it that they have their trees meanwhile. What
// was edited of objects whose trees had been let go is written at once, and the trees go again. While some are edited,
// the next ones are read and those before are written.
func (s *Set) Again(objects []*Object, edit func(some []*Object) error) error {
	batches := slices.Collect(slices.Chunk(objects, atOnce))
	read := func(i int) []*Object {
		for _, o := range batches[i] {
			o.Node()
		}
		return batches[i]
	}
	var written sync.WaitGroup
	defer written.Wait()
	return inTurn(len(batches), read, func(_ int, some []*Object) error {
		if err := edit(some); err != nil {
			return err
		}
		written.Wait()
		written.Go(func() {
			for _, o := range some {
				o.settle()
			}
		})
		return nil
	})
}

// Restore makes all trees again that were let go; they stay.
func (s *Set) Restore() {
	parallel(s.objects, func(o *Object) *yaml.RNode {
		o.released = false
		return o.Node()
	})
}

// release lets the object's tree go if the text says all of it.
func (o *Object) release() {
	if !o.chunk.plain {
		return
	}
	o.released = true
	o.dropTree()
}

func (o *Object) dropTree() {
	o.node, o.chunk.tree, o.chunk.expanded = nil, nil, nil
	if o.chunk.list != nil {
		o.chunk.list.Content[o.item] = gone
	}
}

// gone stands for an item whose tree was let go.
var gone = &yaml.Node{Kind: yaml.MappingNode, Tag: yaml.NodeTagMap}

// settle writes what was edited of an object whose tree had been let go, and lets it go again. What cannot be written
// by itself keeps its tree.
func (o *Object) settle() {
	c := o.chunk
	if !o.released || c.tree == nil {
		return
	}
	if c.edited {
		if c.written = c.write(); c.written == nil {
			return
		}
	}
	o.dropTree()
}

// write returns the text of an edited document or item; nil where it cannot be written by itself.
func (c *chunk) write() []byte {
	if c.list != nil {
		quoteNew(c.tree)
		out, _ := c.splice(c.tree, c.style)
		return out
	}
	out, err := c.emit(c.expanded)
	if err != nil {
		return nil
	}
	return out
}

// restore makes the tree again that was let go.
func (c *chunk) restore() {
	text := c.body
	if c.written != nil {
		text = c.written
	}
	root, ok := plainyaml.Read(unixBreaks(text), c.line)
	if !ok { // what was written may be beyond that
		if doc, p := parseYAML(text); p == nil && doc != nil {
			root = doc.Content[0]
		}
	}
	c.tree, c.expanded = root, root
}

// restore makes the trees again of all items of a list.
func (it *items) restore() {
	for i, c := range it.chunks {
		if c.tree == nil {
			c.restore()
			c.list.Content[i] = c.tree.Content[0]
		}
	}
}
