package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/GoogleContainerTools/kpt-functions-sdk/go/fn"

	"debuggable.dev/debuggable/internal/reason"
	"debuggable.dev/debuggable/internal/terminal"
	"debuggable.dev/debuggable/internal/workload"
)

// Total tells how many containers are debuggable and how many are not, by reason. written reports whether the manifests
// are written, with all of that in them.
func (r Reporter) Total(results fn.Results, written bool) {
	made, not, grave := count(results)
	if r.json || r.quiet || made == 0 && len(not) == 0 {
		return
	}
	verb := "made debuggable"
	if !written {
		verb = "could be made debuggable"
	}
	total, explain := 0, ""
	var reasons []string
	for _, code := range slices.SortedFunc(maps.Keys(not), func(a, b string) int {
		return cmp.Or(not[b]-not[a], strings.Compare(a, b))
	}) {
		total += not[code]
		reasons = append(reasons, fmt.Sprintf("%d %s", not[code], code))
		if grave[code] && explain == "" {
			explain = "; debuggable explain " + code + " says what to do"
		}
	}
	message := fmt.Sprintf("%d %s, %d not", made, verb, total)
	if total > 0 {
		message += ": " + strings.Join(reasons, ", ") + explain
	}
	r.line(label{"total", terminal.Plain}, "", labelWidth+gap, message)
}

// count counts the containers that were made debuggable and, by reason, the containers and the workloads that were not.
// grave are the reasons among these of warnings and errors.
func count(results fn.Results) (made int, not map[string]int, grave map[string]bool) {
	type container struct{ object, path string }
	done := map[container]bool{}
	not, grave = map[string]int{}, map[string]bool{}
	for _, r := range results {
		key := container{object: subject(r)}
		if r.File != nil {
			key.object += fmt.Sprint(*r.File)
		}
		if r.Field != nil {
			key.path = r.Field.Path
		}
		code := r.Tags["reason"]
		switch {
		case code == string(reason.Debuggable) || code == string(reason.AlreadyDebugged):
			made++
			done[key] = true
		case r.Tags["container"] != "" && !done[key], strings.HasPrefix(r.Message, workload.LeftAlone):
			not[code]++
			grave[code] = grave[code] || r.Severity != fn.Info
		}
	}
	return made, not, grave
}
