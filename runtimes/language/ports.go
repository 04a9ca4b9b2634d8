package language

import (
	"net"
	"regexp"
	"strconv"
	"strings"

	"debuggable.dev/debuggable/internal/reason"
)

// Listener is a way to start a debugger that listens, as it stands in a text.
type Listener struct {
	Protocol string
	Started  *regexp.Regexp // what starts it
	Address  *regexp.Regexp // where it listens; the group is the address
	Port     int32          // where it listens if the text does not say
}

// ports lists where the debuggers that a text starts are likely to listen.
func (l Listener) ports(text string) []int32 {
	if !l.Started.MatchString(text) {
		return nil
	}
	addresses := l.Address.FindAllStringSubmatch(text, -1)
	if addresses == nil {
		return []int32{l.Port}
	}
	var ports []int32
	for _, a := range addresses {
		for _, p := range Listening(l.Protocol, strings.Trim(a[1], `;&|)`), l.Port) {
			ports = append(ports, p.Number)
		}
	}
	return ports
}

// Where debuggers listen, as users say it.
const (
	OnDefault  = "default"  // as debuggers of the language usually do
	OnAll      = "all"      // on all of the pod's addresses
	OnLoopback = "loopback" // on loopback, which kubectl port-forward reaches and other pods do not
)

// Loopback is where debuggers listen that nobody outside of the pod reaches. Pods have it in every cluster, in those
// that give them IPv6 addresses alone, too.
const Loopback = "127.0.0.1"

// Host is the host part of the address on which a debugger is told to listen. everywhere is the one that stands for all
// addresses, which is also the language's default.
func (o Options) Host(everywhere string) string {
	if o.ListenOn == OnLoopback {
		return Loopback
	}
	return everywhere
}

// FreePort returns a port for the debugger.
func FreePort(o Options, from int32) (int32, error) {
	if o.FreePort == nil {
		return from, nil
	}
	if port := o.FreePort(from); port > 0 {
		return port, nil
	}
	return 0, reason.Refuse(reason.NoFreePort, "no port from %d on is free in the pod", from)
}

// Listening says where a debugger that runs already listens, by the address that it is given: on the protocol's default
// port where the address names none, and on none that is known where it names one that is found at run time (0, or a
// variable).
func Listening(protocol, address string, byDefault int32) []Port {
	if n, ok := PortOf(address); ok {
		return []Port{{protocol, n}}
	}
	if _, _, err := net.SplitHostPort(address); err == nil || strings.Contains(address, "$") || address != "" &&
		strings.Trim(address, "0123456789") == "" {
		return nil
	}
	return []Port{{protocol, byDefault}}
}

// PortOf reads the port of an address: `5005`, `:5005`, `*:5005`, `host:5005`, `[::1]:5005`. Port 0 is no port.
func PortOf(address string) (int32, bool) {
	if _, port, err := net.SplitHostPort(address); err == nil {
		address = port
	}
	n, err := strconv.ParseUint(address, 10, 16)
	return int32(n), err == nil && n > 0
}
