package language

import (
	"slices"
	"testing"
)

func TestKnownOthersAreSorted(t *testing.T) {
	if !slices.IsSorted(knownOthers) {
		t.Error("knownOthers is searched by halving and must be sorted")
	}
}

// A language that is added takes its programs out of the lists of what is known to be something else.
func TestNewLanguagesPrograms(t *testing.T) {
	nginx := &Language{Names: []string{"nginx"}, Signs: Signs{Programs: []string{"nginx"}}} // which nobody will add
	p := Process{Languages: []*Language{nginx},
		Beside: []Command{{Argv: []string{"nginx", "-t"}}, {Argv: []string{"psql"}}}}
	if others := p.Others("nginx"); len(others) != 1 || others[0].Argv[0] != "nginx" {
		t.Errorf("got %v", others)
	}
	if p.KnownOther("nginx") || !(Process{}).KnownOther("nginx") {
		t.Error("nginx is known to be something else where it is a language, or is not where it is none")
	}
}
