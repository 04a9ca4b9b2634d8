package cluster

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const endVariable = "ISOLATED_END"

// marker makes a process that isolated tests leave behind known from outside.
const marker = "100200300"

func TestMain(m *testing.M) {
	if end := os.Getenv(endVariable); end != "" {
		os.Exit(Isolate(func() int { return makeMess(end) }))
	}
	os.Exit(m.Run())
}

// makeMess leaves a process in a control group, a mount and files behind, says what they are, and ends.
func makeMess(end string) int {
	name := os.Getenv(nameVariable)
	err := errors.Join(
		os.Mkdir(filepath.Join(Dir(), "mounted"), 0o755),
		unix.Mount("tmpfs", filepath.Join(Dir(), "mounted"), "tmpfs", 0, ""),
		os.WriteFile(filepath.Join(Dir(), "mounted", "file"), nil, 0o644),
	)
	groups, _ := controlGroups(name)
	sleep := exec.Command("sleep", marker)
	err = errors.Join(err, sleep.Start())
	for _, group := range groups {
		if !strings.Contains(group, "/cpuset/") { // which wants settings before it takes processes
			err = errors.Join(err,
				os.WriteFile(filepath.Join(group, "cgroup.procs"), []byte(strconv.Itoa(sleep.Process.Pid)), 0o644))
		}
	}
	// The listener is on the machine's loopback interface, and nothing of this network leads there.
	var online net.Listener
	err = errors.Join(err, Online(func() (err error) {
		online, err = net.Listen("tcp", "127.0.0.1:0")
		return err
	}))
	if err != nil {
		fmt.Println("making a mess:", err)
		return 1
	}
	address := online.Addr().String()
	if conn, err := net.Dial("tcp", address); err == nil {
		conn.Close()
		fmt.Println("the network is not isolated")
		return 1
	}
	if err := Online(func() error { _, err := net.Dial("tcp", address); return err }); err != nil {
		fmt.Println("not online:", err)
		return 1
	}
	fmt.Println("made", Dir(), name)
	switch end {
	case "return":
		return 3
	case "panic":
		panic("on purpose")
	}
	time.Sleep(time.Hour)
	return 1
}

// mess runs isolated tests until they made theirs, and returns what it is.
func mess(t *testing.T, end string) (cmd *exec.Cmd, dir string, groups []string) {
	t.Helper()
	cmd = exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), endVariable+"="+end)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	fields := strings.Fields(line)
	if err != nil || len(fields) != 3 || fields[0] != "made" {
		_ = cmd.Process.Kill()
		t.Fatalf("it says %q, %v", line, err)
	}
	if groups, err = controlGroups(fields[2]); err != nil {
		t.Fatal(err)
	}
	return cmd, fields[1], groups
}

func TestIsolatedTestsLeaveNothingBehind(t *testing.T) {
	needNode(t)
	for end, status := range map[string]int{"return": 3, "panic": 2} {
		cmd, dir, groups := mess(t, end)
		_ = cmd.Wait() // its status is compared
		if got := cmd.ProcessState.ExitCode(); got != status {
			t.Errorf("%s: exit status %d, want %d", end, got, status)
		}
		gone(t, append(groups, dir))
	}
}

func TestKilledTestsLeaveNothingBehindForLong(t *testing.T) {
	needNode(t)
	cmd, dir, groups := mess(t, "never")
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	if _, err := os.Stat(dir); err != nil {
		t.Errorf("the folder is gone, so that the next run has nothing to remove: %v", err)
	}
	next, _, _ := mess(t, "return")
	_ = next.Wait() // its status is another test's
	gone(t, append(groups, dir))
}

func needNode(t *testing.T) {
	t.Helper()
	if missing := missing(); missing != "" {
		if os.Getenv("CI") != "" {
			t.Fatalf("missing: %s", missing)
		}
		t.Skipf("missing: %s", missing)
	}
}

// gone checks that paths do not exist and that no process of the tests runs.
func gone(t *testing.T, paths []string) {
	t.Helper()
	for _, path := range paths {
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is there: %v", path, err)
		}
	}
	processes, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range processes {
		if line, err := os.ReadFile(file); err == nil && strings.Contains(string(line), "sleep\x00"+marker) {
			t.Errorf("%s runs", file)
		}
	}
}
