//go:build unix && !linux

package cluster

// Isolate skips the tests: a node needs Linux.
func Isolate(func() int) int { return Skip("Linux") }

// Dir is where isolated tests write; there are none.
func Dir() string { return "" }

// Online calls f.
func Online(f func() error) error { return f() }
