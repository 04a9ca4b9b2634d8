package runtimes

import (
	"path"
	"slices"
	"sort"
	"strings"
)

// All returns the runtimes in the order in which a tie between them is settled.
func All() []Runtime {
	return []Runtime{Go{}, JVM{}, NodeJS{}, Python{}, NetCore{}}
}

// ByName returns the runtime that a name or an alias stands for, in any case, or nil.
func ByName(name string) Runtime {
	name = strings.ToLower(name)
	for _, r := range All() {
		if r.Name() == name || slices.Contains(r.Aliases(), name) {
			return r
		}
	}
	return nil
}

// Detection is the outcome of Detect.
type Detection struct {
	Runtime Runtime // nil: none
	Sign    Sign
	// Tied are the other runtimes with a sign of the same strength; the order of All decided.
	Tied []Runtime
}

// Detect finds the runtime of a process by its strongest sign. A program that is known to be something else is never
// given a runtime by weak signs, nor by any sign but the program where its command line would have to be wrapped.
func Detect(p Process) Detection {
	var d Detection
	for _, r := range All() {
		sign := r.Detect(p)
		switch {
		case sign.Strength == None || sign.Strength < d.Sign.Strength:
		case sign.Strength > d.Sign.Strength:
			d = Detection{Runtime: r, Sign: sign}
		default:
			d.Tied = append(d.Tied, r)
		}
	}
	if d.Sign.Strength < Program && p.startsAnother(d) {
		return Detection{}
	}
	return d
}

// startsAnother reports whether a process is known to be no program of a runtime that only its surroundings show.
func (p Process) startsAnother(d Detection) bool {
	// A shell that runs a script stands for whatever the script starts.
	if len(p.Argv) == 0 || p.Script || d.Runtime == nil {
		return false
	}
	if _, jruby := p.ImageEnv["JRUBY_VERSION"]; KnownOther(p.Argv[0]) && !jruby {
		return d.Sign.Strength <= Weak || !slices.Contains(starters, programName(p.Argv[0]))
	}
	// Behind a launcher that is not known stands what its arguments name.
	if d.Sign.Strength <= Weak && p.behindLauncher() != "" {
		return true
	}
	for _, w := range p.Argv[1:] {
		if strings.HasPrefix(w, "-") {
			continue
		}
		name := programName(w)
		if slices.Contains(servers, name) {
			return true
		}
		if (Python{}).Detect(Process{Argv: []string{w}}).Strength == Program && !strings.HasSuffix(name, ".py") {
			return d.Runtime.Name() != "jvm" && d.Runtime.Name() != "nodejs"
		}
	}
	return false
}

// behindLauncher returns the word among the arguments that names a program, which the first word is likely to start: it is a launcher,
// but none that the launch package follows. "" where there is none.
func (p Process) behindLauncher() string {
	if len(p.Argv) == 0 || isProgram(p.Argv[0]) {
		return ""
	}
	for i, w := range p.Argv {
		last := i+1 == len(p.Argv)
		switch {
		case i == 0 || strings.HasPrefix(w, "-"):
		case namesProgram(w, p.Argv[i-1] == "--", last):
			return w
		}
	}
	return ""
}

// namesProgram reports whether an argument names a program: by a path to where programs are or, behind "--", to anywhere; by a name that
// is known. A known name that nothing follows may be a plain word.
func namesProgram(word string, behindDashes, last bool) bool {
	dir, name := path.Split(word)
	switch {
	case name == "":
		return false
	case dir != "":
		rooted := dir[0] == '/' || strings.HasPrefix(dir, "./")
		if ext := path.Ext(name); !rooted || ext != "" && !slices.Contains(scriptExtensions, ext) {
			return false
		}
		return behindDashes || slices.Contains([]string{"bin", "sbin", "ko-app"}, path.Base(dir))
	case behindDashes:
		return isProgram(name) || KnownOther(name) && !slices.Contains(tools, name) ||
			!last && (slices.Contains(launchers, name) || slices.Contains([]string{"env", "exec", "nice", "timeout"}, name))
	}
	return !last && (isProgram(name) || slices.Contains(launchers, name)) || slices.Contains(servers, name)
}

// isProgram reports whether a program is known to be one of a runtime.
func isProgram(program string) bool {
	return slices.ContainsFunc(All(), func(r Runtime) bool { return r.Detect(Process{Argv: []string{program}}).Strength == Program })
}

// starters are those of the programs that are known to be something else that start others, which may be anything.
var starters = []string{
	"air", "bundle", "cargo", "compiledaemon", "execlineb", "flock", "go", "ltrace", "make", "mix", "nsenter", "prlimit", "rake", "runsvdir",
	"runuser", "s6-svscan", "strace", "su", "supervisord", "unshare", "valgrind", "with-contenv", "xvfb-run",
}

// StartsAnother reports whether a program that is known to be none of the runtimes starts others, which may be theirs.
func StartsAnother(program string) bool {
	name := strings.ToLower(programName(program))
	ofOtherLanguages := []string{"bundle", "cargo", "mix", "rake"}
	return strings.HasSuffix(name, ".pex") || slices.Contains(starters, name) && !slices.Contains(ofOtherLanguages, name)
}

// launchers start the command that follows them, and are no plain words among another program's arguments.
var launchers = []string{
	"catatonit", "chpst", "chrt", "docker-entrypoint.sh", "docker-init", "dumb-init", "gosu", "ionice", "nohup", "numactl", "runuser",
	"s6-setuidgid", "setpriv", "setsid", "setuidgid", "stdbuf", "su-exec", "sudo", "taskset", "tini", "tini-static",
}

// servers are programs that no other takes for a plain word among its arguments.
var servers = []string{
	"apache2-foreground", "bun", "bunx", "bundle", "clickhouse-server", "httpd-foreground", "mariadbd", "mongod", "mysqld", "nats-server", "php-fpm",
	"puma", "rackup", "redis-sentinel", "redis-server", "ruby", "sidekiq", "unicorn", "uwsgi", "valkey-server",
}

// programName is the last path element of a program.
func programName(program string) string { return path.Base(program) }

// envSign looks for variables in the order given. strong says how much one of them weighs.
func envSign(p Process, strong bool, names ...string) Sign {
	image, manifest := Weak, WeakManifest
	if strong {
		image, manifest = Strong, StrongManifest
	}
	for _, n := range names {
		if _, ok := p.ImageEnv[n]; ok {
			return Sign{image, "image sets " + n}
		}
	}
	for _, n := range names {
		if _, ok := p.Env[n]; ok || p.Unknown[n] {
			return Sign{manifest, "manifest sets " + n}
		}
	}
	return Sign{}
}

// strongest returns the first of the strongest signs.
func strongest(signs ...Sign) Sign {
	sort.SliceStable(signs, func(i, j int) bool { return signs[i].Strength > signs[j].Strength })
	return signs[0]
}

// KnownOther says whether a program is known to belong to none of the runtimes here, going by its name.
func KnownOther(program string) bool {
	name := strings.ToLower(programName(program))
	_, found := slices.BinarySearch(knownOthers, name)
	// A PEX starts itself anew, with another interpreter.
	return found || strings.HasSuffix(name, ".pex")
}

// knownOthers are programs that people run in containers and that are no application of a runtime here: servers and
// interpreters written in other languages, shells, tools that start others, and those that keep a container busy. Sorted.
var knownOthers = []string{
	"[", "air", "apache2", "apache2-foreground", "apachectl", "ash", "awk", "aws-vault", "bash", "beam.smp",
	"bun", "bundle", "bunx", "busybox", "caddy", "cargo", "cat", "chamber", "chmod", "chown", "chroot", "clickhouse",
	"clickhouse-server", "compiledaemon", "confd", "consul", "coredns", "cp", "cron", "crond", "curl", "dash",
	"date", "deno", "doas", "dockerd", "dockerize", "doppler", "echo", "elixir", "envconsul", "envoy", "erl", "etcd",
	"execlineb", "false", "flock", "fluent-bit", "fluentd", "gdb", "gdbserver", "git", "go", "grafana",
	"grafana-server", "grep", "h2o", "haproxy", "httpd", "httpd-foreground", "iex", "infisical", "influxd", "irb",
	"kubectl", "lighttpd", "ln", "ls", "ltrace", "lua", "luajit", "make", "mariadbd", "memcached", "mix", "mkdir",
	"mongo", "mongod", "mongos", "mv", "mysql", "mysqld", "mysqld_safe", "nats-server", "nc", "nginx", "nginx-debug",
	"nsenter", "openresty", "passenger", "perl", "pg_isready", "pgbouncer", "php", "php-fpm",
	"pilot-agent", "postgres", "printf", "prlimit", "prometheus", "psql", "puma", "rackup", "rails", "rake",
	"redis-cli", "redis-sentinel", "redis-server", "rm", "rscript", "rsyslogd", "ruby", "runsvdir", "runuser",
	"s6-svscan", "sed", "sh", "sidekiq", "sleep", "socat", "squid", "sshd", "strace", "su", "sudo", "supervisord",
	"swift", "tail", "tar", "test", "thin", "touch", "traefik", "true", "unicorn", "unshare", "uwsgi",
	"valgrind", "valkey-server", "varnishd", "vault", "vault-env", "wget", "with-contenv", "xvfb-run", "zsh",
}
