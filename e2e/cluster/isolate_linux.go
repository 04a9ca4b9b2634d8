package cluster

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// What the inner process is told by the outer one.
const (
	dirVariable  = "DEBUGGABLE_E2E_DIR"
	nameVariable = "DEBUGGABLE_E2E_NAME"
	// hostNetwork is the file descriptor of the machine's network namespace: the first of exec.Cmd's ExtraFiles.
	hostNetwork = 3
)

// prefix is what all names start with that could be seen by others on the machine; a process ID follows.
const prefix = "debuggable-isolated-"

// privateFolders are those that container runtimes, network plugins and kubelets use whatever they are told.
var privateFolders = []string{"/run/containerd", "/run/netns", "/var/lib/cni", "/var/lib/kubelet",
	"/var/log/containers"}

// Isolate runs the tests of a package, run, in a child process with namespaces of its own for processes, mounts and the
// network, as nodes need it; it returns the exit status. When run returns or panics, and when either process is killed,
// the kernel ends every process, mount and interface that is left in them; what it does not end (control groups, files)
// is removed here, or if this process is killed by its next run.
//
// The network has a loopback interface and nothing else. Online leads out of it.
//
// Without what a node needs the tests are skipped, with a line that says what is missing; where CI is set they fail
// instead.
func Isolate(run func() int) int {
	if os.Getenv(dirVariable) != "" {
		if err := enterNamespaces(); err != nil {
			fmt.Fprintln(os.Stderr, "isolating the tests:", err)
			return 1
		}
		return run()
	}
	if missing := missing(); missing != "" {
		return Skip(missing)
	}
	status, err := runIsolated()
	if err != nil {
		fmt.Fprintln(os.Stderr, "isolating the tests:", err)
		return 1
	}
	return status
}

// Dir returns the folder for what isolated tests write: it is removed after them, whatever is left mounted in it.
func Dir() string { return os.Getenv(dirVariable) }

// missing says what a node needs and this machine does not have.
func missing() string {
	if os.Geteuid() != 0 {
		return "the user root"
	}
	if _, err := exec.LookPath("runc"); err != nil {
		return "runc on PATH (apt-get install runc)"
	}
	if _, err := networkPlugins(); err != nil {
		return err.Error()
	}
	return ""
}

func runIsolated() (status int, err error) {
	name := prefix + strconv.Itoa(os.Getpid())
	removeLeftovers()
	dir, err := os.MkdirTemp("", name+"-")
	if err != nil {
		return 1, err
	}
	defer func() {
		if e := errors.Join(removeControlGroups(name), os.RemoveAll(dir)); e != nil && err == nil {
			status, err = 1, fmt.Errorf("cleaning up: %w", e)
		}
	}()
	if err := makeControlGroup(name); err != nil {
		return Skip(fmt.Sprintf("control groups that can be written to (%v)", err)), nil
	}
	network, err := os.Open("/proc/self/ns/net")
	if err != nil {
		return 1, err
	}
	defer network.Close()

	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(os.Environ(), dirVariable+"="+dir, nameVariable+"="+name, "TMPDIR="+dir)
	cmd.ExtraFiles = []*os.File{network}
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWPID | unix.CLONE_NEWNS | unix.CLONE_NEWNET | unix.CLONE_NEWIPC,
		Pdeathsig:  syscall.SIGKILL,
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT)
	defer signal.Stop(signals)
	// The kernel takes the end of the thread that starts a process for the parent's.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err = cmd.Start()
	if errors.Is(err, unix.EPERM) {
		return Skip("the right to make namespaces (CAP_SYS_ADMIN)"), nil
	}
	if err != nil {
		return 1, err
	}
	ended := make(chan struct{})
	go func() {
		select {
		case <-ended:
		case s := <-signals:
			_ = cmd.Process.Signal(s) // on which Go programs print their goroutines, where it is SIGQUIT
			select {
			case <-ended:
			case <-time.After(3 * time.Second):
				_ = cmd.Process.Kill()
			}
		}
	}()
	err = cmd.Wait()
	close(ended)
	if code := cmd.ProcessState.ExitCode(); code > 0 {
		return code, nil
	}
	return 0, err
}

// enterNamespaces makes the inner process's namespaces fit for use.
func enterNamespaces() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("keeping mounts private: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mounting /proc: %w", err)
	}
	for _, dir := range privateFolders {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		if err := unix.Mount("tmpfs", dir, "tmpfs", 0, ""); err != nil {
			return fmt.Errorf("mounting a private %s: %w", dir, err)
		}
	}
	unix.CloseOnExec(hostNetwork)
	// Delve's port is one that the kernel may give to any connection between the cluster's own programs.
	if err := os.WriteFile("/proc/sys/net/ipv4/ip_local_reserved_ports", []byte("56268"), 0o644); err != nil {
		return fmt.Errorf("keeping a port free: %w", err)
	}
	return addLoopback("lo", nil)
}

// addLoopback brings a loopback interface up, with a further address, if one is given; interface is then an alias such
// as lo:1.
func addLoopback(name string, address []byte) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	request, err := unix.NewIfreq(name)
	if err != nil {
		return err
	}
	if address != nil {
		if err := request.SetInet4Addr(address); err != nil {
			return err
		}
		if err := unix.IoctlIfreq(fd, unix.SIOCSIFADDR, request); err != nil {
			return fmt.Errorf("giving %s an address: %w", name, err)
		}
	}
	request.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, request); err != nil {
		return fmt.Errorf("bringing %s up: %w", name, err)
	}
	return nil
}

// Online calls f in the machine's own network, for what needs package registries. Listeners and processes that f makes
// stay there. In tests that are not isolated it just calls f.
func Online(f func() error) error {
	if os.Getenv(dirVariable) == "" {
		return f()
	}
	result := make(chan error)
	go func() {
		// Never unlocked: the thread, which stays in the other namespace, ends with the goroutine.
		runtime.LockOSThread()
		err := unix.Setns(hostNetwork, unix.CLONE_NEWNET)
		if err == nil {
			err = f()
		}
		result <- err
	}()
	return <-result
}

// removeLeftovers removes control groups and files of runs that were killed.
func removeLeftovers() {
	for _, pattern := range []string{"/sys/fs/cgroup/" + prefix + "*", "/sys/fs/cgroup/*/" + prefix + "*",
		filepath.Join(os.TempDir(), prefix+"*")} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			continue
		}
		for _, path := range found {
			id, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(path), prefix), "-")
			if pid, err := strconv.Atoi(id); err != nil || pid == os.Getpid() || !errors.Is(unix.Kill(pid, 0), unix.ESRCH) {
				continue
			}
			// What cannot be removed now is left to another run.
			if strings.HasPrefix(path, "/sys/fs/cgroup/") {
				_ = removeControlGroups(filepath.Base(path))
			} else {
				_ = os.RemoveAll(path)
			}
		}
	}
}

// controlGroups returns the folders that a control group of a name has: one in each hierarchy.
func controlGroups(name string) ([]string, error) {
	if _, err := os.Stat("/sys/fs/cgroup/cgroup.controllers"); err == nil {
		return []string{"/sys/fs/cgroup/" + name}, nil
	}
	hierarchies, err := filepath.Glob("/sys/fs/cgroup/*/cgroup.procs")
	for i, file := range hierarchies {
		hierarchies[i] = filepath.Join(filepath.Dir(file), name)
	}
	return hierarchies, err
}

// makeControlGroup makes a control group.
func makeControlGroup(name string) error {
	groups, err := controlGroups(name)
	if err != nil {
		return err
	}
	for _, group := range groups {
		if err := os.MkdirAll(group, 0o755); err != nil {
			return err
		}
	}
	return nil
}

// removeControlGroups removes a control group with those in it. Their processes have ended, but the kernel may take a
// moment to forget them.
func removeControlGroups(name string) error {
	groups, err := controlGroups(name)
	if err != nil {
		return err
	}
	var last error
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		last = nil
		for _, group := range groups {
			last = errors.Join(last, removeControlGroup(group))
		}
		if last == nil {
			return nil
		}
	}
	return last
}

// removeControlGroup removes a control group and those in it. (The files in a control group's folder go with it, and
// cannot be removed.)
func removeControlGroup(path string) error {
	entries, err := os.ReadDir(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		if e.IsDir() {
			err = errors.Join(err, removeControlGroup(filepath.Join(path, e.Name())))
		}
	}
	if err == nil {
		err = unix.Rmdir(path)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
