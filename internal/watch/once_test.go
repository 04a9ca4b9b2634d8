package watch

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// --once prints what runs and ends, with no error and without waiting.
func TestOnce(t *testing.T) {
	const pods = `{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"1"},"items":[{"kind":"Pod",` +
		`"apiVersion":"v1",` +
		`"metadata":{"name":"web","namespace":"shop","uid":"u","resourceVersion":"1","annotations":` +
		`{"debug.cloud.google.com/config":"{\"web\":{\"runtime\":\"go\",\"ports\":{\"dlv\":56268}}}"}},` +
		`"status":{"containerStatuses":[{"name":"web","containerID":"containerd://1","state":{"running":{}}}]}}]}`
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch {
		case r.URL.Query().Get("sendInitialEvents") != "": // not known to this server
			w.WriteHeader(http.StatusUnprocessableEntity)
			_, _ = io.WriteString(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Invalid","code":422}`)
		case r.URL.Query().Get("watch") != "":
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		default:
			_, _ = io.WriteString(w, pods)
		}
	}))
	defer s.Close()
	kubeconfig := t.TempDir() + "/config"
	writeFile(t, kubeconfig,
		`{apiVersion: v1, kind: Config, current-context: c, contexts: [{name: c, context: {cluster: c, namespace: shop}}],
clusters: [{name: c, cluster: {server: "`+s.URL+`"}}]}`)
	for _, format := range []string{"json", "text"} {
		var out, errw bytes.Buffer
		watch := Options{Kubeconfig: kubeconfig, Once: true, Output: format}
		begin := time.Now()
		if err := watch.Run(t.Context(), &out, &errw); err != nil || errw.Len() > 0 {
			t.Errorf("%s: %v, stderr %q", format, err, errw.String())
		}
		if took := time.Since(begin); took > 5*time.Second {
			t.Errorf("%s: took %v", format, took)
		}
		if strings.Count(out.String(), "56268") == 0 || strings.Count(strings.ToLower(out.String()), "started") < 1 {
			t.Errorf("%s: printed %q", format, out.String())
		}
	}
}
