//go:build !nowatch

package cli

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestWatchFirstSignal ends the real "debuggable watch" by one signal, at ever other times since its start, while its
// connections to pods hang and nobody reads what it serves or says.
func TestWatchFirstSignal(t *testing.T) {
	for name, test := range map[string]struct {
		times int
		stall bool
	}{
		"read":              {times: 30},
		"outputs that wait": {times: 8, stall: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			kubeconfig, asked := fakeCluster(t)
			for i := range test.times {
				took := stopWatch(t, kubeconfig, asked, time.Duration(i)*25*time.Millisecond, test.stall)
				// Where nobody reads it is 2 seconds in all; with 2 for each output, one after the other, it was 4 and more.
				if took > 3500*time.Millisecond {
					t.Errorf("signal %d: took %v", i, took)
				}
			}
		})
	}
}

// stopWatch starts a watch, sends SIGTERM a while after its first request, and returns how long it took to end.
func stopWatch(t *testing.T, kubeconfig string, asked chan struct{}, after time.Duration, stall bool) time.Duration {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Args = []string{"kubectl-debuggable", "watch", "--kubeconfig", kubeconfig, "--listen", "127.0.0.1:0",
		"--port-forward"}
	if stall {
		reader, writer := fullPipe(t)
		defer reader.Close()
		defer writer.Close()
		cmd.Stdout, cmd.Stderr = writer, writer
	}
	for len(asked) > 0 {
		<-asked
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill := time.AfterFunc(30*time.Second, func() { _ = cmd.Process.Kill() })
	defer kill.Stop()
	select {
	case <-asked:
	case <-time.After(20 * time.Second):
		t.Error("asks the cluster nothing")
	}
	time.Sleep(after)
	begin := time.Now()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("after %v: %v", after, err)
	}
	return time.Since(begin)
}

// fullPipe returns a pipe that takes nothing more.
func fullPipe(t *testing.T) (reader, writer *os.File) {
	t.Helper()
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := writer.SetWriteDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := writer.Write(make([]byte, 1<<20)); !os.IsTimeout(err) {
		t.Fatalf("filling a pipe: %v", err)
	}
	return reader, writer
}

// fakeCluster serves some pods that run, and takes connections to them without ever answering. It returns a kubeconfig,
// and a channel that gets something at each request.
func fakeCluster(t *testing.T) (kubeconfig string, asked chan struct{}) {
	t.Helper()
	var pods []string
	for i := range 20 {
		pods = append(pods,
			fmt.Sprintf(`{"kind":"Pod","apiVersion":"v1","metadata":{"name":"p%d","namespace":"shop","uid":"u%d",`+
				`"resourceVersion":"1","annotations":{"debug.cloud.google.com/config":"{\"web\":{\"ports\":{\"dlv\":56268}}}"}},`+
				`"status":{"containerStatuses":[{"name":"web","containerID":"containerd://%d","state":{"running":{}}}]}}`, i, i, i))
	}
	list := `{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"1"},"items":[` +
		strings.Join(pods, ",") + `]}`
	asked = make(chan struct{}, 1)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case asked <- struct{}{}:
		default:
		}
		w.Header().Set("Content-Type", "application/json")
		switch {
		case r.URL.Query().Get("sendInitialEvents") != "": // not known to this server
			w.WriteHeader(http.StatusUnprocessableEntity)
			_, _ = io.WriteString(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Invalid","code":422}`)
		case r.URL.Query().Get("watch") != "":
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		case strings.HasSuffix(r.URL.Path, "/portforward"):
			<-r.Context().Done()
		default:
			_, _ = io.WriteString(w, list)
		}
	}))
	t.Cleanup(s.CloseClientConnections)
	kubeconfig = filepath.Join(t.TempDir(), "config")
	text := `{apiVersion: v1, kind: Config, current-context: c,
		contexts: [{name: c, context: {cluster: c, namespace: shop}}],
clusters: [{name: c, cluster: {server: "` + s.URL + `"}}]}`
	if err := os.WriteFile(kubeconfig, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return kubeconfig, asked
}
