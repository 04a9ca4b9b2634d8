package manifest

import "fmt"

// Edit is an input as it was read and as it would be written by itself.
type Edit struct {
	Name          string
	Before, After []byte
}

// Edits returns the inputs of which something was edited, in order.
func (s *Set) Edits() ([]Edit, error) {
	var edits []Edit
	for _, chunks := range s.inputs {
		var e Edit
		edited := false
		for _, c := range chunks {
			body := c.body
			if c.isEdited() {
				emitted := c.emitBody(nil)
				if emitted.err != nil {
					return nil, fmt.Errorf("writing %s, document %d, line %d: %w", c.input, c.number, c.start, emitted.err)
				}
				body, edited = emitted.body, true
			}
			e.Name = c.input
			e.Before = append(append(append(e.Before, c.head...), c.body...), c.tail...)
			e.After = append(append(append(e.After, c.head...), body...), c.tail...)
		}
		if edited {
			edits = append(edits, e)
		}
	}
	return edits, nil
}
