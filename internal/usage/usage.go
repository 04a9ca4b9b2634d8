// Package usage tells command lines that make no sense from everything else that goes wrong: they have an exit status
// of their own.
package usage

import "fmt"

// Error is a command line that makes no sense.
type Error struct{ error }

// Errorf returns an Error with a message like fmt.Errorf's.
func Errorf(format string, args ...any) error { return Error{fmt.Errorf(format, args...)} }

// Unwrap returns what Errorf made.
func (e Error) Unwrap() error { return e.error }
