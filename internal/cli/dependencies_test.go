package cli

import (
	"errors"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// module is the main module, and its package at the root.
const module = "debuggable.dev/debuggable"

// TestWatchDependencies keeps the Kubernetes client and the gRPC server to `debuggable watch`: a function starts once
// for each package that it is run on, and goes into a small image, which is built with the tag nowatch.
func TestWatchDependencies(t *testing.T) {
	client := regexp.MustCompile(`^k8s\.io/(client-go|api)/|^connectrpc\.com/`)
	packages := strings.Fields(goList(t, "./..."))
	if !slices.Contains(packages, module+"/transform") {
		t.Fatalf("packages %v: these are not all", packages)
	}
	for _, pkg := range packages {
		if slices.Contains([]string{module, module + "/internal/cli", module + "/internal/watch"}, pkg) {
			continue
		}
		forbid(t, client, "-deps", pkg)
	}
	forbid(t, client, "-deps", "-tags", "nowatch", ".")
	// The typed clients and the informers made for them cost 10 MB, and time at each start.
	forbid(t, regexp.MustCompile(`^k8s\.io/client-go/(kubernetes|informers)(/typed/|$)`), "-deps", ".")
	// All types of the core API, 3.8 MB, which client-go's port forwarding wants for the names of four headers.
	forbid(t, regexp.MustCompile(`^k8s\.io/api/`), "-deps", ".")
	// grpc-go costs 10 MB.
	forbid(t, regexp.MustCompile(`^google\.golang\.org/grpc(/|$)`), "-deps", ".")
	linked := strings.Fields(goList(t, "-deps", "."))
	for _, pkg := range []string{"k8s.io/client-go/rest", "connectrpc.com/connect"} {
		if !slices.Contains(linked, pkg) {
			t.Errorf("with watch the program does not depend on %s either: this test would notice nothing", pkg)
		}
	}
}

// TestPurePackages keeps what reaches outside, and what parses manifests, out of the packages that turn command lines
// into plans, and the tools' certificates out of the program.
func TestPurePackages(t *testing.T) {
	for _, pkg := range []string{"./runtimes", "./internal/launch", "./internal/debuginfo"} {
		forbid(t, regexp.MustCompile(`^net/http$|/kyaml/|/pkg/v1/remote$`), "-deps", pkg)
	}
	forbid(t, regexp.MustCompile(`^golang\.org/x/crypto/x509roots/`), "-deps", ".")
}

// forbid fails for each package that `go list` names and that must not be among them.
func forbid(t *testing.T, banned *regexp.Regexp, args ...string) {
	t.Helper()
	for _, dep := range strings.Fields(goList(t, args...)) {
		if banned.MatchString(dep) {
			t.Errorf("%s links %s", strings.Join(args, " "), dep)
		}
	}
}

func goList(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"list"}, args...)...)
	cmd.Dir = "../.." // the module's root
	out, err := cmd.Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		t.Fatalf("go list %v: %v: %s", args, err, exit.Stderr)
	} else if err != nil {
		t.Fatal(err)
	}
	return string(out)
}
