package cli

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/tools/txtar"

	"debuggable.dev/debuggable/internal/image"
	"debuggable.dev/debuggable/runtimes"
)

// noEngine is a container engine that there is not, in place of one that the machine may have.
const noEngine = "unix:///nowhere/engine.sock"

func TestMain(m *testing.M) {
	if os.Getenv("DOCKER_HOST") == "" { // a script's own
		_ = os.Setenv("DOCKER_HOST", noEngine)
	}
	testscript.Main(m, map[string]func(){
		"debuggable": checkedMain, "kubectl-debuggable": main, completer: main, identity: identityMain,
		ourselves: measuredMain})
}

// TestScripts runs every testdata/**/*.txtar against the real main, and checks on each run that transforms manifests
// that it is idempotent and leaves alone what it does not edit (see checkedMain). UPDATE=1 writes what is printed back
// into the files that `cmp` compares with.
//
// Besides testscript's own commands the scripts have
//
//	layout DIR LOCKFILE [FOLDER]   an OCI image layout of a lock file's images, with a folder's files in them
//	archive FILE LOCKFILE [TAG]    a `docker save` tarball of a lock file's images
//	registry NAME LOCKFILE [USER PASSWORD]
//	                               a registry on loopback with a lock file's images; $NAME is its host, and $NAME.log
//	                               gets a line for each request
//	engine FILE LOCKFILE           a container engine with a lock file's images, which listens on a socket
//	status N PROGRAM ARG…          exec that wants this exit status
//	replace OLD NEW FILE           replace text in a file
//	timeless FILE                  replace in a file what another version of Go makes different: versions and digests
//	agree LOCKFILE FLAG…           inspect says of each of the images what becomes of a container that runs it
//	again FILE FLAG…               the program's output for FILE, read by the program again, must not change
func TestScripts(t *testing.T) {
	for _, dir := range scriptDirs(t) {
		t.Run(filepath.ToSlash(strings.TrimPrefix(dir, "../../testdata"+string(filepath.Separator))), func(t *testing.T) {
			testscript.Run(t, testscript.Params{
				Dir:                 dir,
				UpdateScripts:       os.Getenv("UPDATE") != "",
				RequireUniqueNames:  true,
				RequireExplicitExec: true,
				Setup: func(env *testscript.Env) error {
					env.Setenv("HOME", env.WorkDir)
					env.Setenv("XDG_CACHE_HOME", filepath.Join(env.WorkDir, ".cache"))
					env.Setenv("DOCKER_CONFIG", filepath.Join(env.WorkDir, ".docker"))
					env.Setenv("DOCKER_HOST", noEngine)
					return nil
				},
				Cmds: map[string]func(*testscript.TestScript, bool, []string){
					"layout": scriptLayout, "archive": scriptArchive, "registry": scriptRegistry, "again": scriptAgain,
					"status": scriptStatus, "replace": scriptReplace,
					"timeless": scriptTimeless, "agree": scriptAgree, "engine": scriptEngine,
				},
			})
		})
	}
}

// TestInterrupted: what is told to stop says so, and passes nothing half done for done.
func TestInterrupted(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	asked := make(chan struct{}, 100)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		<-r.Context().Done()
	}))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	pod := "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: a, image: java}, {name: b, " +
		"image: " + host + "/b}]}\n"
	lock := filepath.Join(t.TempDir(), "lock.yaml")
	if err := os.WriteFile(lock,
		[]byte("apiVersion: debuggable.dev/v1alpha1\nkind: ImageConfigs\nimages: [{image: java, config: {Cmd: [java]}}]\n"),
		0o600); err != nil {
		t.Fatal(err)
	}
	list := "apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nitems:\n- " +
		strings.ReplaceAll(strings.TrimSpace(pod), "\n", "\n  ") + "\n"
	for _, c := range []struct {
		args  []string
		stdin io.Reader // nil: one that never ends
	}{
		{nil, strings.NewReader(pod)},
		{nil, strings.NewReader(list)},
		{nil, nil},
		{[]string{"lock"}, strings.NewReader(pod)},
		{[]string{"lock"}, nil},
		{[]string{"inspect", "java", host + "/b"}, nil},
	} {
		ctx, cancel := context.WithCancelCause(t.Context())
		stdin := c.stdin
		if stdin == nil {
			var w io.Closer
			stdin, w = io.Pipe()
			defer w.Close()
		}
		if c.stdin == nil && len(c.args) < 2 {
			cancel(errors.New("told to stop"))
		} else {
			go func() {
				<-asked
				cancel(errors.New("told to stop"))
			}()
		}
		var out, errw bytes.Buffer
		status := run(ctx, append([]string{"debuggable", "--image-configs", lock}, c.args...), stdin, &out, &errw)
		if status != statusFailed || out.Len() > 0 || !strings.HasSuffix(errw.String(), ": told to stop\n") ||
			strings.Count(errw.String(), "\n") != 1 {
			t.Errorf("%q: exit status %d, %d bytes written, and said %q", c.args, status, out.Len(), errw.String())
		}
	}
}

// TestOnlyOurWordsOnStderr: the standard library's HTTP client says by itself what it finds strange, such as an answer
// that it has not asked for.
func TestOnlyOurWordsOnStderr(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	const answer = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				req, err := http.ReadRequest(bufio.NewReader(conn))
				if err != nil {
					_, _ = io.WriteString(conn, "this is no TLS\n\n")
					return
				}
				if strings.Contains(req.URL.Path, "slow") { // keeps the program waiting for a while
					time.Sleep(500 * time.Millisecond)
				}
				_, _ = io.WriteString(conn, answer)
				time.Sleep(50 * time.Millisecond) // until the connection is idle
				_, _ = io.WriteString(conn, answer)
			}()
		}
	}()
	host := listener.Addr().String()
	cmd := exec.Command(os.Args[0])
	cmd.Args = []string{"kubectl-debuggable", "inspect", host + "/a:v1", host + "/b:v1", host + "/slow:v1"}
	cmd.Env = append(os.Environ(), "XDG_CACHE_HOME="+t.TempDir(), "DOCKER_CONFIG="+t.TempDir())
	var errw bytes.Buffer
	cmd.Stderr = &errw
	if err := cmd.Run(); err == nil {
		t.Error("got no error")
	}
	for line := range strings.Lines(errw.String()) {
		if !strings.HasPrefix(line, "debuggable: ") {
			t.Errorf("stderr has %q", line)
		}
	}
}

// scriptDirs lists the folders under testdata that hold scripts.
func scriptDirs(t *testing.T) []string {
	files, err := filepath.Glob("../../testdata/*/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts in testdata (%v)", err)
	}
	var dirs []string
	for _, f := range files {
		dirs = append(dirs, filepath.Dir(f))
	}
	return slices.Compact(dirs)
}

// TestEveryRuntimeHasScripts keeps a new runtime from arriving without goldens.
func TestEveryRuntimeHasScripts(t *testing.T) {
	for _, r := range runtimes.All() {
		files, err := filepath.Glob(filepath.Join("../../testdata", r.Name(), "*.txtar"))
		if err != nil || len(files) == 0 {
			t.Errorf("runtime %s has no testdata/%s/*.txtar", r.Name(), r.Name())
		}
	}
}

// TestNoStaleFiles finds files in scripts that nothing in the script names, such as the want of a command that is gone.
func TestNoStaleFiles(t *testing.T) {
	scripts, err := filepath.Glob("../../testdata/*/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, script := range scripts {
		archive, err := txtar.ParseFile(script)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range archive.Files {
			folder, _, _ := strings.Cut(strings.TrimSuffix(file.Name, ".layers"), "/") // see layersOf
			named := bytes.Contains(archive.Comment, []byte(folder)) ||
				slices.ContainsFunc(archive.Files, func(other txtar.File) bool {
					return other.Name != file.Name && bytes.Contains(other.Data, []byte(folder))
				})
			if !named {
				t.Errorf("%s: nothing names %s", script, file.Name)
			}
			if len(file.Data) == 0 && strings.HasPrefix(file.Name, "want") {
				t.Errorf("%s: %s is empty; say `! stdout .` or `! stderr .` instead", script, file.Name)
			}
		}
	}
}

// lockedImages builds the images that a lock file describes: real ones, with one small layer, or those that layersOf
// makes.
func lockedImages(ts *testscript.TestScript, file string) map[string]v1.Image {
	entries, err := image.ParseImageConfigs([]byte(ts.ReadFile(file)), file)
	ts.Check(err)
	images, made := map[string]v1.Image{}, layersOf(ts, file+".layers")
	for _, e := range entries {
		platform := v1.Platform{OS: "linux", Architecture: "amd64"}
		if e.Platform != "" {
			p, err := v1.ParsePlatform(e.Platform)
			ts.Check(err)
			platform = *p
		}
		img, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{
			Author: e.Author, OS: platform.OS, Architecture: platform.Architecture, Variant: platform.Variant, Config: e.Config,
			RootFS: v1.RootFS{Type: "layers"},
		})
		ts.Check(err)
		layers := made[e.Image]
		if layers == nil {
			layers = append(layers, made[""]...)
		}
		if layers == nil {
			layers = append(layers, static.NewLayer([]byte("never to be fetched"), types.DockerLayer))
		}
		img, err = mutate.AppendLayers(img, layers...)
		ts.Check(err)
		images[e.Image] = img
	}
	return images
}

func scriptLayout(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 && len(args) != 3 {
		ts.Fatalf("usage: layout DIR LOCKFILE [FOLDER]")
	}
	path, err := layout.Write(ts.MkAbs(args[0]), empty.Index)
	ts.Check(err)
	images := lockedImages(ts, args[1])
	for _, ref := range sortedNames(images) {
		if len(args) == 3 {
			images[ref] = withFiles(ts, images[ref], ts.MkAbs(args[2]))
		}
		ts.Check(path.AppendImage(images[ref],
			layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": ref})))
	}
}

// withFiles replaces an image's layers by one with the files of a folder.
func withFiles(ts *testscript.TestScript, img v1.Image, folder string) v1.Image {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	ts.Check(w.AddFS(os.DirFS(folder)))
	ts.Check(w.Close())
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(b.Bytes())), nil
	})
	ts.Check(err)
	config, err := img.ConfigFile()
	ts.Check(err)
	config = config.DeepCopy()
	config.RootFS.DiffIDs = nil
	img, err = mutate.ConfigFile(empty.Image, config)
	ts.Check(err)
	img, err = mutate.AppendLayers(img, layer)
	ts.Check(err)
	return img
}

func scriptEngine(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: engine FILE LOCKFILE")
	}
	answers := map[string][]byte{}
	for ref, img := range lockedImages(ts, args[1]) {
		tag, err := name.NewTag(ref)
		ts.Check(err)
		config, err := img.ConfigFile()
		ts.Check(err)
		answers["/images/"+strings.Replace(tag.Name(), "index.docker.io/", "docker.io/", 1)+
			"/json"], err = json.Marshal(map[string]any{
			"RepoTags": []string{tag.Name()}, "Author": config.Author, "Os": config.OS, "Architecture": config.Architecture,
			"Config": config.Config,
		})
		ts.Check(err)
	}
	dir, err := os.MkdirTemp("", "engine") // a socket's path has 100 bytes at most
	ts.Check(err)
	ts.Defer(func() { _ = os.RemoveAll(dir) })
	listener, err := net.Listen("unix", filepath.Join(dir, "sock"))
	ts.Check(err)
	ts.Check(os.Symlink(filepath.Join(dir, "sock"), ts.MkAbs(args[0])))
	server := &httptest.Server{Listener: listener,
		Config: &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(
			func(w http.ResponseWriter, r *http.Request) {
				if answer, ok := answers[r.URL.Path]; ok {
					_, _ = w.Write(answer)
					return
				}
				http.NotFound(w, r)
			})}}
	server.Start()
	ts.Defer(server.Close)
}

func scriptArchive(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: archive FILE LOCKFILE")
	}
	tagged := map[name.Tag]v1.Image{}
	for ref, img := range lockedImages(ts, args[1]) {
		tag, err := name.NewTag(ref)
		ts.Check(err)
		tagged[tag] = img
	}
	ts.Check(tarball.MultiWriteToFile(ts.MkAbs(args[0]), tagged))
}

func scriptRegistry(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 && len(args) != 4 {
		ts.Fatalf("usage: registry NAME LOCKFILE [USER PASSWORD]")
	}
	inner := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	var mu sync.Mutex
	var log bytes.Buffer
	open := true // until the images are in, nobody is asked for a password and nothing is logged
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		serving := !open
		if serving {
			fmt.Fprintf(&log, "%s %s\n", r.Method, r.URL.Path)
			_ = os.WriteFile(ts.MkAbs(args[0]+".log"), log.Bytes(), 0o666)
		}
		mu.Unlock()
		if user, password, _ := r.BasicAuth(); serving && len(args) == 4 && (user != args[2] || password != args[3]) {
			w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
			http.Error(w, "unauthorized", http.StatusUnauthorized)
			return
		}
		inner.ServeHTTP(w, r)
	}))
	ts.Defer(server.Close)
	host := strings.TrimPrefix(server.URL, "http://")
	images := lockedImages(ts, args[1])
	for _, ref := range sortedNames(images) {
		parsed, err := name.ParseReference(ref)
		ts.Check(err)
		target, err := name.ParseReference(host + "/" + parsed.Context().RepositoryStr() + ":" + parsed.Identifier())
		ts.Check(err)
		ts.Check(remote.Write(target, images[ref], remote.WithTransport(http.DefaultTransport)))
	}
	mu.Lock()
	open = false
	mu.Unlock()
	ts.Setenv(args[0], host)
}

// scriptAgain checks that the transform is idempotent: its own output comes out as it went in.
func scriptAgain(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: again FILE FLAG…")
	}
	input := ts.ReadFile(args[0])
	workdir := ts.MkAbs(".")
	flags := append([]string{"debuggable"}, args[1:]...)
	once := runIn(ts, workdir, flags, input)
	twice := runIn(ts, workdir, flags, once)
	if once == input {
		ts.Fatalf("%s was not changed at all", args[0])
	}
	if once != twice {
		ts.Fatalf("a second run changed the output:\n%s\nbecame\n%s", once, twice)
	}
}

// scriptStatus runs a program that is to fail in one certain way.
func scriptStatus(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N PROGRAM ARG…")
	}
	got := "0"
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		got = strconv.Itoa(exit.ExitCode())
	}
	if got != args[0] {
		ts.Fatalf("exit status %s, want %s", got, args[0])
	}
}

// scriptReplace puts what is known at run time only, such as a registry's host, into a file.
func scriptReplace(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: replace OLD NEW FILE")
	}
	text := strings.ReplaceAll(ts.ReadFile(args[2]), args[0], args[1])
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), []byte(text), 0o666))
}

// runIn runs the program in-process; relative paths among the flags are taken from dir.
func runIn(ts *testscript.TestScript, dir string, args []string, input string) string {
	out, _ := runBoth(ts, dir, args, input)
	return out
}

// failer is a test, or a script of one.
type failer interface {
	Fatalf(format string, args ...any)
}

// runBoth runs the program in a directory, and returns what it writes to standard output and to standard error.
func runBoth(ts failer, dir string, args []string, input string) (stdout, stderr string) {
	for i, a := range args {
		if _, err := os.Stat(filepath.Join(dir, a)); err == nil && i > 0 {
			args[i] = filepath.Join(dir, a)
		}
	}
	var out, errw bytes.Buffer
	if status := run(context.Background(), args, strings.NewReader(input), &out, &errw); status != statusDone {
		ts.Fatalf("%q: exit status %d\n%s", args, status, errw.String())
	}
	return out.String(), errw.String()
}

func sortedNames(images map[string]v1.Image) []string {
	var names []string
	for n := range images {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// TestLongForeignTexts: what a manifest says is quoted in part, however often it is quoted.
func TestLongForeignTexts(t *testing.T) {
	long := strings.Repeat("x", 2<<20)
	var pod strings.Builder
	pod.WriteString("apiVersion: v1\nkind: Pod\nmetadata:\n  name: p\n  annotations: {debug.cloud.google.com/config: '" +
		long + "'}\nspec:\n  containers:\n")
	for i := range 200 {
		fmt.Fprintf(&pod, "  - {name: c%d, image: nginx}\n", i)
	}
	pod.WriteString("---\napiVersion: v1\nkind: Pod\nmetadata: {name: q}\nspec: {containers: [{name: c, image: '" + long +
		"'}]}\n")
	pod.WriteString("---\napiVersion: v1\nkind: Pod\nmetadata: {name: " + long + "}\nspec: {containers: [{name: " + long +
		", command: ['tini', '--" + long + "']}]}\n")
	for _, format := range []string{"text", "json"} {
		var out, errw bytes.Buffer
		run(t.Context(), []string{"debuggable", "--offline", "--report", format}, strings.NewReader(pod.String()),
			&out, &errw)
		if errw.Len() > 1000*203 || errw.Len() == 0 {
			t.Errorf("%s: %d bytes were said", format, errw.Len())
		}
	}
}
