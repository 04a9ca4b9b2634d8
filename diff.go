package main

import (
	"bytes"
	"io"

	"github.com/fatih/color"
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
		if terminal.Colours(out) {
			text = colourDiff(text)
		}
		if _, err := out.Write(text); err != nil {
			return err
		}
	}
	return nil
}

// colourDiff colours the lines of a unified diff by their first character.
func colourDiff(text []byte) []byte {
	attributes := map[byte]color.Attribute{'+': color.FgGreen, '-': color.FgRed, '@': color.FgCyan}
	var b bytes.Buffer
	for line := range bytes.Lines(text) {
		attribute, coloured := attributes[line[0]]
		if !coloured {
			b.Write(line)
			continue
		}
		c := color.New(attribute)
		c.EnableColor()
		b.WriteString(c.Sprint(string(bytes.TrimRight(line, "\n"))))
		b.WriteByte('\n')
	}
	return b.Bytes()
}
