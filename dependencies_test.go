package main

import (
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// TestDependencies keeps what is heavy, or reaches outside, from being linked where it has no business.
func TestDependencies(t *testing.T) {
	const (
		kubernetes = `^k8s\.io/(client-go|api|apiserver|kubernetes)(/|$)`
		network    = `^(net/http|github\.com/google/go-containerregistry/pkg/v1/remote)$`
		tools      = `^golang\.org/x/crypto/x509roots/`
	)
	for _, test := range []struct {
		packages []string
		banned   []string
		why      string
	}{
		{[]string{"."}, []string{kubernetes, tools}, "it is the function, which starts once per package and goes into a small image"},
		{[]string{"./transform", "./function-config", "./internal/manifest", "./internal/image", "./internal/launch", "./internal/debuginfo"},
			[]string{kubernetes}, "manifests are edited as YAML nodes, not as Kubernetes' Go types"},
		{[]string{"./internal/watch"}, []string{`^k8s\.io/client-go/(kubernetes|informers)(/|$)`}, "the typed clients cost 10 MB and time at each start"},
		{[]string{"./runtimes", "./internal/launch", "./internal/debuginfo"}, []string{network, `/kyaml/`}, "it is pure: command lines in, plans out"},
	} {
		for _, pkg := range test.packages {
			t.Run(pkg, func(t *testing.T) {
				out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "-tags", "nowatch", pkg).Output()
				if err != nil {
					t.Fatalf("go list -deps %s: %v", pkg, err)
				}
				linked := strings.Fields(string(out))
				if len(linked) < 10 {
					t.Fatalf("go list names %d packages", len(linked))
				}
				for _, ban := range test.banned {
					re := regexp.MustCompile(ban)
					for _, dep := range linked {
						if re.MatchString(dep) {
							t.Errorf("%s links %s; it must not: %s", pkg, dep, test.why)
						}
					}
				}
			})
		}
	}
}
