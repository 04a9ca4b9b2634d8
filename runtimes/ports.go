package runtimes

import (
	"regexp"
	"strings"
)

// listener is a way to start a debugger that listens, as it stands in a text.
type listener struct {
	protocol string
	started  *regexp.Regexp // what starts it
	address  *regexp.Regexp // where it listens; the group is the address
	port     int32          // where it listens if the text does not say
}

// DebugPorts lists the ports on which debuggers of any runtime that a text starts are likely to listen; see [Runtime].
func DebugPorts(text string) []int32 {
	var ports []int32
	for _, r := range All() {
		ports = append(ports, r.DebugPorts(text)...)
	}
	return ports
}

// ports lists where the debuggers that a text starts are likely to listen.
func (l listener) ports(text string) []int32 {
	if !l.started.MatchString(text) {
		return nil
	}
	addresses := l.address.FindAllStringSubmatch(text, -1)
	if addresses == nil {
		return []int32{l.port}
	}
	var ports []int32
	for _, a := range addresses {
		for _, p := range listening(l.protocol, strings.Trim(a[1], `;&|)`), l.port) {
			ports = append(ports, p.Number)
		}
	}
	return ports
}
