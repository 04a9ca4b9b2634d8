package main

import (
	"os"
	"path"
	"strconv"
	"strings"
)

// process is a buildpack process, as /cnb.txt has it: one a line, its fields quoted:
// TYPE DIRECT BUILDPACK-API WORKING-DIR COMMANDS WORDS…
type process struct {
	kind, api, dir string
	direct         bool
	command, args  []string
}

func fields(line string) []string {
	var out []string
	for line != "" {
		q, err := strconv.QuotedPrefix(line)
		if err != nil {
			break
		}
		s, _ := strconv.Unquote(q)
		out = append(out, s)
		line = strings.TrimPrefix(line[len(q):], " ")
	}
	return out
}

func less(a, b string) bool {
	number := func(v string) int {
		major, minor, _ := strings.Cut(v, ".")
		x, _ := strconv.Atoi(major)
		y, _ := strconv.Atoi(minor)
		return x*1000 + y
	}
	return number(a) < number(b)
}

// buildpack is the launcher of the Cloud Native Buildpacks lifecycle (cmd/launcher and launch in its sources).
func buildpack(argv, env []string) {
	record("launch", self, argv, env, "")
	data, _ := os.ReadFile("/cnb.txt")
	var processes []process
	for _, line := range strings.Split(string(data), "\n") {
		f := fields(line)
		if len(f) < 6 {
			continue
		}
		n, _ := strconv.Atoi(f[4])
		processes = append(processes, process{f[0], f[2], f[3], f[1] == "true", f[5 : 5+n], f[5+n:]})
	}
	find := func(kind string) *process {
		for i := range processes {
			if processes[i].kind == kind {
				return &processes[i]
			}
		}
		return nil
	}
	api := get(env, "CNB_PLATFORM_API")
	if api == "" {
		api = "0.3"
		if path.Dir(self) == "/cnb/process" {
			api = "0.4" // a lifecycle that makes these links has a later default
		}
	}
	user := argv[1:]
	var p *process
	if less(api, "0.4") {
		if len(user) == 0 {
			kind := get(env, "CNB_PROCESS_TYPE")
			if kind == "" {
				kind = "web"
			}
			if p = find(kind); p == nil {
				fail("process type " + kind + " was not found")
			}
		} else if len(user) == 1 {
			p = find(user[0])
		}
		if p != nil {
			user = nil
		}
	} else if name := path.Base(argv[0]); name != "launcher" {
		if p = find(name); p == nil {
			fail("process type " + name + " was not found")
		}
	}
	if p != nil {
		args := append([]string(nil), p.command[1:]...)
		switch {
		case len(user) == 0:
			args = append(args, p.args...)
		case !less(api, "0.10") && (len(p.command) > 1 || !less(p.api, "0.9")):
		default:
			args = append(args, p.args...)
		}
		p = &process{kind: p.kind, api: p.api, dir: p.dir, direct: p.direct, command: p.command[:1],
			args: append(args, user...)}
	} else {
		if len(user) == 0 {
			fail("when there is no default process a command is required")
		}
		p = &process{command: user[:1], args: user[1:]}
		if len(user) > 1 && user[0] == "--" {
			p = &process{command: user[1:2], args: user[2:], direct: true}
		}
	}
	dir := get(env, "CNB_APP_DIR")
	if dir == "" {
		dir = "/workspace"
	}
	for _, name := range []string{"CNB_APP_DIR", "CNB_LAYERS_DIR", "CNB_PLATFORM_API", "CNB_PROCESS_TYPE"} {
		env = unset(env, name)
	}
	var dirs []string
	for _, d := range strings.Split(get(env, "PATH"), ":") {
		if d != "/cnb/process" && d != "/cnb/lifecycle" {
			dirs = append(dirs, d)
		}
	}
	env = set(env, "PATH", strings.Join(append([]string{"/layers/bin"}, dirs...), ":"))
	chdir(dir)
	if p.dir != "" {
		dir = p.dir
	}
	if p.direct {
		find := append(append([]string(nil), p.command...), p.args...)
		if lookPath(find[0], env) == "" {
			die(127, "ERROR: failed to launch: path lookup: "+find[0])
		}
		chdir(dir)
		run(find, env)
	}
	chdir(dir)
	script := `exec bash -c "$@"`
	if len(p.args) > 0 && (p.api == "" || !less(p.api, "0.4")) {
		tokens := ""
		for i := 0; i <= len(p.args); i++ {
			tokens += ` "$(eval echo \"$` + strconv.Itoa(i) + `\")"`
		}
		script = "exec bash -c '" + tokens[1:] + `' "${@:1}"`
	}
	runAs([]string{"/bin/bash"}, append([]string{"bash", "-c", script, argv[0], p.command[0]}, p.args...), env)
}
