// Command stub stands for every program in the sandbox of the launch equivalence test. It is installed under all names;
// the path that it was executed by says which program it is.
//
// Each start is appended to /log as one line of quoted fields:
//
//	KIND PID PATH DIRECTORY STDIN ARGC ARGV… ENVIRONMENT…
//
// with KIND one of app (a program), launch (a launcher, which then runs its command), tool (a package manager and the
// like) and fail (a program that could not do its job), or as
//
//	debug PID PROTOCOL PORT
//
// for a debugger that listens for the process of that id.
package main

import (
	"os"
	"os/signal"
	"path"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// executable is the path that this process was executed by (AT_EXECFN, getauxval(3)): argv[0] may be anything.
func executable() string {
	const atExecFn = 31
	auxv, err := unix.Auxv()
	if err == nil {
		for _, a := range auxv {
			if a[0] == atExecFn {
				return unix.BytePtrToString((*byte)(*(*unsafe.Pointer)(unsafe.Pointer(&a[1]))))
			}
		}
	}
	return os.Args[0]
}

func write(fields ...string) {
	fd, err := syscall.Open("/log", syscall.O_WRONLY|syscall.O_APPEND|syscall.O_CREAT, 0o666)
	if err != nil {
		os.Exit(99)
	}
	for i, f := range fields {
		fields[i] = strconv.Quote(f)
	}
	// One write, so that processes that run at the same time do not mix.
	syscall.Write(fd, []byte(strings.Join(fields, " ")+"\n"))
	syscall.Close(fd)
}

func record(kind, self string, argv, env []string, stdin string) {
	dir, err := syscall.Getwd() // not os.Getwd, which believes PWD
	if err != nil {
		dir = "?"
	}
	fields := append([]string{kind, strconv.Itoa(os.Getpid()), self, dir, stdin, strconv.Itoa(len(argv))}, argv...)
	env = append([]string(nil), env...)
	sort.Strings(env)
	write(append(fields, env...)...)
}

func debugs(protocol, port string) { write("debug", strconv.Itoa(os.Getpid()), protocol, port) }

func die(code int, message string) {
	os.Stderr.WriteString(message + "\n")
	os.Exit(code)
}

// fail says that a program refuses its command line.
func fail(message string) {
	record("fail", self, append([]string{message}, os.Args...), os.Environ(), "")
	die(1, message)
}

var self string

func lookPath(program string, env []string) string {
	if strings.Contains(program, "/") {
		return program
	}
	search := "/bin:/usr/bin"
	for _, e := range env {
		if v, ok := strings.CutPrefix(e, "PATH="); ok {
			search = v
		}
	}
	for _, dir := range strings.Split(search, ":") {
		if dir == "" {
			dir = "."
		}
		var st syscall.Stat_t
		file := dir + "/" + program
		if syscall.Stat(file, &st) == nil && st.Mode&syscall.S_IFMT == syscall.S_IFREG && st.Mode&0o111 != 0 {
			return file
		}
	}
	return ""
}

// run replaces this process, as execvp(3) does.
func run(argv, env []string) { runAs(argv, argv, env) }

func runAs(find, argv, env []string) {
	if len(find) == 0 {
		fail("no command")
	}
	file := lookPath(find[0], env)
	if file == "" {
		die(127, self+": "+find[0]+": not found")
	}
	err := syscall.Exec(file, argv, env)
	if err == syscall.ENOEXEC {
		syscall.Exec("/bin/sh", append([]string{"sh", file}, argv[1:]...), env)
	}
	if err == syscall.ENOENT {
		die(127, self+": "+file+": not found")
	}
	die(126, self+": "+file+": "+err.Error())
}

// spawn runs a command and ends with its exit status.
func spawn(argv, env []string) {
	file := lookPath(argv[0], env)
	if file == "" {
		die(127, self+": "+argv[0]+": not found")
	}
	pid, err := syscall.ForkExec(file, argv, &syscall.ProcAttr{Env: env, Files: []uintptr{0, 1, 2}})
	if err != nil {
		die(126, err.Error())
	}
	var status syscall.WaitStatus
	for {
		if _, err = syscall.Wait4(pid, &status, 0, nil); err != syscall.EINTR {
			break
		}
	}
	release()
	if status.Signaled() {
		os.Exit(128 + int(status.Signal()))
	}
	os.Exit(status.ExitStatus())
}

func get(env []string, name string) string {
	for _, e := range env {
		if v, ok := strings.CutPrefix(e, name+"="); ok {
			return v
		}
	}
	return ""
}

func unset(env []string, name string) []string {
	var out []string
	for _, e := range env {
		if !strings.HasPrefix(e, name+"=") {
			out = append(out, e)
		}
	}
	return out
}

func set(env []string, name, value string) []string { return append(unset(env, name), name+"="+value) }

// stdin is what a program can read; nothing from a terminal or /dev/null.
func stdin() string {
	var st syscall.Stat_t
	if syscall.Fstat(0, &st) != nil || st.Mode&syscall.S_IFMT == syscall.S_IFCHR {
		return ""
	}
	var all []byte
	buf := make([]byte, 4096)
	for len(all) < 1<<16 {
		n, err := syscall.Read(0, buf)
		if n <= 0 || err != nil {
			break
		}
		all = append(all, buf[:n]...)
	}
	return string(all)
}

func main() {
	self = executable()
	if !strings.HasPrefix(self, "/") {
		dir, _ := syscall.Getwd()
		self = path.Join(dir, self)
	}
	self = path.Clean(self)
	name, argv, env := path.Base(self), os.Args, os.Environ()
	switch {
	case self == "/dbg/nodejs/bin/node":
		nodeWrapper(argv, env)
	case self == "/dbg/python/launcher":
		pythonLauncher(argv, env)
	case name == "dlv":
		delve(argv, env)
	case self == "/cnb/lifecycle/launcher" || path.Dir(self) == "/cnb/process":
		buildpack(argv, env)
	case name == "node" || name == "nodejs":
		node(argv, env)
	case name == "java" || name == "keytool" || name == "jcmd":
		java(argv, env)
	case strings.HasPrefix(name, "python"):
		python(argv, env)
	case name == "id":
		record("app", self, argv, env, "")
		os.Stdout.WriteString(strconv.Itoa(os.Getuid()) + "\n")
	default:
		if launch := launcher(name); launch != nil {
			record("launch", self, argv, env, "")
			launch(argv, env)
			return
		}
		app("app", argv, env)
	}
}

// app is the end of the line: a program that does its work. Names that say so fail.
func app(kind string, argv, env []string) {
	name := path.Base(self)
	record(kind, self, argv, env, stdin())
	signal.Ignore(syscall.SIGPIPE) // whether a pipe's reader has gone already is a matter of luck
	os.Stdout.WriteString("out " + name + "\n")
	os.Stderr.WriteString("err " + name + "\n")
	switch {
	case strings.HasPrefix(name, "fail"), name == "false":
		os.Exit(1)
	case strings.HasPrefix(name, "server"), name == "java":
		os.Exit(3)
	}
	os.Exit(0)
}
