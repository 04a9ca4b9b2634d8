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
	php := &Language{Names: []string{"php"}, Signs: Signs{Programs: []string{"php"}}}
	p := Process{Languages: []*Language{php},
		Beside: []Command{{Argv: []string{"php", "healthy.php"}}, {Argv: []string{"psql"}}}}
	if others := p.Others("php"); len(others) != 1 || others[0].Argv[0] != "php" {
		t.Errorf("got %v", others)
	}
	if p.KnownOther("php") || !(Process{}).KnownOther("php") {
		t.Error("php is known to be something else where it is a language, or is not where it is none")
	}
}
