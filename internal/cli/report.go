package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/GoogleContainerTools/kpt-functions-sdk/go/fn"

	"debuggable.dev/debuggable/internal/foreign"
	"debuggable.dev/debuggable/internal/reason"
	"debuggable.dev/debuggable/internal/terminal"
)

// reporter prints results for people, as aligned lines, or for programs, as JSON lines.
type reporter struct {
	w       io.Writer
	json    bool
	quiet   bool
	painter terminal.Painter
}

func newReporter(w io.Writer, format string, quiet bool) reporter {
	return reporter{w: w, json: format == "json", quiet: quiet, painter: terminal.PainterFor(w)}
}

func (r reporter) print(results fn.Results) {
	// A name has at most 63 or 253 characters; what Kubernetes would refuse must not pad every other row.
	longest := [3]int{100, 63, 4000}
	var rows [][3]string // workload, container, message
	var marks []mark
	var widths [2]int
	for _, result := range results {
		if r.quiet && result.Severity == fn.Info {
			continue
		}
		if r.json {
			// A result is made of strings and cannot fail to encode; a closed stream concerns nobody.
			_ = writeJSON(r.w, result, "")
			continue
		}
		row := [3]string{workload(result), result.Tags["container"], strings.TrimPrefix(result.Message, "container "+result.Tags["container"]+": ")}
		for i := range row {
			row[i] = foreign.Line(foreign.Cut(row[i], longest[i]))
		}
		for i := range widths {
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i]))
		}
		rows, marks = append(rows, row), append(marks, markOf(result))
	}
	for i, row := range rows {
		fmt.Fprintf(r.w, "%s  %s  %s  %s\n", r.painter.Paint(marks[i].style, marks[i].word), pad(row[0], widths[0]), pad(row[1], widths[1]), row[2])
	}
}

// writeJSON writes a value for programs, such that it may be shown on a terminal as well.
func writeJSON(w io.Writer, value any, indent string) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", indent)
	if err := enc.Encode(value); err != nil {
		return err
	}
	_, err := w.Write(foreign.JSON(b.Bytes()))
	return err
}

// mark is the word in front of a line, and its colour.
type mark struct {
	word  string
	style terminal.Style
}

// markOf says what kind of result it is.
func markOf(r *fn.Result) mark {
	switch {
	case r.Severity == fn.Warning:
		return mark{"warning", terminal.Yellow}
	case r.Severity == fn.Error:
		return mark{"error  ", terminal.Red}
	case r.Tags["reason"] == string(reason.KnownOther): // neither done nor a fault
		return mark{"info   ", terminal.Plain}
	}
	return mark{"ok     ", terminal.Green}
}

// workload names the object that a result is about.
func workload(r *fn.Result) string {
	if r.ResourceRef == nil {
		return "-"
	}
	name := r.ResourceRef.Kind + "/" + r.ResourceRef.Name
	if r.ResourceRef.Namespace != "" {
		name = r.ResourceRef.Namespace + "/" + name
	}
	return name
}

func pad(s string, width int) string {
	return s + strings.Repeat(" ", width-utf8.RuneCountInString(s))
}
