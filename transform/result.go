package transform

import (
	"fmt"
	"strconv"
	"strings"

	"debuggable.dev/debuggable/internal/reason"
	"debuggable.dev/debuggable/internal/workload"
	"debuggable.dev/debuggable/runtimes"
	"github.com/GoogleContainerTools/kpt-functions-sdk/go/fn"
)

// refusal makes the result for a container that stays as it is.
func refusal(c *workload.Container, severity fn.Severity, runtime string, err error) *fn.Result {
	return c.Result(severity, reasonOf(err), runtime, "not made debuggable: %s", err)
}

// reasonOf is the stable code of a refusal, which all errors here are.
func reasonOf(err error) reason.Code {
	if code := reason.Of(err); code != "" {
		return code
	}
	return reason.NoRuntime
}

// portsByProtocol is how the annotation and explanations hold ports; nil for none.
func portsByProtocol(ports []runtimes.Port) map[string]int32 {
	var byProtocol map[string]int32
	for _, p := range ports {
		if byProtocol == nil {
			byProtocol = map[string]int32{}
		}
		byProtocol[p.Protocol] = p.Number
	}
	return byProtocol
}

// listening tags a result with the ports that a debugger listens on and the protocols that it speaks there.
func listening(r *fn.Result, ports []runtimes.Port) *fn.Result {
	var numbers, protocols []string
	for _, p := range ports {
		numbers, protocols = append(numbers, strconv.Itoa(int(p.Number))), append(protocols, p.Protocol)
	}
	if len(ports) > 0 {
		r.Tags["port"], r.Tags["protocol"] = strings.Join(numbers, ","), strings.Join(protocols, ",")
	}
	return r
}

// portWords says where a debugger listens: `dlv on port 56268`.
func portWords(ports []runtimes.Port) string {
	var words []string
	for _, p := range ports {
		words = append(words, fmt.Sprintf("%s on port %d", p.Protocol, p.Number))
	}
	return strings.Join(words, ", ")
}
