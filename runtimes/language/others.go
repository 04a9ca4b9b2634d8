package language

import (
	"path"
	"slices"
	"strings"
)

// KnownOther reports whether a program is known to belong to no language, going by its name.
func (p Process) KnownOther(program string) bool {
	name := strings.ToLower(ProgramName(program))
	_, found := slices.BinarySearch(knownOthers, name)
	// A PEX starts itself anew, with another interpreter.
	return (found || p.tool(name) || strings.HasSuffix(name, ".pex")) && !p.isProgram(program)
}

// PlainWord reports whether a process that is known to belong to no language may as well be words that a script takes
// for its own: start.sh test, entrypoint.sh vault. Not so a program by its path, and those that are nothing but
// programs, or have arguments.
func (p Process) PlainWord() bool {
	if len(p.Argv) == 0 || strings.Contains(p.Argv[0], "/") || !p.KnownOther(p.Argv[0]) {
		return false
	}
	name := p.Argv[0]
	if len(p.Argv) == 1 {
		return !slices.Contains(servers, name)
	}
	return slices.Contains(tools, name) && name != "sleep" && name != "tail" // which people keep a container busy with
}

// tool reports whether a program is one of a language's tools.
func (p Process) tool(name string) bool {
	return slices.ContainsFunc(p.Languages, func(l *Language) bool { return slices.Contains(l.Signs.Tools, name) })
}

// starter reports whether a program that is known to be something else starts others, which may be anything.
func (p Process) starter(name string) bool { return p.tool(name) || slices.Contains(starters, name) }

// knownOthers are programs that people run in containers and that are no application of a runtime here: servers and
// interpreters written in other languages, shells, tools that start others, and those that keep a container busy.
// Sorted.
var knownOthers = []string{
	"[", "apache2", "apache2-foreground", "apachectl", "ash", "awk", "aws-vault", "bash", "beam.smp",
	"busybox", "caddy", "cargo", "cat", "chamber", "chmod", "chown", "chroot", "clickhouse",
	"clickhouse-server", "confd", "consul", "coredns", "cp", "cron", "crond", "curl", "dash",
	"date", "doas", "dockerd", "dockerize", "doppler", "echo", "elixir", "envconsul", "envoy", "erl", "etcd",
	"execlineb", "false", "flock", "fluent-bit", "fluentd", "gdb", "gdbserver", "git", "grafana",
	"grafana-server", "grep", "h2o", "haproxy", "httpd", "httpd-foreground", "iex", "infisical", "influxd", "irb",
	"kubectl", "lighttpd", "ln", "ls", "ltrace", "lua", "luajit", "make", "mariadbd", "memcached", "mix", "mkdir",
	"mongo", "mongod", "mongos", "mv", "mysql", "mysqld", "mysqld_safe", "nats-server", "nc", "nginx", "nginx-debug",
	"nsenter", "openresty", "passenger", "perl", "pg_isready", "pgbouncer", "php", "php-fpm",
	"pilot-agent", "postgres", "printf", "prlimit", "prometheus", "psql",
	"redis-cli", "redis-sentinel", "redis-server", "rm", "rscript", "rsyslogd", "runsvdir", "runuser",
	"s6-svscan", "sed", "sh", "sleep", "socat", "squid", "sshd", "strace", "su", "sudo", "supervisord",
	"swift", "tail", "tar", "test", "thin", "touch", "traefik", "true", "unshare", "uwsgi",
	"valgrind", "valkey-server", "varnishd", "vault", "vault-env", "wget", "with-contenv", "xvfb-run", "zsh",
}

// scriptExtensions are those of files that are scripts.
var scriptExtensions = []string{".bash", ".js", ".lua", ".mjs", ".pl", ".php", ".py", ".rb", ".sh"}

// IsScript reports whether a program's name has the extension of a script.
func IsScript(program string) bool {
	return slices.Contains(scriptExtensions, path.Ext(ProgramName(program)))
}

// starters are those of the programs that are known to be something else that start others, which may be anything.
var starters = []string{
	"cargo", "execlineb", "flock", "ltrace", "make", "mix", "nsenter", "prlimit", "runsvdir",
	"runuser", "s6-svscan", "strace", "su", "supervisord", "unshare", "valgrind", "with-contenv", "xvfb-run",
}

// StartsAnother reports whether a program that is known to be of no language starts others, which may be.
func (p Process) StartsAnother(program string) bool {
	name := strings.ToLower(ProgramName(program))
	ofOtherLanguages := []string{"cargo", "mix"}
	return strings.HasSuffix(name, ".pex") || p.starter(name) && !slices.Contains(ofOtherLanguages, name)
}

// launchers start the command that follows them, and are no plain words among another program's arguments.
var launchers = []string{
	"catatonit", "chpst", "chrt", "docker-entrypoint.sh", "docker-init", "dumb-init", "gosu", "ionice", "nohup", "numactl",
	"parallel", "runuser", "s6-setuidgid", "setpriv", "setsid", "setuidgid", "stdbuf", "su-exec", "sudo", "taskset",
	"tini", "tini-static", "xargs",
}

// shells start what their script says, which may be anything.
var shells = []string{"ash", "bash", "dash", "ksh", "mksh", "sh", "zsh"}

func isShell(program string) bool { return slices.Contains(shells, ProgramName(program)) }

// servers are programs that no other takes for a plain word among its arguments.
var servers = []string{
	"apache2-foreground", "clickhouse-server", "httpd-foreground", "mariadbd", "mongod", "mysqld", "nats-server",
	"php-fpm", "redis-sentinel", "redis-server", "uwsgi", "valkey-server",
}

// Harmless reports whether a program is known to belong to no language whose debuggers are started by variables, and to
// start nothing else. Names of the system's tools count in the system's directories only: /app/test may be anything.
func Harmless(program string) bool {
	dir, name := path.Split(program)
	if slices.Contains(clients, name) {
		return true
	}
	system := dir == "" || slices.Contains([]string{"bin", "sbin", "busybox"}, path.Base(dir))
	return system && slices.Contains(tools, name)
}

// tools are the system's.
var tools = []string{
	"[", "[[", "addgroup", "adduser", "apk", "apt", "apt-get", "arch", "awk", "b2sum", "base64", "basename", "bc", "cat",
	"chgrp", "chmod", "chown", "chpasswd", "cksum", "clear", "cmp", "comm", "cp", "curl", "cut", "date", "dd", "df",
	"diff", "dig", "dirname", "dmesg", "du", "echo", "egrep", "envsubst", "expand", "expr", "false", "fgrep", "file",
	"find", "fmt", "fold", "free", "gawk", "getconf", "getent", "getopt", "git", "gpg", "grep", "groupadd", "groups",
	"gunzip", "gzip", "head", "host", "hostid", "hostname", "iconv", "id", "install", "ip", "join", "jq", "kill",
	"killall", "ldconfig", "less", "link", "ln", "locale", "logger", "logname", "ls", "lsof", "mawk", "md5sum", "mkdir",
	"mkfifo", "mknod", "mktemp", "more", "mount", "mountpoint", "mv", "nc", "ncat", "netcat", "netstat", "nl", "nproc",
	"nslookup", "numfmt", "od", "openssl", "passwd", "paste", "perl", "pgrep", "pidof", "ping", "pkill", "pr", "printenv",
	"printf", "ps", "pwd", "readlink", "realpath", "rev", "rm", "rmdir", "rsync", "sed", "seq", "sha1sum", "sha256sum",
	"sha512sum", "shuf", "sleep", "socat", "sort", "split", "ss", "stat", "stty", "sum", "sync", "sysctl", "tac", "tail",
	"tar", "tee", "telnet", "test", "top", "touch", "tput", "tr", "true", "truncate", "ts", "tty", "umount", "uname",
	"unexpand", "uniq", "unlink", "unzip", "uptime", "useradd", "usermod", "usleep", "uuidgen", "wc", "wget", "which",
	"who", "whoami", "xxd", "xz", "yes", "yq", "zcat", "zip",
}

// clients are servers and clients of servers that probes and scripts run, wherever they are installed.
var clients = []string{
	"apache2ctl", "apachectl", "cgi-fcgi", "consul", "envoy", "etcdctl", "grpc-health-probe", "grpc_health_probe",
	"grpcurl", "haproxy", "httpd", "kubectl", "lua", "mariadb", "mariadb-admin", "memcached", "mongo", "mysql",
	"mysqladmin", "mysqldump", "nginx", "pg_dump", "pg_isready", "php", "php-fpm", "psql", "redis-cli", "redis-server",
	"sqlite3", "valkey-cli", "valkey-server", "vault", "wait-for", "wait-for-it", "wait-for-it.sh", "wait-for.sh",
}
