package main

import (
	"os"
	"strconv"
	"strings"
	"syscall"
)

// become makes root another user, whoever that is: a script that starts itself again looks.
func become() {
	if syscall.Getuid() == 0 && (syscall.Setgid(1000) != nil || syscall.Setuid(1000) != nil) {
		die(99, "another user")
	}
}

// getopt consumes options as getopt(3) with a leading "+" does. short is in getopt's notation; long is space-separated,
// with "=" behind those that take a value.
func getopt(args []string, short, long string, option func(name, value string)) []string {
	longs := strings.Fields(long)
	has := func(name string) bool {
		for _, l := range longs {
			if l == name {
				return true
			}
		}
		return false
	}
	for len(args) > 0 {
		word := args[0]
		if word == "--" {
			return args[1:]
		}
		if len(word) < 2 || word[0] != '-' {
			return args
		}
		args = args[1:]
		if strings.HasPrefix(word, "--") {
			name, value, given := strings.Cut(word[2:], "=")
			switch {
			case has(name + "="):
				if !given {
					if len(args) == 0 {
						fail("no value for --" + name)
					}
					value, args = args[0], args[1:]
				}
			case has(name) && !given, has(name + "=?"):
			default:
				fail("unknown option " + word)
			}
			option(name, value)
			continue
		}
		for i := 1; i < len(word); i++ {
			at := strings.IndexByte(short, word[i])
			if at < 0 || word[i] == ':' {
				fail("unknown option " + word)
			}
			if at+1 == len(short) || short[at+1] != ':' {
				option(word[i:i+1], "")
				continue
			}
			value := word[i+1:]
			if value == "" {
				if len(args) == 0 {
					fail("no value for -" + word[i:i+1])
				}
				value, args = args[0], args[1:]
			}
			option(word[i:i+1], value)
			break
		}
	}
	return args
}

func ignore(string, string) {}

func plain(short, long string) func(argv, env []string) {
	return func(argv, env []string) { run(getopt(argv[1:], short, long, ignore), env) }
}

func chdir(dir string) {
	if err := syscall.Chdir(dir); err != nil {
		die(125, self+": "+dir+": "+err.Error())
	}
}

// launcher returns a program that runs the rest of its command line, nil for any other. Their options are those of
// their own manual pages.
func launcher(name string) func(argv, env []string) {
	user := func(argv, env []string) {
		if len(argv) < 3 {
			fail("no user or command")
		}
		become()
		run(argv[2:], set(env, "HOME", "/home/"+argv[1]))
	}
	venv := func(short, long string) func(argv, env []string) {
		return func(argv, env []string) {
			options := func(name, value string) {
				if name == "directory" || name == "C" {
					chdir(value)
				}
			}
			rest := getopt(argv[1:], short, long, options)
			if len(rest) == 0 || rest[0] != "run" {
				app("tool", argv, env)
			}
			rest = getopt(rest[1:], short, long, options)
			env = set(set(env, "VIRTUAL_ENV", "/venv"), "PATH", "/venv/bin:"+get(env, "PATH"))
			run(rest, env)
		}
	}
	return map[string]func(argv, env []string){
		"tini":        plain("svwgp:e:", ""),
		"docker-init": plain("svwgp:e:", ""),
		"dumb-init":   plain("cvr:", "single-child verbose rewrite="),
		"catatonit":   catatonit,
		"nohup":       plain("", ""),
		"setsid":      plain("cfw", "ctty fork wait"),
		"nice":        nice,
		"stdbuf": func(argv, env []string) {
			rest := getopt(argv[1:], "i:o:e:", "input= output= error=", func(name, value string) {
				env = set(env, "_STDBUF_"+strings.ToUpper(name[:1]), value)
			})
			run(rest, env)
		},
		"chpst": func(argv, env []string) {
			name := ""
			rest := getopt(argv[1:], "u:U:b:e:/:C:n:l:L:m:d:o:p:f:c:r:t:s:a:vP012", "", func(o, value string) {
				switch o {
				case "C":
					chdir(value)
				case "b":
					name = value
				}
			})
			if len(rest) == 0 {
				fail("no command")
			}
			as := append([]string(nil), rest...)
			if name != "" {
				as[0] = name
			}
			runAs(rest, as, env)
		},
		"env":     envCommand,
		"su-exec": user,
		"gosu":    user,
		"setpriv": func(argv, env []string) {
			rest := getopt(argv[1:], "", "clear-groups init-groups keep-groups nnp no-new-privs reset-env reuid= regid= euid= "+
				"egid= ruid= rgid= "+
				"groups= inh-caps= ambient-caps= bounding-set= pdeathsig= securebits=", func(name, _ string) {
				switch name {
				case "reuid":
					become()
				case "reset-env":
					env = []string{"HOME=/root", "SHELL=/bin/sh", "USER=root", "LOGNAME=root", "PATH=/usr/local/bin:/bin:/usr/bin"}
				}
			})
			run(rest, env)
		},
		"opentelemetry-instrument": func(argv, env []string) {
			rest := argv[1:]
			for len(rest) > 0 && strings.HasPrefix(rest[0], "--") {
				if !strings.Contains(rest[0], "=") {
					rest = rest[1:]
				}
				rest = rest[1:]
			}
			run(rest, set(env, "PYTHONPATH", "/otel:"+get(env, "PYTHONPATH")))
		},
		"poetry": venv("qvnC:P:", "quiet verbose no-interaction directory= project="),
		"pipenv": venv("qv", "quiet verbose"),
		"uv":     venv("qvnp:", "quiet verbose no-sync frozen locked directory= project= python= with= extra= no-dev"),
		"bundle": func(argv, env []string) {
			if len(argv) < 3 || argv[1] != "exec" {
				app("tool", argv, env)
			}
			run(argv[2:], set(env, "BUNDLE_BIN_PATH", "/bundle"))
		},
		"busybox": func(argv, env []string) {
			if len(argv) < 2 {
				fail("no applet")
			}
			runAs([]string{"/bin/" + strings.Replace(argv[1], "ash", "sh", 1)}, argv[1:], env)
		},
	}[name]
}

func nice(argv, env []string) {
	rest := argv[1:]
	if len(rest) > 0 && len(rest[0]) > 1 && rest[0][0] == '-' {
		if _, err := strconv.Atoi(strings.TrimLeft(rest[0], "-+")); err == nil {
			rest = rest[1:]
		}
	}
	run(getopt(rest, "n:", "adjustment=", ignore), env)
}

// catatonit uses getopt(3) without the "+": glibc takes options behind the first other word for its own.
func catatonit(argv, env []string) {
	var rest []string
	for i := 1; i < len(argv); i++ {
		a := argv[i]
		if a == "--" {
			rest = append(rest, argv[i+1:]...)
			break
		}
		if len(a) > 1 && a[0] == '-' {
			if strings.Trim(a, "-g") != "" {
				fail("unknown option " + a)
			}
			continue
		}
		rest = append(rest, a)
	}
	run(rest, env)
}

func envCommand(argv, env []string) {
	args := argv[1:]
	var rest []string
	clear, name := false, ""
	for {
		again := false
		var removed []string
		dir := ""
		var split []string
		rest = getopt(args, "i0u:C:S:va:", "ignore-environment null unset= chdir= split-string= debug argv0= "+
			"default-signal=? ignore-signal=? block-signal=?", func(o, value string) {
			switch o {
			case "i", "ignore-environment":
				clear = true
			case "u", "unset":
				removed = append(removed, value)
			case "C", "chdir":
				dir = value
			case "a", "argv0":
				name = value
			case "S", "split-string":
				split, again = strings.Fields(value), true
			}
		})
		if clear {
			env = nil
		}
		for _, r := range removed {
			env = unset(env, r)
		}
		if dir != "" {
			chdir(dir)
		}
		if !again {
			break
		}
		args = append(split, rest...)
		clear = false
	}
	if len(rest) > 0 && rest[0] == "-" {
		env, rest = nil, rest[1:]
	}
	for len(rest) > 0 {
		key, value, ok := strings.Cut(rest[0], "=")
		if !ok {
			break
		}
		env = set(env, key, value)
		rest = rest[1:]
	}
	if len(rest) == 0 {
		os.Stdout.WriteString(strings.Join(env, "\n") + "\n")
		os.Exit(0)
	}
	as := append([]string(nil), rest...)
	if name != "" {
		as[0] = name
	}
	runAs(rest, as, env)
}
