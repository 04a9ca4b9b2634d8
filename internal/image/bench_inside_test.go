package image

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// BenchmarkInside looks for the programs of 20 images of a registry on loopback, without a cache and with everything
// cached: a base of 16 MiB of which nothing is wanted, and on it a Go program (this test), or a script. KiB/image is
// what is read of the layers, as stored.
func BenchmarkInside(b *testing.B) {
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	program, err := os.ReadFile(self)
	if err != nil {
		b.Fatal(err)
	}
	data := make([]byte, 16<<20)
	random := rand.New(rand.NewPCG(1, 1))
	for i := range data {
		data[i] = byte(random.Uint32())
	}
	base := benchLayer(b, "usr/lib/data", data)
	hub := newHub(b, false)
	var wants []Want
	for i := range 20 {
		name, content := "app/server", program
		if i%2 == 1 {
			name, content = "app/start.sh", []byte("#!/bin/sh\nexec \"$@\"\n")
		}
		img, err := mutate.AppendLayers(newImage(b, "linux/amd64"), base, benchLayer(b, name, content),
			benchLayer(b, "etc/motd", fmt.Appendln(nil, i)))
		if err != nil {
			b.Fatal(err)
		}
		hub.push(b, img, fmt.Sprintf("app-%d:v1", i))
		wants = append(wants, Want{Image: fmt.Sprintf("%s/app-%d:v1", hub.host, i)})
	}
	look := func(b *testing.B, dir string) (read int64) {
		o := anonymous()
		o.CacheDir = dir
		results := ResolveAll(context.Background(), NewRegistry(o), wants)
		looker := NewLooker(InsideAlways, dir)
		looker.Prepare(results)
		var questions []Question
		for i, want := range wants {
			questions = append(questions, Question{Want: want, Paths: []string{[]string{"/app/server", "/app/start.sh"}[i%2]}})
		}
		looker.Answer(context.Background(), results, questions)
		looker.Close()
		for i, want := range wants {
			if f, known := results[want].Config.Files.Find(questions[i].Paths); !known || (f.Go == nil) != (f.Script != "") {
				b.Fatalf("%s: got %+v, %v", want.Image, f, known)
			}
		}
		return looker.Read()
	}
	report := func(b *testing.B, read int64) { b.ReportMetric(float64(read)/1024/float64(len(wants)), "KiB/image") }
	b.Run("cold", func(b *testing.B) {
		var read int64
		for b.Loop() {
			read = look(b, b.TempDir())
		}
		report(b, read)
	})
	b.Run("cached", func(b *testing.B) {
		dir := b.TempDir()
		look(b, dir)
		var read int64
		for b.Loop() {
			read = look(b, dir)
		}
		report(b, read)
	})
}

// benchLayer is a layer of one file.
func benchLayer(b *testing.B, name string, content []byte) v1.Layer {
	var t bytes.Buffer
	w := tar.NewWriter(&t)
	err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Mode: 0o755, Name: name, Size: int64(len(content))})
	if err == nil {
		_, err = w.Write(content)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		b.Fatal(err)
	}
	return static.NewLayer(gzipped(b, t.Bytes()), types.OCILayer)
}
