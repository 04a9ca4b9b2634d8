package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/GoogleContainerTools/kpt-functions-sdk/go/fn"
	"github.com/fatih/color"

	"debuggable.dev/debuggable/internal/foreign"
	"debuggable.dev/debuggable/internal/terminal"
)

// reporter prints results for people, as aligned lines, or for programs, as JSON lines.
type reporter struct {
	w     io.Writer
	json  bool
	quiet bool
	color bool
}

func newReporter(w io.Writer, format string, quiet bool) reporter {
	return reporter{w: w, json: format == "json", quiet: quiet, color: terminal.Colours(w)}
}

func (r reporter) print(results fn.Results) {
	var rows [][3]string // workload, container, message
	var severities []fn.Severity
	var widths [2]int
	for _, result := range results {
		if r.quiet && result.Severity == fn.Info {
			continue
		}
		if r.json {
			enc := json.NewEncoder(r.w)
			enc.SetEscapeHTML(false)
			// A result is made of strings and cannot fail to encode; a closed stream concerns nobody.
			_ = enc.Encode(result)
			continue
		}
		row := [3]string{workload(result), result.Tags["container"], strings.TrimPrefix(result.Message, "container "+result.Tags["container"]+": ")}
		for i := range row {
			row[i] = foreign.Line(row[i])
		}
		for i := range widths {
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i]))
		}
		rows, severities = append(rows, row), append(severities, result.Severity)
	}
	for i, row := range rows {
		fmt.Fprintf(r.w, "%s  %s  %s  %s\n", r.mark(severities[i]), pad(row[0], widths[0]), pad(row[1], widths[1]), row[2])
	}
}

// mark is the severity, coloured on a terminal.
func (r reporter) mark(s fn.Severity) string {
	word, attribute := "ok     ", color.FgGreen
	switch s {
	case fn.Warning:
		word, attribute = "warning", color.FgYellow
	case fn.Error:
		word, attribute = "error  ", color.FgRed
	}
	if !r.color {
		return word
	}
	c := color.New(attribute)
	c.EnableColor()
	return c.Sprint(word)
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
