package runtimes

import (
	"regexp"
	"strings"
)

// debuggers are the ways to start a debugger that listens, as they stand in a text; the group is the address.
var debuggers = []struct {
	protocol  string
	started   *regexp.Regexp // what starts it
	address   *regexp.Regexp // where it listens
	byDefault int32
}{
	{"jdwp", regexp.MustCompile(`-agentlib:jdwp|-Xrunjdwp`), regexp.MustCompile(`\baddress=([^\s,"']+)`), jdwpPort},
	{"devtools", inspectOption, regexp.MustCompile(`--(?:inspect(?:-brk|-wait|-port)?|debug-port)[= ]([^\s"']*\d)`), inspectorPort},
	{"dlv", regexp.MustCompile(`\bdlv\b`), regexp.MustCompile(`(?:--listen[= ]|-l[= ]?)([^\s"']+)`), delvePort},
	{"dap", regexp.MustCompile(`(?:\b|-m)(?:debugpy|ptvsd|pydevd)\b`), regexp.MustCompile(`--(?:listen|port)[= ]([^\s"']+)`), pythonPort},
}

// DebugPorts lists the ports on which debuggers that a text starts are likely to listen. It is for staying out of their way:
// the text is a command line, scripts included, and the values of variables, none of which has to be understood.
func DebugPorts(text string) []int32 {
	var ports []int32
	for _, d := range debuggers {
		if !d.started.MatchString(text) {
			continue
		}
		addresses := d.address.FindAllStringSubmatch(text, -1)
		if addresses == nil {
			ports = append(ports, d.byDefault)
		}
		for _, a := range addresses {
			for _, p := range listening(d.protocol, strings.Trim(a[1], `;&|)`), d.byDefault) {
				ports = append(ports, p.Number)
			}
		}
	}
	return ports
}
