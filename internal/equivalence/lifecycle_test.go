package equivalence

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// buildLifecycles builds the launchers of two versions of the buildpacks lifecycle, each a module of its own in
// lifecycle/: old knows every platform API, the newest knows those from 0.7 on. Their modules are asked for where a CI
// runs; elsewhere they are built if the module cache has them.
func buildLifecycles(t testing.TB, dir string) (built map[string]string) {
	t.Helper()
	built = map[string]string{}
	for _, version := range []string{"old", "new"} {
		file := filepath.Join(dir, "lifecycle-"+version)
		cmd := exec.Command("go", "build", "-trimpath", "-o", file, "github.com/buildpacks/lifecycle/cmd/launcher")
		cmd.Dir = filepath.Join("lifecycle", version)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=-mod=readonly")
		if os.Getenv("CI") == "" {
			cmd.Env = append(cmd.Env, "GOPROXY=off")
		}
		if out, err := cmd.CombinedOutput(); err != nil {
			fmt.Printf("LAUNCH EQUIVALENCE: the %s buildpacks launcher cannot be built (%s): a stub stands for it\n", version,
				firstLine(out))
			continue
		}
		built[version] = file
	}
	return built
}

func firstLine(text []byte) string {
	line, _, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
	return line
}

// cnbPaths are where the launcher is installed.
var cnbPaths = []string{"/cnb/lifecycle/launcher", "/cnb/process/web", "/cnb/process/worker", "/cnb/process/task"}

// lifecycles installs the launchers, and the layers' programs where they look for them.
func (s *sandbox) lifecycles(built map[string]string) error {
	s.launchers = map[string]bool{}
	for version, file := range built {
		if err := copyFile(file, s.root+"/lifecycle-"+version); err != nil {
			return err
		}
		s.launchers[version] = true
	}
	for _, id := range buildpackIDs {
		for _, program := range []string{"node", "gunicorn"} {
			p := s.root + "/layers/" + strings.ReplaceAll(id, "/", "_") + "/rt/bin/" + program
			if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
				return err
			}
			if err := os.Link(s.root+"/stub", p); err != nil {
				return err
			}
		}
	}
	return os.MkdirAll(s.root+"/layers/config", 0o755)
}

// buildpackIDs are those that the generator names.
var buildpackIDs = []string{
	"paketo-buildpacks/go-dist", "paketo-buildpacks/npm-start", "example/jvm", "example/python", "example/netcore",
	"example/go", "example/nodejs",
}

// lifecycle puts the launcher in place that knows what the image is made for: the stub where no real one does.
func (s *sandbox) lifecycle(c start) error {
	if c.cnb == s.cnb && c.env["CNB_PLATFORM_API"] == s.api {
		return nil
	}
	s.cnb, s.api = c.cnb, c.env["CNB_PLATFORM_API"]
	var lines [][]string
	for _, line := range strings.Split(c.cnb, "\n") {
		if f := unquoteFields(line); len(f) > 5 {
			lines = append(lines, f)
		}
	}
	from := "/stub"
	if len(lines) > 0 && s.api != "" { // without it, versions differ in what they take it for
		bp := lines[0][2]
		switch {
		case s.launchers["new"] && !less(s.api, "0.7") && !less(bp, "0.7"):
			from = "/lifecycle-new"
		case s.launchers["old"]:
			from = "/lifecycle-old"
		}
		if err := os.WriteFile(s.root+"/layers/config/metadata.toml", metadata(lines, c.buildpack, s.api),
			0o644); err != nil {
			return err
		}
	}
	for _, p := range cnbPaths {
		os.Remove(s.root + p)
		if err := os.Link(s.root+from, s.root+p); err != nil {
			return err
		}
	}
	return nil
}

// metadata writes what the lifecycle leaves for its launcher.
func metadata(lines [][]string, id, platform string) []byte {
	list := func(words []string) string {
		var quoted []string
		for _, w := range words {
			quoted = append(quoted, strconv.Quote(w))
		}
		return "[" + strings.Join(quoted, ", ") + "]"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "[[buildpacks]]\nid = %q\napi = %q\n", id, lines[0][2])
	for _, f := range lines {
		n, _ := strconv.Atoi(f[4])
		command, args := f[5:5+n], slices.Clone(f[5+n:])
		if less(platform, "0.10") { // it makes arguments of further words of the command when it builds the image
			command, args = command[:1], slices.Concat(command[1:], args)
		}
		text := list(command)
		if len(command) == 1 && less(f[2], "0.9") {
			text = strconv.Quote(command[0])
		}
		fmt.Fprintf(&b, "[[processes]]\ntype = %q\ndirect = %s\nbuildpack-id = %q\ncommand = %s\nargs = %s\n", f[0], f[1], id,
			text, list(args))
		if f[3] != "" {
			fmt.Fprintf(&b, "working-dir = %q\n", f[3])
		}
	}
	return []byte(b.String())
}
