// Package reason holds the stable codes of results: what each means, how grave it is, and what to do about it. Results
// carry them as their "reason" tag; the documentation's table is generated from here.
//
// A code never changes its meaning. A new one is a constant and a line in [Table], and needs a result in
// testdata/reasons.
package reason

import (
	"errors"
	"fmt"
	"strings"
)

// Code names why a result is what it is, in CamelCase: ProgramNotAPath.
type Code string

// Severity is how grave a result of a code is by default.
type Severity string

// The severities. Under the setting strict, a warning that a container is not made debuggable is an error.
const (
	Info    Severity = "info"
	Warning Severity = "warning"
	Error   Severity = "error"
)

// Entry is one line of the table.
type Entry struct {
	Code     Code
	Severity Severity
	Means    string // one line of Markdown without a full stop, as is Do
	Do       string // what the user can do
}

// Lookup returns the entry of a code, whose letters may be in any case.
func Lookup(code string) (Entry, bool) {
	for _, e := range Table() {
		if strings.EqualFold(string(e.Code), code) {
			return e, true
		}
	}
	return Entry{}, false
}

// Refusal is why a container stays as it is: an error with a code.
type Refusal struct {
	Code    Code
	Message string // completes "container web: not made debuggable: …"
}

func (r *Refusal) Error() string { return r.Message }

// Refuse returns a refusal with a message made by fmt.Sprintf.
func Refuse(code Code, format string, args ...any) *Refusal {
	return &Refusal{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Of returns the code of the refusal that an error is or wraps; "" where it is none.
func Of(err error) Code {
	var refusal *Refusal
	if errors.As(err, &refusal) {
		return refusal.Code
	}
	return ""
}
