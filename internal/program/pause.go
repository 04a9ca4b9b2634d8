package program

import (
	"regexp"
	"slices"
	"strings"

	"debuggable.dev/debuggable/internal/foreign"
)

// electing are the names of the switches for the election of a leader that Kubernetes' programs, controller-runtime's
// and their like have: --leader-elect, --enable-leader-election, LEADER_ELECTION_ENABLED. Who is the leader has to
// renew the lease, within 10 s by default (RenewDeadline in k8s.io/component-base/config/v1alpha1/defaults.go and in
// controller-runtime's manager).
var electing = regexp.MustCompile(`^(enable-)?leader-elect(ion)?(-enabled?)?$`)

// ElectsLeader is the word or the variable by which the program is told to take part in an election; "" for none.
func (p Program) ElectsLeader() string {
	said := "" // the last one counts
	for _, word := range p.Process.Argv {
		option := strings.TrimLeft(word, "-")
		if name, value, given := strings.Cut(option, "="); option != word && electing.MatchString(name) {
			if said = ""; !given || isTrue(value) {
				said = foreign.Short(word)
			}
		}
	}
	if said != "" || len(p.Process.Argv) == 0 {
		return said
	}
	first := ""
	for name, value := range p.Process.Env { // which may be those of thousands of containers
		if mayElect(name) && isTrue(value) && (first == "" || name < first) &&
			electing.MatchString(strings.ReplaceAll(strings.ToLower(name), "_", "-")) {
			first = name
		}
	}
	if first == "" {
		return ""
	}
	return "the variable " + foreign.Short(first)
}

// mayElect tells in little time that a name cannot be one of electing.
func mayElect(name string) bool {
	const leader, enable = "leader", "enable-"
	begins := func(s string) bool { return len(s) > len(leader) && strings.EqualFold(s[:len(leader)], leader) }
	return begins(name) || len(name) > len(enable) && begins(name[len(enable):])
}

// isTrue reports whether a switch's value is one that Go's flags, and most others, take for true.
func isTrue(value string) bool {
	return slices.Contains([]string{"1", "t", "true", "yes", "on"}, strings.ToLower(value))
}
