package main

import (
	"os/exec"
	"strings"
	"testing"
)

// The Kubernetes client is for "debuggable watch" alone: a function starts once for each package that it is run on, and should start quickly. So
// the tag nowatch, which function images are built with, leaves it out of the program, and no other package may bring it back in.
func TestOnlyWatchUsesTheKubernetesClient(t *testing.T) {
	packages := strings.Fields(goList(t, "./..."))
	if len(packages) < 3 {
		t.Fatalf("packages %v: these are not all", packages)
	}
	for _, pkg := range packages {
		if pkg == "debuggable.dev/debuggable" || pkg == "debuggable.dev/debuggable/internal/watch" {
			continue
		}
		if banned := kubernetesClient(goList(t, "-deps", pkg)); banned != nil {
			t.Errorf("%s depends on %s", pkg, strings.Join(banned, ", "))
		}
	}
	if banned := kubernetesClient(goList(t, "-deps", "-tags", "nowatch", ".")); banned != nil {
		t.Errorf("with the tag nowatch the program depends on %s", strings.Join(banned, ", "))
	}
	// Otherwise this test would not notice anything.
	if kubernetesClient(goList(t, "-deps", ".")) == nil {
		t.Error("without the tag the program does not depend on the Kubernetes client either")
	}
}

// The typed clients and the informers made for them cost 10 MB and time at each start.
func TestWatchUsesNoTypedClient(t *testing.T) {
	for _, pkg := range strings.Fields(goList(t, "-deps", "./internal/watch")) {
		if pkg == "k8s.io/client-go/kubernetes" || strings.HasPrefix(pkg, "k8s.io/client-go/kubernetes/typed/") || strings.HasPrefix(pkg, "k8s.io/client-go/informers") {
			t.Errorf("internal/watch depends on %s", pkg)
		}
	}
}

func kubernetesClient(packages string) []string {
	var banned []string
	for _, pkg := range strings.Fields(packages) {
		if strings.HasPrefix(pkg, "k8s.io/client-go/") || strings.HasPrefix(pkg, "k8s.io/api/") {
			banned = append(banned, pkg)
		}
	}
	return banned
}

func goList(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", append([]string{"list"}, args...)...).Output()
	if err != nil {
		if exit, ok := err.(*exec.ExitError); ok {
			t.Fatalf("go list %v: %v: %s", args, err, exit.Stderr)
		}
		t.Fatal(err)
	}
	return string(out)
}
