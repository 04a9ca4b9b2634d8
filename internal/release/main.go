// Command release makes what a release consists of, without publishing it: for each platform an archive with the
// program, its licence and its README, a software bill of materials for each, checksums, and a manifest for Krew.
//
//	go run ./internal/release -o dist/release
//
// Version and time are those of the commit, as Go stamps them: of a commit with a tag the tag. The same commit and the
// same Go toolchain give the same bytes.
package main

import (
	"context"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	program = "debuggable"
	module  = "debuggable.dev/debuggable"
)

// platforms are those that archives are made for.
func platforms() []string {
	return []string{"linux/amd64", "linux/arm64", "darwin/amd64", "darwin/arm64", "windows/amd64", "windows/arm64"}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("release", flag.ContinueOnError)
	r := release{}
	wanted := flags.String("platforms", strings.Join(platforms(), ","), "comma-separated `platforms`")
	flags.StringVar(&r.dir, "o", "", "`directory` to write to")
	flags.StringVar(&r.source, "source", ".", "`directory` of the sources")
	flags.StringVar(&r.url, "url", "https://"+module+"/releases/download",
		"where the archives will be, without version and name")
	flags.StringVar(&r.tags, "tags", "", "build `tags`")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if r.dir == "" {
		return fmt.Errorf("-o is needed")
	}
	if err := os.MkdirAll(r.dir, 0o755); err != nil {
		return err
	}
	var made []artifact
	for _, platform := range strings.Split(*wanted, ",") {
		a, err := r.archive(ctx, platform)
		if err != nil {
			return fmt.Errorf("%s: %w", platform, err)
		}
		fmt.Fprintln(out, a.sum, a.name)
		made = append(made, a)
	}
	if err := r.writeKrew(made); err != nil {
		return err
	}
	return r.writeSums()
}

// release is where a release is made.
type release struct{ source, dir, url, tags string }

// artifact is one archive.
type artifact struct {
	name, sum        string
	os, architecture string
	version          string
}

// archive builds the program for a platform, and makes its archive and its bill of materials.
func (r release) archive(ctx context.Context, platform string) (artifact, error) {
	system, architecture, found := strings.Cut(platform, "/")
	if !found {
		return artifact{}, fmt.Errorf("want os/architecture")
	}
	temporary, err := os.MkdirTemp("", "release-")
	if err != nil {
		return artifact{}, err
	}
	defer os.RemoveAll(temporary)
	binary := filepath.Join(temporary, program)
	if system == "windows" {
		binary += ".exe"
	}
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-tags", r.tags, "-ldflags", "-s -w", "-o", binary, ".")
	build.Dir = r.source
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+system, "GOARCH="+architecture,
		"GOAMD64=v1", "GOARM64=v8.0", "GOFLAGS=", "GOEXPERIMENT=", "GOWORK=off")
	if said, err := build.CombinedOutput(); err != nil {
		return artifact{}, fmt.Errorf("go build: %w\n%s", err, said)
	}
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return artifact{}, err
	}
	a := artifact{os: system, architecture: architecture, version: info.Main.Version}
	number := strings.Trim(strings.TrimPrefix(a.version, "v"), "()") // without a version it is (devel)
	base := fmt.Sprintf("%s_%s_%s_%s", program, number, system, architecture)
	files := []string{binary, filepath.Join(r.source, "LICENSE"), filepath.Join(r.source, "README.md")}
	a.name = base + ".tar.gz"
	pack := tarball
	if system == "windows" {
		a.name, pack = base+".zip", zipFile
	}
	if err := r.write(a.name, func(w io.Writer) error { return pack(w, files, committed(info)) }); err != nil {
		return artifact{}, err
	}
	if a.sum, err = sha256File(filepath.Join(r.dir, a.name)); err != nil {
		return artifact{}, err
	}
	return a, r.write(base+".cdx.json", func(w io.Writer) error { return writeSBOM(w, info) })
}

// committed is when the commit was made that a program is built from; a fixed time where nothing says.
func committed(info *buildinfo.BuildInfo) time.Time {
	for _, s := range info.Settings {
		if s.Key == "vcs.time" {
			if t, err := time.Parse(time.RFC3339, s.Value); err == nil {
				return t.UTC()
			}
		}
	}
	return time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)
}

// write makes a file of the release.
func (r release) write(name string, content func(io.Writer) error) (err error) {
	f, err := os.Create(filepath.Join(r.dir, name))
	if err != nil {
		return err
	}
	defer func() {
		if cerr := f.Close(); err == nil {
			err = cerr
		}
	}()
	return content(f)
}

const sums = "SHA256SUMS"

// writeSums lists the checksums of all other files, as sha256sum --check reads them.
func (r release) writeSums() error {
	entries, err := os.ReadDir(r.dir)
	if err != nil {
		return err
	}
	var lines []string
	for _, e := range entries {
		if e.Name() == sums || e.IsDir() {
			continue
		}
		sum, err := sha256File(filepath.Join(r.dir, e.Name()))
		if err != nil {
			return err
		}
		lines = append(lines, sum+"  "+e.Name()+"\n")
	}
	slices.SortFunc(lines, func(a, b string) int { return strings.Compare(a[sha256.Size*2:], b[sha256.Size*2:]) })
	return r.write(sums, func(w io.Writer) error {
		_, err := io.WriteString(w, strings.Join(lines, ""))
		return err
	})
}

func sha256File(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
