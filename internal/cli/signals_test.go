package cli

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestFirstSignal stops the real program while it waits for whoever is at the other end of a pipe: one signal is
// enough.
func TestFirstSignal(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	manifests := filepath.Join(t.TempDir(), "large.yaml")
	large := "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {a: " + strings.Repeat("a", 1<<20) + "}\n"
	if err := os.WriteFile(manifests, []byte(large), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		args  []string
		stall bool // stdout is a pipe that nobody reads
	}{
		"stdin":             {},
		"-f <(slow)":        {args: []string{"-f", "/dev/fd/3"}},
		"-f FIFO":           {args: []string{"-f", fifo}},
		"lock -f FIFO":      {args: []string{"lock", "-f", fifo}},
		"image-configs":     {args: []string{"-f", manifests, "--image-configs", fifo}},
		"inspect":           {args: []string{"inspect", "a", "--offline", "--image-configs", fifo}},
		"stdout that waits": {args: []string{"-f", manifests, "--offline", "--quiet"}, stall: true},
	} {
		for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
			t.Run(name+" "+signal.String(), func(t *testing.T) {
				t.Parallel()
				stopStalled(t, signal, test.stall, test.args...)
			})
		}
	}
}

func stopStalled(t *testing.T, signal os.Signal, stall bool, args ...string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Args = append([]string{"kubectl-debuggable"}, args...) // the name under which the test binary is main itself
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	slow, never, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Close()
	defer never.Close()
	cmd.ExtraFiles = []*os.File{slow}
	var out, errw bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errw
	if stall {
		reader, writer, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer reader.Close()
		defer writer.Close()
		cmd.Stdout = writer
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Second) // until it waits; a signal before that would be the easier one
	begin := time.Now()
	if err := cmd.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
	kill := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() })
	defer kill.Stop()
	err = cmd.Wait()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != statusFailed {
		t.Errorf("ended with %v, want exit status %d", err, statusFailed)
	}
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
	if out.Len() > 0 || !strings.HasPrefix(errw.String(), "debuggable: ") {
		t.Errorf("stdout %q, stderr %q", out.String(), errw.String())
	}
}
