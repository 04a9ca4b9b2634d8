package cli

import (
	"bytes"
	"io"

	"github.com/rogpeppe/go-internal/diff"

	"debuggable.dev/debuggable/internal/foreign"
	"debuggable.dev/debuggable/internal/manifest"
	"debuggable.dev/debuggable/internal/terminal"
)

// writeDiff writes a unified diff of what was edited, one input after the other, coloured on a terminal.
func writeDiff(out io.Writer, set *manifest.Set) error {
	edits, err := set.Edits()
	if err != nil {
		return err
	}
	for _, e := range edits {
		name := foreign.Line(e.Name)
		text := diff.Diff(name, e.Before, name, e.After)
		// The library's first line is "diff OLD NEW", which no tool needs.
		if _, rest, found := bytes.Cut(text, []byte("\n")); found {
			text = rest
		}
		if _, err := out.Write(paintDiff(terminal.PainterFor(out), text)); err != nil {
			return err
		}
	}
	return nil
}

// paintDiff paints the lines of a unified diff by their first character.
func paintDiff(p terminal.Painter, text []byte) []byte {
	styles := map[byte]terminal.Style{'+': terminal.Green, '-': terminal.Red, '@': terminal.Cyan}
	var b bytes.Buffer
	for line := range bytes.Lines(text) {
		content, end, _ := bytes.Cut(line, []byte("\n"))
		b.WriteString(p.Paint(styles[line[0]], string(content)))
		b.Write(line[len(content) : len(line)-len(end)])
	}
	return b.Bytes()
}
