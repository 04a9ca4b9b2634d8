package image

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"sync/atomic"
	"testing"

	"debuggable.dev/debuggable/internal/image/files"
)

// TestLookerKeepsLittle: what is known of images' files is given up where it takes too much memory, and read again.
func TestLookerKeepsLittle(t *testing.T) {
	results, opened := map[Want]Result{}, atomic.Int64{}
	var questions, more []Question
	for i := range 10 {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		for _, name := range []string{"a.sh", "b.sh"} {
			text := fmt.Sprintf("#!/bin/sh\n# %s of %d\n", name, i)
			if err := w.WriteHeader(&tar.Header{Name: name, Size: int64(len(text)), Mode: 0o755}); err != nil {
				t.Fatal(err)
			}
			_, _ = io.WriteString(w, text)
		}
		_ = w.Close()
		layers := []files.Layer{{Name: "test", Open: func(context.Context) (io.ReadCloser, error) {
			opened.Add(1)
			return io.NopCloser(bytes.NewReader(b.Bytes())), nil
		}}}
		want := Want{Image: fmt.Sprintf("image-%d", i)}
		results[want] = Result{Config: Config{Layers: layers, Local: true}}
		questions = append(questions, Question{Want: want, Paths: []string{"/a.sh"}})
		more = append(more, Question{Want: want, Paths: []string{"/b.sh"}})
	}
	looker := NewLooker(InsideLocal, "")
	defer looker.Close()
	looker.most = 1000
	looker.Prepare(results)
	for _, round := range [][]Question{questions, more} {
		looker.Answer(t.Context(), results, round)
		if len(looker.images) > 5 {
			t.Errorf("%d images are kept", len(looker.images))
		}
		for i, q := range round {
			f, ok := results[q.Want].Config.Files.Find(q.Paths)
			if want := fmt.Sprintf("#!/bin/sh\n# %s of %d\n", q.Paths[0][1:], i); !ok || f.Script != want {
				t.Errorf("%v: got %q", q, f.Script)
			}
		}
	}
	if opened.Load() <= 10 {
		t.Errorf("layers were opened %d times", opened.Load())
	}
}
