// Package report tells results: to people as aligned lines with a count at the end, to programs as JSON lines.
package report

import (
	"bytes"
	"encoding/json"
	"io"
	"strconv"

	"github.com/GoogleContainerTools/kpt-functions-sdk/go/fn"

	"debuggable.dev/debuggable/internal/foreign"
	"debuggable.dev/debuggable/internal/terminal"
	"debuggable.dev/debuggable/internal/workload"
)

// Reporter tells results on a stream.
type Reporter struct {
	w       io.Writer
	json    bool
	quiet   bool
	painter terminal.Painter
	width   int // columns of the terminal; 0 where w is none
}

// New returns a Reporter in a format, text or json. A quiet one tells warnings and errors alone.
func New(w io.Writer, format string, quiet bool) Reporter {
	return Reporter{
		w: w, json: format == "json", quiet: quiet,
		painter: terminal.PainterFor(w), width: terminal.Width(w),
	}
}

// Results tells results in their order.
func (r Reporter) Results(results fn.Results) {
	var shown fn.Results
	for _, result := range results {
		if !r.quiet || result.Severity != fn.Info {
			shown = append(shown, result)
		}
	}
	if !r.json {
		r.table(shown)
		return
	}
	for _, result := range shown {
		// A result is made of strings and cannot fail to encode; a closed stream concerns nobody.
		_ = WriteJSON(r.w, asJSON(result), "")
	}
}

// jsonResult is a result as JSON lines have it: a ResourceList's, and the line of the file.
type jsonResult struct {
	*fn.Result
	File *jsonFile         `json:"file,omitempty"`
	Tags map[string]string `json:"tags,omitempty"`
}

type jsonFile struct {
	Path  string `json:"path"`
	Index int    `json:"index"`
	Line  int    `json:"line,omitempty"`
}

func asJSON(result *fn.Result) jsonResult {
	j := jsonResult{Result: result, Tags: result.Tags}
	if result.File == nil {
		return j
	}
	j.File = &jsonFile{Path: result.File.Path, Index: result.File.Index}
	if line, err := strconv.Atoi(result.Tags[workload.LineTag]); err == nil {
		j.File.Line = line
		j.Tags = WithoutLine(result).Tags
	}
	return j
}

// WithoutLine returns a result without the tag that says on which line of the input it is.
func WithoutLine(result *fn.Result) *fn.Result {
	if _, tagged := result.Tags[workload.LineTag]; !tagged {
		return result
	}
	copied := *result
	copied.Tags = map[string]string{}
	for name, value := range result.Tags {
		if name != workload.LineTag {
			copied.Tags[name] = value
		}
	}
	return &copied
}

// WriteJSON writes a value for programs, such that it may be shown on a terminal as well.
func WriteJSON(w io.Writer, value any, indent string) error {
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
