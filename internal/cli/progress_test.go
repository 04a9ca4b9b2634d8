package cli

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"debuggable.dev/debuggable/internal/image"
)

type slowSource map[string]time.Duration // by registry

func (s slowSource) Config(_ context.Context, ref name.Reference, _ v1.Platform) (image.Config, error) {
	time.Sleep(s[ref.Context().RegistryStr()])
	return image.Config{}, nil
}

func wantsOf(images ...string) (wants []image.Want) {
	for _, i := range images {
		wants = append(wants, image.Want{Image: i, Platform: "linux/amd64"})
	}
	return wants
}

// TestProgress: nothing at first, then how many images are there and who is slow, and nothing of it is left at the end.
func TestProgress(t *testing.T) { synctest.Test(t, progressTest) }

func progressTest(t *testing.T) {
	source := slowSource{"slow.example": 925 * time.Millisecond, "b.example": 525 * time.Millisecond}
	wants := wantsOf("a.example/a", "a.example/a:latest", "b.example/b", "slow.example/c", "slow.example/d")
	p := newProgress(source, wants)
	var out bytes.Buffer
	stop := repeat(&out, 60, 200*time.Millisecond, p.text)
	image.ResolveAll(t.Context(), p, wants)
	stop()
	lines := strings.Split(out.String(), "\r")
	if want := "resolving images: 1 of 4; slow: slow.example, b.example"; len(lines) < 4 ||
		strings.TrimSpace(lines[1]) != want {
		t.Errorf("got %q, want %q first", lines, want)
	}
	if want := "resolving images: 2 of 4; slow: slow.example"; strings.TrimSpace(lines[len(lines)-3]) != want {
		t.Errorf("got %q, want %q at last", lines, want)
	}
	if last := lines[len(lines)-2]; strings.TrimSpace(last) != "" || len(last) < len(lines[1]) ||
		lines[len(lines)-1] != "" {
		t.Errorf("something is left: %q", lines)
	}
	for _, line := range lines {
		if len(line) >= 60 {
			t.Errorf("%q is too long", line)
		}
	}
}

// TestProgressIsForTerminals: nobody else is told, and neither is a terminal that need not wait.
func TestProgressIsForTerminals(t *testing.T) {
	var out bytes.Buffer
	resolveAll(t.Context(), &out, slowSource{"slow.example": patience + 200*time.Millisecond}, wantsOf("slow.example/a"))
	p := newProgress(slowSource{}, nil)
	repeat(&out, 80, time.Minute, p.text)()
	show(&out, p.text)()
	if out.Len() > 0 {
		t.Errorf("got %q", out.String())
	}
}
