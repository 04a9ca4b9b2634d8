package runtimes

import (
	"path"
	"slices"
	"strings"

	"debuggable.dev/debuggable/internal/reason"
)

// others lists the commands beside the program that may start a program of a language: all but those that are known not to.
// A variable that starts a debugger would start it there as well.
func (p Process) others(language Runtime) []Command {
	return slices.DeleteFunc(slices.Clone(p.Beside), func(c Command) bool {
		return !slices.ContainsFunc(c.starts(), func(argv []string) bool { return mayBe(language, argv) })
	})
}

// starts is what the command starts.
func (c Command) starts() [][]string {
	if c.Starts == nil {
		return [][]string{c.Argv}
	}
	return c.Starts
}

// stays reports whether a command is likely to leave something running when it ends.
func (c Command) stays() bool {
	return slices.ContainsFunc(c.starts(), func(argv []string) bool {
		return slices.ContainsFunc(argv, func(w string) bool { return slices.Contains(staying, programName(w)) })
	})
}

// staying are the words by which programs are told, or known, to leave a server running: zkServer.sh start, kafka-server-start.sh -daemon.
var staying = []string{
	"start", "restart", "--start", "-daemon", "--daemon", "--daemonize", "--background", "--detach", "service", "rc-service", "systemctl",
	"start-stop-daemon", "daemonize", "setsid",
}

// mayBe reports whether a command line may start a program of a language: it is not known to be something else.
func mayBe(language Runtime, argv []string) bool {
	if len(argv) == 0 {
		return false
	}
	if harmless(argv[0]) {
		return false
	}
	return !slices.ContainsFunc(All(), func(r Runtime) bool {
		return r.Name() != language.Name() && r.Detect(Process{Argv: argv}).Strength == Program
	})
}

// harmless reports whether a program is known to belong to no language whose debuggers are started by variables, and to start nothing
// else. Names of the system's tools count in the system's directories only: /app/test may be anything.
func harmless(program string) bool {
	dir, name := path.Split(program)
	if slices.Contains(clients, name) {
		return true
	}
	system := dir == "" || slices.Contains([]string{"bin", "sbin", "busybox"}, path.Base(dir))
	return system && slices.Contains(tools, name)
}

// tools are the system's.
var tools = []string{
	"[", "[[", "addgroup", "adduser", "apk", "apt", "apt-get", "arch", "awk", "b2sum", "base64", "basename", "bc", "cat", "chgrp", "chmod",
	"chown", "chpasswd", "cksum", "clear", "cmp", "comm", "cp", "curl", "cut", "date", "dd", "df", "diff", "dig", "dirname", "dmesg", "du",
	"echo", "egrep", "envsubst", "expand", "expr", "false", "fgrep", "file", "find", "fmt", "fold", "free", "gawk", "getconf", "getent",
	"getopt", "git", "gpg", "grep", "groupadd", "groups", "gunzip", "gzip", "head", "host", "hostid", "hostname", "iconv", "id", "install",
	"ip", "join", "jq", "kill", "killall", "ldconfig", "less", "link", "ln", "locale", "logger", "logname", "ls", "lsof", "mawk", "md5sum",
	"mkdir", "mkfifo", "mknod", "mktemp", "more", "mount", "mountpoint", "mv", "nc", "ncat", "netcat", "netstat", "nl", "nproc", "nslookup",
	"numfmt", "od", "openssl", "passwd", "paste", "perl", "pgrep", "pidof", "ping", "pkill", "pr", "printenv", "printf", "ps", "pwd",
	"readlink", "realpath", "rev", "rm", "rmdir", "rsync", "sed", "seq", "sha1sum", "sha256sum", "sha512sum", "shuf", "sleep", "socat",
	"sort", "split", "ss", "stat", "stty", "sum", "sync", "sysctl", "tac", "tail", "tar", "tee", "telnet", "test", "top", "touch", "tput",
	"tr", "true", "truncate", "ts", "tty", "umount", "uname", "unexpand", "uniq", "unlink", "unzip", "uptime", "useradd", "usermod",
	"usleep", "uuidgen", "wc", "wget", "which", "who", "whoami", "xxd", "xz", "yes", "yq", "zcat", "zip",
}

// clients are servers and clients of servers that probes and scripts run, wherever they are installed.
var clients = []string{
	"apache2ctl", "apachectl", "cgi-fcgi", "consul", "envoy", "etcdctl", "grpc-health-probe", "grpc_health_probe", "grpcurl", "haproxy",
	"httpd", "kubectl", "lua", "mariadb", "mariadb-admin", "memcached", "mongo", "mysql", "mysqladmin", "mysqldump", "nginx", "pg_dump",
	"pg_isready", "php", "php-fpm", "psql", "redis-cli", "redis-server", "sqlite3", "valkey-cli", "valkey-server", "vault", "wait-for",
	"wait-for-it", "wait-for-it.sh", "wait-for.sh",
}

// managed refuses programs that run several others, each of which would get the debugger's variables.
func (p Process) managed() error {
	switch {
	case len(p.Argv) == 0:
		return nil
	case manages(p.Argv[0]), p.Script && slices.ContainsFunc(p.Argv, mentionsManager):
	case !isProgram(p.Argv[0]) && slices.ContainsFunc(p.Argv, manages): // behind a script, or a launcher that is not known
	case slices.ContainsFunc(p.Beside, func(c Command) bool { return !c.Brief && slices.ContainsFunc(c.Argv, mentionsManager) }):
	default:
		return nil
	}
	return errManaged
}

// manages reports whether a program is a process manager.
func manages(program string) bool {
	return slices.Contains([]string{"/init", "/sbin/init"}, program) || // s6-overlay's, systemd's
		slices.Contains(processManagers, programName(program))
}

// errManaged refuses variables that all programs of a process manager would get.
var errManaged = &reason.Refusal{Code: reason.EnvShared, Message: "a process manager starts several programs, which would all get the debugger's variables and want its port"}

// mentionsManager reports whether a word, a shell's script, has the name of a process manager in it.
func mentionsManager(script string) bool {
	return slices.ContainsFunc(strings.FieldsFunc(script, func(r rune) bool { return strings.ContainsRune(" \t\n;&|()`\"'{}\\", r) }), func(w string) bool {
		return slices.Contains(processManagers, programName(w))
	})
}

// processManagers run several programs at the same time, or may.
var processManagers = []string{
	"chaperone", "circusd", "concurrently", "forego", "foreman", "god", "goreman", "hivemind", "honcho", "monit", "multirun", "my_init",
	"npm-run-all", "npm-run-all2", "overmind", "pm2", "pm2-dev", "pm2-docker", "pm2-runtime", "process-compose", "run-p", "runit", "runit-init",
	"runsv", "runsvdir", "runsvdir-start", "s6-overlay-init", "s6-supervise", "s6-svscan", "supervise", "supervisord", "svscan", "svscanboot",
	"systemd",
}
