package report

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/GoogleContainerTools/kpt-functions-sdk/go/fn"

	"debuggable.dev/debuggable/internal/foreign"
	"debuggable.dev/debuggable/internal/reason"
	"debuggable.dev/debuggable/internal/terminal"
)

// label is the word in front of a line, and how it is painted.
type label struct {
	word  string
	style terminal.Style
}

// labelOf says what kind of result it is.
func labelOf(r *fn.Result) label {
	switch {
	case r.Severity == fn.Warning:
		return label{"warning", terminal.Yellow}
	case r.Severity == fn.Error:
		return label{"error", terminal.Red}
	}
	switch reason.Code(r.Tags["reason"]) {
	case reason.Debuggable, reason.AlreadyDebugged, reason.AlreadyConfigured, "":
		return label{"ok", terminal.Green}
	}
	return label{"info", terminal.Plain} // neither done nor a fault
}

// The columns of a line: a label, two names, and behind them the message.
const (
	labelWidth = len("warning")
	gap        = 2
	narrowest  = 40 // columns: a terminal that is narrower wraps lines as it likes
)

type row struct {
	label               label
	workload, container string
	message             string
}

// table tells results in lines whose columns line up.
func (r Reporter) table(results fn.Results) {
	rows := make([]row, len(results))
	var workloads, containers int // columns
	for i, result := range results {
		container := result.Tags["container"]
		// A name has at most 63 or 253 characters; what Kubernetes would refuse must not pad every other row.
		rows[i] = row{
			label: labelOf(result), workload: shown(subject(result), 100), container: shown(container, 63),
			message: shown(strings.TrimPrefix(result.Message, "container "+container+": "), 4000),
		}
		workloads = max(workloads, utf8.RuneCountInString(rows[i].workload))
		containers = max(containers, utf8.RuneCountInString(rows[i].container))
	}
	if r.width >= narrowest {
		workloads, containers = share(r.width-labelWidth-3*gap, workloads, containers)
	}
	indent := labelWidth + gap + workloads + gap + containers + gap
	for _, row := range rows {
		r.line(row.label, pad(row.workload, workloads)+"  "+pad(row.container, containers)+"  ", indent, row.message)
	}
}

// share divides a line's columns between two names and the message, which gets half of them.
func share(columns, workloads, containers int) (int, int) {
	names := columns / 2
	if workloads+containers <= names {
		return workloads, containers
	}
	containers = min(containers, max(names/3, names-workloads))
	return min(workloads, names-containers), containers
}

// line tells a message behind its label and names. On a terminal it is wrapped below itself.
func (r Reporter) line(l label, names string, indent int, message string) {
	lines := []string{message}
	if r.width >= narrowest {
		lines = wrap(message, r.width-indent)
	}
	fmt.Fprintf(r.w, "%s  %s%s\n", r.painter.Paint(l.style, pad(l.word, labelWidth)), names, lines[0])
	for _, rest := range lines[1:] {
		fmt.Fprintf(r.w, "%*s%s\n", indent, "", rest)
	}
}

// Note tells something that is no result.
func (r Reporter) Note(format string, args ...any) {
	if !r.json && !r.quiet {
		r.line(label{"note", terminal.Plain}, "", labelWidth+gap, foreign.Line(fmt.Sprintf(format, args...)))
	}
}

// wrap cuts a text into lines of at most so many columns, between words where it can.
func wrap(text string, columns int) []string {
	var lines []string
	line, used := "", 0
	for word := range strings.SplitSeq(text, " ") {
		length := utf8.RuneCountInString(word)
		if used > 0 && used+1+length > columns {
			lines, line, used = append(lines, line), "", 0
		} else if used > 0 {
			line, used = line+" ", used+1
		}
		for letters := []rune(word); used+length > columns; length = len(letters) {
			at := columns - used
			lines = append(lines, line+string(letters[:at]))
			letters, line, used = letters[at:], "", 0
			word = string(letters)
		}
		line, used = line+word, used+length
	}
	return append(lines, line)
}

// subject names the object that a result is about.
func subject(r *fn.Result) string {
	if r.ResourceRef == nil {
		return "-"
	}
	name := r.ResourceRef.Kind + "/" + r.ResourceRef.Name
	if r.ResourceRef.Namespace != "" {
		name = r.ResourceRef.Namespace + "/" + name
	}
	return name
}

// shown is a text of others as one line of at most so many bytes.
func shown(s string, most int) string { return foreign.Line(foreign.Cut(s, most)) }

// pad makes a name as wide as its column: what differs between long names is at either end, so the middle goes.
func pad(s string, width int) string {
	letters := []rune(s)
	if len(letters) <= width {
		return s + strings.Repeat(" ", width-len(letters))
	}
	tail := (width - 1) / 2
	return string(letters[:width-1-tail]) + "…" + string(letters[len(letters)-tail:])
}
