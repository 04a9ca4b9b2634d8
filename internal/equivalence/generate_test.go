package equivalence

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"path"
	"slices"
	"strconv"
	"strings"
)

// unit is one container of a case, with its image.
type unit struct {
	Container container
	Image     imageConfig
	CNB       string // the launcher's /cnb.txt
	Buildpack string // its id
	Runtime   string // the one that a person would name; "" for none of ours
	App       string // the path of the program that is to be debugged; "" where that does not matter
	Class     []string
	Legit     string // why a person would accept that it is left alone; "" where one would not
	Unordered bool   // programs run at the same time
	Existing  bool   // a debugger is there already
	Trace     bool   // a shell writes down what it does
	// Files are the scripts of the image that are this unit's own, by path. Known says that the image's files are looked
	// into.
	Files map[string]string
	Known bool
	// AppUnknown says that nobody could tell by the command line which program is the application: "server; notify".
	AppUnknown bool

	needsWrapper bool   // a tool of Node's that starts the application in another node
	variable     bool   // its debugger is started by a variable
	inScript     string // why it may be left alone once the command is in a script
}

// testCase is a pod, and what is in the cluster around it.
type testCase struct {
	Seed        uint64
	Shell       string // what /bin/sh is
	Units       []unit
	Stores      []store
	Annotations map[string]string
	JSON        bool
	Suspend     bool     // debuggers wait for a client
	Protocols   []string // preferred
	Function    bool
}

type generator struct {
	*rand.Rand
	inside bool // every command stands behind a script of an image that is looked into
	u      *unit
	tc     *testCase
}

func (g *generator) one(options ...string) string { return options[g.IntN(len(options))] }
func (g *generator) chance(percent int) bool      { return g.IntN(100) < percent }
func (g *generator) class(name string)            { g.u.Class = append(g.u.Class, name) }
func (g *generator) legit(why string) {
	if g.u.Legit == "" {
		g.u.Legit = why
	}
}

// generate makes up a case. inside: every command stands behind a script of an image that is looked into.
func generate(seed uint64, inside bool) testCase {
	g := &generator{Rand: rand.New(rand.NewPCG(seed, 7)), inside: inside}
	tc := testCase{Seed: seed, Shell: g.one(shellNames()...), JSON: g.chance(20), Function: g.chance(20),
		Annotations: map[string]string{}}
	g.tc = &tc
	tc.Suspend = g.chance(8)
	if g.chance(10) {
		tc.Protocols = []string{"pydevd"}
	}
	n := 1
	if g.chance(12) {
		n = 2
	}
	for i := range n {
		u := unit{Container: container{Name: "c" + strconv.Itoa(i), Image: fmt.Sprintf("registry.example/app%d:v1", i)}}
		g.u = &u
		g.container()
		tc.Units = append(tc.Units, u)
	}
	return tc
}

// awkward words, as the program is to get them.
var awkward = []string{
	"a", "--port=8080", "--verbose", "-x", "--", "-", "", " ", "a b", "it's", `say "hi"`, "$HOME", "${HOME}", "$$",
	"$(HOSTNAME)", "$(KNOWN)", "$(SECRET)", "$(UNKNOWN)", "$$(KNOWN)", "$$$(KNOWN)", "$((1+2))", "a$", "$", "$(", "$(a b",
	"&", ";", "|", "a&b", "a;b", "a|b", ">f", "<f", "2>&1", `\`, `a\b`, `\n`, "a\nb", "\n", "\t", "ünï", "$é",
	"日本", "*.js", "?", "[a]", "{a,b}", "~", "~/x", "#x", "a#b", "!", "!x", "`id`", "'", `"`, "a=b", "A=1", "%s", "(", ")",
	"((", "-agentlib", "null", "true", "1", "0x1", "1e3", "yes", "~", "@x", ": ", "- a", "key: v", "é:", "--inspect-me",
	"=", "a,b",
}

func (g *generator) words(max int) []string {
	var out []string
	for range g.IntN(max + 1) {
		w := awkward[g.IntN(len(awkward))]
		if g.chance(15) {
			w += awkward[g.IntN(len(awkward))]
		}
		out = append(out, w)
	}
	return out
}

// container makes up one container.
func (g *generator) container() {
	u := g.u
	u.Runtime = g.one("go", "go", "jvm", "jvm", "nodejs", "nodejs", "nodejs", "python", "python", "netcore", "other")
	u.Image.WorkingDir = g.one("", "/app", "/srv", "/app")
	argv := g.program()
	if g.chance(9) && !g.inside {
		u.Image.Env, u.Container.Env, u.Container.EnvFrom, u.Legit, u.Class = nil, nil, nil, "", nil
		u.Image.Author = ""
		if strings.HasPrefix(g.tc.Annotations["debuggable.dev/runtime"], u.Container.Name+"=") {
			delete(g.tc.Annotations, "debuggable.dev/runtime")
		}
		switch k := g.IntN(5); {
		case k < 2:
			argv = g.server()
		case k < 4:
			argv = g.switches()
		default:
			argv = g.cases()
		}
	}
	if g.chance(25) {
		u.Container.WorkingDir = g.one("/app", "/srv", "/", "/my dir")
		if strings.HasPrefix(argv[0], "./") {
			u.Container.WorkingDir = "/app"
		}
	} else if strings.HasPrefix(argv[0], "./") {
		u.Image.WorkingDir = "/app"
	}
	g.environment()
	if g.chance(7) && !g.inside && u.Runtime != "other" && !slices.Contains(u.Class, "server") {
		if strings.HasPrefix(argv[0], "./") { // it is not in /workspace
			argv[0] = u.App
		}
		if g.chance(30) {
			argv = append(g.launcher(), argv...)
		} else if g.chance(30) {
			argv = g.script(argv)
		}
		g.buildpack(argv)
		g.finish()
		return
	}
	for _, layer := range g.layers() {
		switch layer {
		case "launcher":
			argv = append(g.launcher(), argv...)
		case "script":
			argv = g.script(argv)
		case "file":
			argv = g.scriptFile(argv)
		case "shell behind what is not known":
			argv = append(g.unknown(), g.script(argv)...)
		case "inside":
			argv = g.entryPoint(argv)
		}
	}
	g.place(argv)
	g.shared()
	if g.chance(12) {
		g.hooks()
	}
	g.finish()
}

// shared says where a person accepts that variables would reach others: suspended, or beside Node in another process.
func (g *generator) shared() {
	u := g.u
	beside := slices.ContainsFunc(u.Class, func(c string) bool {
		return strings.HasPrefix(c, "script:background") ||
			c == "script:pipe"
	})
	script := slices.ContainsFunc(u.Class, func(c string) bool { return strings.HasPrefix(c, "script:") })
	if g.byVariable() && !u.Existing && (beside || script && g.tc.Suspend) {
		g.legit("variables that others would get")
	}
	if u.Runtime == "jvm" && slices.Contains(u.Class, "server") &&
		(slices.Contains(u.Class, "option:optional") || slices.Contains(u.Class, "option:missing")) {
		g.legit("variable from an optional Secret")
	}
	if u.needsWrapper && !u.Existing && slices.Contains(u.Class, "login") {
		g.legit("login shell that sets PATH")
	}
}

// layers says what is put around the program, from the inside out.
func (g *generator) layers() []string {
	var layers []string
	for range [...]int{0, 0, 0, 1, 1, 1, 1, 2, 2, 3}[g.IntN(10)] {
		layers = append(layers, g.one("launcher", "launcher", "script", "script", "script"))
	}
	if g.inside {
		return append(layers[:min(len(layers), 1)], "inside")
	}
	switch {
	case g.chance(6):
		layers = append(layers, "file")
	case g.chance(4):
		layers = append(layers, "shell behind what is not known")
	}
	return layers
}

// program makes up the application's command line and the signs of its runtime.
func (g *generator) program() []string {
	u := g.u
	args := g.words(3)
	env := func(kv ...string) { u.Image.Env = append(u.Image.Env, g.one(kv...)) }
	existing := g.chance(7)
	u.Existing = existing && u.Runtime != "netcore" && u.Runtime != "other"
	if u.Existing {
		g.class("existing")
	}
	switch u.Runtime {
	case "go":
		program := g.one("/app/server", "/usr/local/bin/gosrv", "/ko-app/web", "/manager", "/workspace/main",
			"/app/my server", "./server", "gosrv")
		u.App = program
		switch program {
		case "./server":
			u.App = "/app/server"
		case "gosrv":
			u.App = "/usr/local/bin/gosrv"
			if !u.Existing {
				g.legit("Go program without a slash")
			}
		}
		switch g.IntN(6) {
		case 0:
			u.Image.Author = "github.com/google/ko"
			u.Image.Env = append(u.Image.Env, "KO_DATA_PATH=/var/run/ko")
		case 1:
			env("KO_DATA_PATH=/var/run/ko")
		case 2:
			u.Container.Env = append(u.Container.Env, envVar{Name: "GOMEMLIMIT", Value: "100MiB"})
		case 3:
			g.tc.Annotations["debuggable.dev/runtime"] = u.Container.Name + "=go"
			if len(g.tc.Units) > 0 {
				env("GODEBUG=x=1")
			}
		default:
			env("GOTRACEBACK=all", "GOGC=50", "GODEBUG=madvdontneed=1")
		}
		if u.Existing {
			u.App = strings.TrimPrefix(u.App, "./")
			listen := [][]string{{"--listen=:2345"}, {"--listen", "127.0.0.1:2345"}, {"-l", ":2345"}, {"-l=:2345"},
				{"--listen=[::]:2345"}, nil}[g.IntN(6)]
			line := append([]string{g.one("dlv", "/usr/local/bin/dlv", "/dbg/go/bin/dlv"), "exec", "--headless"}, listen...)
			line = append(line, "--api-version=2", "--accept-multiclient", "--continue", u.App, "--")
			return append(line, args...)
		}
		return append([]string{program}, args...)
	case "jvm":
		program := g.one("java", "java", "/usr/bin/java", "/opt/java/openjdk/bin/java")
		u.App = program
		if program == "java" {
			u.App = "/usr/bin/java"
		}
		if g.chance(50) {
			env("JAVA_VERSION=21", "JAVA_HOME=/opt/java/openjdk", "LANG=C")
		}
		line := []string{program}
		if u.Existing && g.chance(60) {
			line = append(line, g.one("-agentlib:jdwp=transport=dt_socket,server=y,suspend=n,address=*:8000",
				"-Xrunjdwp:transport=dt_socket,server=y,suspend=n,address=8000",
				"-agentlib:jdwp=transport=dt_socket,server=y,address=0.0.0.0:8000,suspend=n"))
		} else if u.Existing && g.chance(30) {
			u.Container.Env = append(u.Container.Env,
				envVar{Name: g.one("JDK_JAVA_OPTIONS", "_JAVA_OPTIONS"),
					Value: "-agentlib:jdwp=transport=dt_socket,server=y,suspend=n,address=*:8000"})
		} else if u.Existing && g.chance(40) {
			line = append(g.assigning("JAVA_TOOL_OPTIONS",
				"-agentlib:jdwp=transport=dt_socket,server=y,suspend=n,address=*:8000"), line...)
		} else if u.Existing {
			g.option("JAVA_TOOL_OPTIONS", "-Xmx1g -agentlib:jdwp=transport=dt_socket,server=y,suspend=n,address=*:8000", true)
		}
		for range g.IntN(3) {
			line = append(line, g.one("-Xmx512m", "-Dfile.encoding=UTF-8", "-Dx=a b", "-XX:+UseG1GC", "-ea", "-Dp=$(KNOWN)"))
		}
		line = append(line, [][]string{{"-jar", "app.jar"}, {"-cp", "/app:/app/lib/*", "com.example.Main"},
			{"-cp", "@/app/jib-classpath-file", "Main"}}[g.IntN(3)]...)
		return append(line, args...)
	case "nodejs":
		u.App = "/usr/local/bin/node"
		if g.chance(70) {
			env("NODE_VERSION=22.1.0", "NODE_ENV=production")
		}
		var line []string
		switch k := g.IntN(13); {
		case k == 12 && !u.Existing: // what is no command is node's
			line = append([]string{g.one("docker-entrypoint.sh", "/usr/local/bin/docker-entrypoint.sh")},
				[][]string{{"server.js"}, {"--enable-source-maps", "server.js"}, {"--", "server.js"},
					{"dist/main.mjs"}}[g.IntN(4)]...)
			u.Image.Env = append(u.Image.Env, "NODE_VERSION=22.1.0")
			g.class("node-entrypoint")
		case k < 6 || u.Existing:
			line = []string{g.one("node", "node", "/usr/local/bin/node")}
			if u.Existing && g.chance(60) {
				line = append(line, g.one("--inspect", "--inspect=9300", "--inspect=0.0.0.0:9300", "--inspect-brk=127.0.0.1:9300"))
			} else if u.Existing && g.chance(40) {
				line = append(g.assigning("NODE_OPTIONS", g.one("--inspect=0.0.0.0:9300", "--no-warnings --inspect-brk=9300")),
					line...)
			} else if u.Existing {
				g.option("NODE_OPTIONS", g.one("--inspect=0.0.0.0:9300", "--max-old-space-size=512 --inspect=9300"), true)
			}
			for range g.IntN(2) {
				line = append(line, g.one("--enable-source-maps", "--max-old-space-size=512", "-r", "--no-deprecation"))
			}
			if line[len(line)-1] == "-r" {
				line = append(line, "dotenv/config")
			}
			line = append(line, g.one("server.js", "/app/server.js", "dist/main.mjs", "."))
		case k == 6 || k == 7:
			line = [][]string{{"npm", "start"}, {"npm", "run", "start"}, {"/usr/local/bin/npm", "run", "serve"},
				{"npm", "--silent", "start"}, {"npm", "start", "--"}}[g.IntN(5)]
			if line[len(line)-1] != "--" && len(args) > 0 {
				line = append(line, "--") // npm looks at all words in front of it
			}
			g.class("npm")
		case k == 8:
			line = [][]string{{"yarn", "start"}, {"pnpm", "run", "start"}}[g.IntN(2)]
			if len(args) > 0 {
				line = append(line, "--")
			}
			g.class("yarn")
		case k == 9:
			line = [][]string{{"nodemon", "server.js"}, {"nodemon", "-w", "src", "server.js"}}[g.IntN(2)]
			g.class("nodemon")
		case k == 10:
			line = [][]string{{"npx", "tsx", "server.ts"}, {"npx", "--yes", "next", "start"}, {"tsx", "server.ts"}}[g.IntN(3)]
			g.class("npx")
		default:
			line = [][]string{{"next", "start"}, {"ts-node", "src/server.ts"}}[g.IntN(2)]
			g.class("next")
		}
		if slices.Contains([]string{"npm", "yarn", "pnpm", "npx", "tsx", "nodemon"},
			line[0][strings.LastIndexByte(line[0], '/')+1:]) {
			u.needsWrapper = true
		}
		u.variable = path.Base(line[len(line)-1]) != "node" &&
			!slices.Contains([]string{"node", "nodemon"}, path.Base(line[0])) && line[0] != "env"
		if path := line[0]; !strings.HasSuffix(path, "node") && !strings.HasSuffix(path, "docker-entrypoint.sh") {
			u.App = "node"
		}
		return append(line, args...)
	case "python":
		if g.chance(60) {
			env("PYTHON_VERSION=3.12", "PYTHONUNBUFFERED=1")
		}
		program := g.one("python", "python3", "/usr/local/bin/python3", "/usr/bin/python3", "python3.12")
		line := []string{program}
		if u.Existing {
			line = append(line, [][]string{{"-m", "debugpy", "--listen", "0.0.0.0:5700"}, {"-mdebugpy", "--listen", "5700"},
				{"-u", "-m", "ptvsd", "--port", "5700", "--host", "0.0.0.0"}}[g.IntN(3)]...)
			line = append(line, "app.py")
		} else if g.chance(30) {
			line = [][]string{{"gunicorn", "-b", ":8080", "app:app"}, {"uvicorn", "main:app"}, {"/usr/local/bin/flask", "run"},
				{"celery", "-A", "x", "worker"}}[g.IntN(4)]
		} else {
			if g.chance(30) {
				line = append(line, g.one("-u", "-O", "-uB", "-Wignore"))
			}
			line = append(line, [][]string{{"app.py"}, {"-m", "app"}, {"/app/main.py"}, {"-c", "print('a b')"}}[g.IntN(4)]...)
		}
		u.App = line[0]
		return append(line, args...)
	case "netcore":
		line := [][]string{{"dotnet", "app.dll"}, {"/usr/bin/dotnet", "/app/app.dll"}, {"/app/MyApp"}}[g.IntN(3)]
		u.App = line[0]
		if line[0] == "/app/MyApp" || g.chance(40) {
			env("DOTNET_RUNNING_IN_CONTAINER=true", "DOTNET_VERSION=8.0.1", "ASPNETCORE_URLS=http://+:8080")
		}
		if g.chance(15) {
			u.Image.Env = append(u.Image.Env, g.one("DOTNET_EnableDiagnostics=0", "COMPlus_EnableDiagnostics=0"))
		}
		return append(line, args...)
	}
	g.legit("no runtime of ours")
	if g.chance(40) {
		env("NODE_ENV=production", "JAVA_HOME=/x", "GOGC=50", "PYTHONPATH=/x")
	}
	line := [][]string{{"nginx", "-g", "daemon off;"}, {"ruby", "app.rb"}, {"puma"}, {"php-fpm"},
		{"sleep", "1"}}[g.IntN(5)]
	u.App = line[0]
	return append(line, args...)
}

// assigning sets an options variable on the way to the program.
func (g *generator) assigning(name, value string) []string {
	if g.chance(50) {
		return []string{"env", name + "=" + value}
	}
	g.class("existing:script")
	script := g.one(`export N="$N V"; exec "$0" "$@"`, `N="$N V" exec "$0" "$@"`,
		`[ -z "$no" ] && export N="V"; "$0" "$@"`, `if true; then N="V"; export N; fi; exec "$0" "$@"`)
	return []string{"sh", "-c", strings.NewReplacer("N", name, "V", value).Replace(script)}
}

// option gives an options variable a value from one of the places where it can come from.
func (g *generator) option(name, value string, known bool) {
	u := g.u
	kind := g.one("image", "literal", "literal", "reference", "secret", "optional", "missing", "configmap", "configFrom",
		"configFromHidden", "prefixed", "secretFrom", "twice")
	if known {
		kind = g.one("image", "literal", "configFrom", "reference")
	}
	stored := func(kind string, data map[string]string, inItems bool) string {
		s := store{Kind: kind, Name: strings.ToLower(kind) + strconv.Itoa(len(g.tc.Stores)), Data: data, InItems: inItems}
		g.tc.Stores = append(g.tc.Stores, s)
		return s.Name
	}
	yes := true
	c := &u.Container
	add := func(e envVar) { c.Env = append(c.Env, e) }
	switch kind {
	case "image":
		u.Image.Env = append(u.Image.Env, name+"="+value)
	case "literal":
		add(envVar{Name: name, Value: strings.ReplaceAll(value, "$", "$$")})
	case "reference":
		add(envVar{Name: "BASE_OPTIONS", Value: value})
		add(envVar{Name: name, Value: "$(BASE_OPTIONS)"})
	case "secret", "optional", "missing":
		ref := &keyRef{Name: stored("Secret", map[string]string{"opts": value}, false), Key: "opts"}
		if kind != "secret" {
			ref.Optional = &yes
			if u.Runtime != "jvm" {
				g.legit("variable from an optional Secret")
			}
		}
		if kind == "missing" {
			ref.Key = "nope"
			if g.chance(50) {
				u.Image.Env = append(u.Image.Env, name+"="+value)
			}
		}
		add(envVar{Name: name, From: &valueFrom{Secret: ref}})
	case "configmap":
		add(envVar{Name: name, From: &valueFrom{ConfigMap: &keyRef{Name: stored("ConfigMap", map[string]string{"opts": value},
			g.chance(50)), Key: "opts"}}})
	case "configFrom", "configFromHidden":
		c.EnvFrom = append(c.EnvFrom, envFrom{ConfigMap: &nameRef{Name: stored("ConfigMap",
			map[string]string{name: value, "OTHER": "x$(KNOWN)"}, kind == "configFrom")}})
	case "prefixed":
		before, after, _ := strings.Cut(name, "_")
		c.EnvFrom = append(c.EnvFrom, envFrom{Prefix: before + "_",
			ConfigMap: &nameRef{Name: stored("ConfigMap", map[string]string{after: value}, true)}})
	case "secretFrom":
		c.EnvFrom = append(c.EnvFrom, envFrom{Secret: &nameRef{Name: stored("Secret", map[string]string{name: value},
			g.chance(50))}})
	case "twice":
		add(envVar{Name: name, Value: "-first"})
		add(envVar{Name: name, Value: value})
	}
	g.class("option:" + kind)
}

// environment makes up variables that have nothing to do with debugging, and those that have.
func (g *generator) environment() {
	u := g.u
	c := &u.Container
	if g.chance(80) {
		u.Image.Env = append(u.Image.Env, "PATH="+g.one(defaultPath, "/app/bin:"+defaultPath,
			"/opt/java/openjdk/bin:"+defaultPath, "/usr/local/bin:/usr/bin:/bin:/sbin"))
	}
	c.Env = append(c.Env, envVar{Name: "KNOWN", Value: g.one("known", "a b", "x", "$(HOSTNAME)", "it's $$HOME", "1")})
	if g.chance(30) {
		g.tc.Stores = append(g.tc.Stores, store{Kind: "Secret", Name: "secret-" + c.Name,
			Data: map[string]string{"token": g.one("s3cret", "a b", "x;y", "--flag", "it's")}, InItems: g.chance(30)})
		c.Env = append(c.Env, envVar{Name: "SECRET",
			From: &valueFrom{Secret: &keyRef{Name: "secret-" + c.Name, Key: "token"}}})
	}
	if g.chance(30) {
		c.Env = append(c.Env, envVar{Name: "POD_NAME", From: &valueFrom{Field: &fieldRef{FieldPath: "metadata.name"}}},
			envVar{Name: "X", Value: "$(POD_NAME)-$(KNOWN)-$$(KNOWN)"})
	}
	if g.chance(20) {
		c.Env = append(c.Env, envVar{Name: "AWKWARD", Value: awkward[g.IntN(len(awkward))]})
	}
	if g.chance(10) {
		u.Image.Env = append(u.Image.Env, "MODE="+g.one("prod", "$HOME", "$(KNOWN)", "a b"))
	}
	if g.chance(4) {
		c.Env = append(c.Env, envVar{Name: "PATH",
			Value: g.one(defaultPath+":$(PATH)", "/app/bin:"+defaultPath, "$(KNOWN):"+defaultPath)})
	}
	defer func() {
		if g.chance(5) {
			c.Env = append(c.Env, envVar{Name: "COPY", Value: "x $(JAVA_TOOL_OPTIONS) $(NODE_OPTIONS) $(PATH)"})
			g.legit("variable that another one refers to")
		}
		if g.chance(3) {
			for i, j := len(c.Env)-1, g.IntN(len(c.Env)); i != j; i = j { // another order
				c.Env[i], c.Env[j] = c.Env[j], c.Env[i]
			}
		}
	}()
	if u.Existing {
		return
	}
	switch u.Runtime {
	case "jvm":
		if g.chance(45) {
			g.option("JAVA_TOOL_OPTIONS", g.one("-Xmx1g", "-Dx=1 -Dy=2", "-Dx=$(KNOWN)", "-Dp=$$", "-Dz=${HOME}", ""), false)
		}
	case "nodejs":
		if g.chance(40) {
			g.option("NODE_OPTIONS", g.one("--max-old-space-size=256", "--enable-source-maps --no-warnings", "-r dotenv/config",
				"", "--require \"./a b.js\""), false)
		}
		if g.chance(8) {
			g.option("PATH", "/app/bin:"+defaultPath, false)
		}
	}
}

// launcher makes up a launcher with its options.
func (g *generator) launcher() []string {
	lines := [][]string{
		{"tini", "--"}, {"tini"}, {"/sbin/tini", "-g", "--"}, {"/usr/bin/tini", "-s", "-v", "--"},
		{"tini", "-e", "143", "--"}, {"/sbin/tini", "-p", "SIGTERM", "--"}, {"tini", "-wg", "--"},
		{"dumb-init"}, {"dumb-init", "--"}, {"/usr/bin/dumb-init", "-c", "--"}, {"dumb-init", "--rewrite", "15:3", "--"},
		{"dumb-init", "-r", "15:3"}, {"/sbin/docker-init", "--"},
		{"catatonit", "--"}, {"env", "A=B"}, {"env", "A=B", "C=d e"}, {"/usr/bin/env"}, {"env", "-u", "MODE"},
		{"env", "--unset=MODE", "A=$HOME"}, {"env", "--"}, {"env", "--", "A=1"}, {"env", "-C", "/app/sub"},
		{"env", "-i", "PATH=" + defaultPath, "HOME=/x"}, {"env", "-", "PATH=" + defaultPath}, {"nice"}, {"nice", "-n", "5"},
		{"nice", "-n5"}, {"nice", "-5"}, {"nice", "--adjustment=5"}, {"nohup"}, {"setsid"}, {"setsid", "-w"},
		{"stdbuf", "-oL"}, {"stdbuf", "-o", "L", "-e0"}, {"stdbuf", "--output=L"}, {"chpst", "-u", "app"},
		{"chpst", "-u", "app:app", "-P"}, {"su-exec", "app:app"}, {"/sbin/su-exec", "1000"}, {"gosu", "app"},
		{"/usr/local/bin/gosu", "1000:1000"},
		{"setpriv", "--reuid=1000", "--regid=1000", "--clear-groups", "--"}, {"setpriv", "--reuid", "1000", "--init-groups"},
		{"docker-entrypoint.sh"}, {"/usr/local/bin/docker-entrypoint.sh"}, {"/docker-entrypoint.sh"}, {"bundle", "exec"},
		{"wait-for-it", "db:5432", "--"}, {"/app/wait-for-it.sh", "db:5432", "-t", "30", "--"},
		{"env", "NODE_ENV=production"}, {"env", "JAVA_TOOL_OPTIONS=-Xmx2g"}, {"env", "NODE_OPTIONS=--no-warnings"},
		{"catatonit", "-g", "--"}, {"catatonit"}, {"nice", "nohup"}, {"timeout", "60"}, {"timeout", "-s", "INT", "60"},
		{"ionice", "-c2"}, {"busybox", "nice"}, {"/bin/busybox", "env", "A=B"},
	}
	if g.u.Runtime == "python" {
		lines = append(lines, []string{"opentelemetry-instrument"},
			[]string{"opentelemetry-instrument", "--traces_exporter", "console"},
			[]string{"opentelemetry-instrument", "--traces_exporter=console"},
			[]string{"poetry", "run"}, []string{"poetry", "-q", "run"}, []string{"pipenv", "run"}, []string{"uv", "run"},
			[]string{"uv", "run", "--no-sync"}, []string{"uv", "run", "--"}, []string{"uv", "run", "--python", "3.12", "--"})
	}
	switch k := g.IntN(25); {
	case k == 0:
		return g.unknown()
	case k == 1:
		return g.sudo()
	}
	line := lines[g.IntN(len(lines))]
	if g.u.Runtime == "nodejs" && g.u.App == "node" && len(line) > 1 && strings.HasPrefix(line[1], "NODE_OPTIONS=") {
		g.u.inScript = "variable that is set in a script" // a second word for env would need quotes there
	}
	g.class("launcher:" + strings.TrimPrefix(line[0][strings.LastIndexByte(line[0], '/')+1:], "/"))
	return slices.Clone(line)
}

// quote writes a word for a shell, in one of the ways that people use.
func (g *generator) quote(w string) string {
	plain := w != "" && strings.Trim(w, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/_.:=,+@%-") == ""
	if plain && !g.chance(15) {
		return w
	}
	single := "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
	double := `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "$", `\$`, "`", "\\`").Replace(w) + `"`
	switch k := g.IntN(10); {
	case k < 4:
		return single
	case k < 8:
		return double
	case w != "" && !strings.Contains(w, "\n") && (len(w) < 12 || g.chance(10)): // nobody writes a script like this
		var b strings.Builder
		for _, r := range w {
			if r < 128 && !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/_.-", r) {
				b.WriteByte('\\')
			}
			b.WriteRune(r)
		}
		return b.String()
	case len(w) > 1 && w[0] < 128 && !strings.Contains(w[:1], "'"):
		return "'" + w[:1] + "'" + `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "$", `\$`, "`", "\\`").Replace(w[1:]) + `"`
	}
	return single
}

// dynamic are words whose value only the shell knows.
var dynamic = []string{
	`$HOME`, `"$HOME"`, `"${VAR:-x}"`, `--opt=${VAR:-x}`, `${MODE}`, `$(hostname)`, "`hostname`", `"$(echo 'a b')"`,
	`"$KNOWN"`, `$KNOWN`, `$((1+2))`, `"a $KNOWN b"`, `~`, `*.none`, `"${HOME}/x"`, `'$HOME'`, `"$@"`, `$@`,
	`"$1"`, `"${1:-none}"`, `--port="$PORT"`, `$#`, `"$0"`, `\$HOME`, `{a,b}`, `"'"`, `${HOME%/*}`, `"${KNOWN#a}"`,
	`$UNSET`, `""$UNSET`, `-D"x y"=z`, `$(cat /tmp/in)`, `$(KNOWN)`, `"$(SECRET)"`,
}

// script puts the command into a shell script.
func (g *generator) script(argv []string) []string {
	var positional []string
	if g.chance(25) {
		positional = append([]string{g.one("sh", "--", "app", "_", "")}, g.words(3)...)
	}
	words := make([]string, len(argv))
	for i, w := range argv {
		words[i] = g.quote(w)
	}
	for range [...]int{0, 0, 0, 1, 2}[g.IntN(5)] {
		words = append(words, dynamic[g.IntN(len(dynamic))])
	}
	if strings.HasSuffix(argv[0], "java") && g.u.Runtime == "jvm" && g.chance(12) {
		words[0] = g.one(`"$JAVA_HOME/bin/java"`, "$JAVA_HOME/bin/java", "${JAVA_HOME}/bin/java",
			`"${JAVA_HOME:-/opt/java/openjdk}/bin/java"`)
		g.u.Image.Env = append(g.u.Image.Env, "JAVA_HOME=/opt/java/openjdk")
		g.u.App = "java"
		g.class("script:java-home")
	} else if g.chance(3) && !g.u.Existing {
		words[0] = g.one(`"${APP:-`+argv[0]+`}"`, "$(command -v "+argv[0]+")", "`command -v "+argv[0]+"`",
			`"$(command -v `+argv[0]+`)"`)
		g.legit("program that is known at run time only")
	}
	sep := " "
	if g.chance(8) {
		sep = " \\\n  "
	} else if g.chance(5) {
		sep = "  \t"
	}
	c := strings.Join(words, sep)
	type template struct {
		name, text string
		legit      string
		unordered  bool
	}
	const loop, background, conditional, builtin = "the program runs in a loop", "background job",
		"conditional around the program", "the script ends with something else"
	templates := []template{
		{"plain", c, "", false}, {"plain", c, "", false}, {"plain", c + "\n", "", false}, {"exec", "exec " + c, "", false},
		{"exec", "exec " + c, "", false}, {"exec", "exec  " + c + "\n", "", false},
		{"and", "migrate && exec " + c, "", false}, {"and", "migrate up && " + c, "", false},
		{"and", "migrate 'a b' && setup && " + c, "", false}, {"and", "[ -d /app ] && " + c, "", false},
		{"and", "fails && exec " + c, "", false},
		{"sequence", "migrate; exec " + c, "", false}, {"sequence", "set -e; migrate; exec " + c, "", false},
		{"sequence", "set -eu\nmigrate up\nsetup\nexec " + c + "\n", "", false},
		{"sequence", "set -e; fails; exec " + c, "", false},
		{"sequence", "sleep 1; " + c, "", false}, {"sequence", "echo starting; exec " + c, "", false},
		{"sequence", "echo \"$HOME $KNOWN\"; " + c, "", false}, {"sequence", "umask 022; ulimit -c 0; exec " + c, "", false},
		{"cd", "cd /srv && " + c, "", false}, {"cd", "cd /app; exec " + c, "", false},
		{"cd", "cd \"/my dir\" && exec " + c, "", false}, {"cd", "cd app && " + c, "", false},
		{"assign", "X=1 exec " + c, "", false}, {"assign", "X='a b' Y=$HOME " + c, "", false},
		{"assign", "X=1; Y=2; " + c, "", false}, {"assign", "X=\"$KNOWN\" " + c, "", false},
		{"export", "export X=1; exec " + c, "", false}, {"export", "export X=1 Y=2 && " + c, "", false},
		{"export", "X=1\nexport X\n" + c, "", false}, {"export", "export PATH=/app/bin:$PATH; exec " + c, "", false},
		{"export", "unset MODE; exec " + c, "", false},
		{"export", "export NODE_OPTIONS=\"$NODE_OPTIONS --no-warnings\"; exec " + c, "", false},
		{"export", "export JAVA_TOOL_OPTIONS=\"$JAVA_TOOL_OPTIONS -Dx=1\"; exec " + c, "", false},
		{"export", "JAVA_TOOL_OPTIONS=-Xmx2g " + c, "", false}, {"export", "NODE_OPTIONS=--no-warnings " + c, "", false},
		{"redirect", c + " 2>&1 > /tmp/f", "", false}, {"redirect", c + " >/tmp/f 2>&1", "", false},
		{"redirect", "exec " + c + " </tmp/in", "", false}, {"redirect", "> out.log " + c, "", false},
		{"redirect", c + " >\"/tmp/x y\"", "", false}, {"redirect", "exec 2>&1; exec " + c, "", false},
		{"redirect", "exec >/tmp/f; exec " + c, "", false}, {"redirect", c + " 1>&2", "", false},
		{"redirect", "2>/dev/null " + c, "", false},
		{"comment", "# start\n\nexec " + c + " # now\n", "", false},
		{"comment", "#!/bin/sh\n# it's \"quoted\nset -e\n" + c, "", false},
		{"heredoc", c + " <<EOF\nhello $HOME\nEOF\n", "", false}, {"heredoc", c + " <<'EOF'\nit's $HOME\nEOF", "", false},
		{"heredoc", "cat <<-EOF >/tmp/f\n\tx $KNOWN\n\tEOF\nexec " + c, "", false},
		{"subshell", "( " + c + " )", "", false}, {"subshell", "(cd /srv && " + c + ")", "", false},
		{"subshell", "(cd /srv; migrate); exec " + c, "", false}, {"block", "{ " + c + "; }", "", false},
		{"block", "{ migrate; setup; } && exec " + c, "", false},
		{"pipe", c + " | cat", "", true}, {"pipe", c + " 2>&1 | tee out.log", "", true},
		{"pipe", "echo hi | " + c, "", false}, {"pipe", "cat /tmp/in | " + c, "", true},
		{"pipe", "echo x | migrate; exec " + c, "", false},
		{"or", c + " || fails", conditional, false}, {"or", "fails || migrate; exec " + c, "", false},
		{"or", "migrate || exit 1; exec " + c, "", false}, {"or", "fails || exec " + c, conditional, false},
		{"or", "migrate || " + c, conditional, false}, {"or", "fails || true; " + c, "", false},
		{"or", "fails && migrate || setup; " + c, "", false},
		{"loop", "for i in 1 2; do " + c + "; done", loop, false}, {"loop", "while ! " + c + "; do break; done", loop, false},
		{"loop-before", "until waitfor db; do sleep 1; done; exec " + c, "", false},
		{"loop-before", "for i in a b; do migrate $i; done\nexec " + c, "", false},
		{"loop-before", "while fails; do sleep 1; done && " + c, "", false},
		{"background", c + " &\nwait", background, true}, {"background", c + " & pid=$!; wait $pid", background, true},
		{"background-before", "notify & exec " + c, "", true}, {"background-before", "(sleep 1; notify) & " + c, "", true},
		{"if-around", "if true; then " + c + "; fi", conditional, false},
		{"if-around", "if [ -n \"$NOPE\" ]; then migrate; else exec " + c + "; fi", conditional, false},
		{"case-around", "case \"$KNOWN\" in *) exec " + c + ";; esac", conditional, false},
		{"if-before", "if [ -n \"$KNOWN\" ]; then migrate; fi; exec " + c, "", false},
		{"if-before", "if ! migrate; then exit 1; fi\nexec " + c, "", false},
		{"case-before", "case \"$MODE\" in prod) migrate;; *) setup;; esac; exec " + c, "", false},
		{"if-before", "[ -n \"$NOPE\" ] && migrate; exec " + c, "", false},
		{"function", "run() { " + c + "; }; run", "program in a function", false},
		{"function-before", "f() { migrate \"$@\"; }\nf x\nexec " + c, "", false},
		{"trap", "trap 'echo bye' EXIT; " + c, "", false}, {"trap", "trap : TERM; exec " + c, "", false},
		{"eval", "eval " + g.quoteSingle(c), "eval", false}, {"source", ". /app/env.sh; exec " + c, "", false},
		{"source", ". /app/env.sh && " + c, "", false},
		{"command", "command " + c, "", false}, {"not", "! " + c, "", false}, {"after", c + "; echo done", builtin, false},
		{"after", c + "; exit $?", "", false}, {"after", c + "; rc=$?; echo ended $rc; exit $rc", "", false},
		{"after", c + "; if [ $? -ne 0 ]; then echo failed; exit 3; fi", "", false},
		{"sequence", "hash -r; exec " + c, "", false}, {"after", c + " && echo ok", builtin, false},
		{"after", c + "; notify done", builtin, false}, {"after", c + " && notify ok", builtin, false},
		{"shift", "shift; exec " + c, "", false}, {"default", "PORT=${PORT:-8080}; exec " + c + " --port $PORT", "", false},
		{"default", ": ${X:=1}; export X; " + c, "", false}, {"setx", "set -ex; " + c, "", false},
		{"args", "exec " + c + ` "$@"`, "", false}, {"args", c + ` "$@"`, "", false}, {"args", c + " $*", "", false},
		{"exec-env", "exec env A=B \"C=$HOME\" " + c, "", false}, {"or", c + " || exit $?", "", false},
		{"or", "cd \"$HOME\" || exit 1; cd /app; exec " + c, "", false},
		{"or", "test -z \"$NOPE\" || migrate; exec " + c, "", false},
		{"export", "export A=1 B=$(hostname); exec " + c, "", false}, {"export", "A=1 B=2; export A B; exec " + c, "", false},
		{"export", "export A; exec " + c, "", false}, {"export", "export A=\"$KNOWN\" C=\"x y\" && exec " + c, "", false},
		{"eval-before", "eval \"$(echo X=1)\"; exec " + c, "", false},
		{"params-before", "[ \"$1\" = x ] && shift; exec " + c + ` "$@"`, "", false},
		{"params-before", `set -- --x "$@"; exec ` + c + ` "$@"`, "", false},
		{"params-before", "set -- a b; " + c + ` "$@" --last`, "", false}, {"args", c + ` ${1+"$@"}`, "", false},
		{"ifs", "IFS=:; " + c + " $KNOWN", "", false}, {"redirect", "exec 3>&1; " + c + " >&3", "", false},
		{"redirect", "{ " + c + "; } 2>&1", "", false}, {"redirect", "nohup " + c + " >/dev/null 2>&1", "", false},
		{"pipe", "{ " + c + "; } | cat", "", true},
		{"space", "  " + c + "  ;", "", false}, {"space", "\n\n\t" + c + "\n\n", "", false},
		{"comment", "# don't\nmigrate # it's\n# \"\nexec " + c, "", false},
		{"case-around", "case \"$1\" in start) shift; exec " + c + ";; *) exec " + c + ";; esac", conditional, false},
		{"if-around", "if ! " + c + "; then exit 1; fi", conditional, false}, {"builtin", "command exec " + c, "", false},
		{"sequence", "wait; exec " + c, "", false}, {"sequence", "[ -f /app/env.sh ] && . /app/env.sh; exec " + c, "", false},
		{"sequence", "mkdir -p /tmp/a && chmod 700 /tmp/a && exec " + c, "", false},
		{"loop-before", "while read -r line; do migrate \"$line\"; done < /tmp/in; exec " + c, "", false},
		{"loop-before", "i=0; while [ $i -lt 2 ]; do i=$((i+1)); setup $i; done; " + c, "", false},
		{"background-before", "notify & wait; exec " + c, "", false},
		{"background-before", "while false; do notify; sleep 1; done & exec " + c, "", false},
		{"subst", "V=\"$(migrate; echo x)\" " + c + " \"$V\"", "", false},
		{"function-before", "log() { echo \"$@\"; }; log start; log 'go'; exec " + c, "", false},
		{"function-before", "wait_for() { until waitfor \"$1\"; do sleep 1; done; }\nwait_for db\n\nexec " + c + "\n", "",
			false},
		{"earlier", "keytool -importcert -file x && exec " + c, "", false},
		{"earlier", "java -jar migrate.jar; exec " + c, "", false}, {"earlier", "node migrate.js && " + c, "", false},
		{"earlier", "npm run build && exec " + c, "", false}, {"earlier", "healthcheck; " + c, "", false},
		{"earlier", "{ keytool -list; node migrate.js; } && exec " + c, "", false},
		{"earlier", "X=$(java -cp /app Health) " + c, "", false},
		{"background-other", "java -jar worker.jar & exec " + c, "", true},
		{"background-other", "node worker.js & exec " + c, "", true}, {"background-other", "healthcheck & " + c, "", true},
		{"background-other", "w() { node worker.js; }; w & exec " + c, "", true},
		{"earlier", "java -version; exec " + c, "", false},
		{"earlier", "java -version >/dev/null 2>&1 && exec " + c, "", false},
		{"earlier", "keytool -list 2>&1; exec " + c, "", false},
		{"background-heard", "V=$(java -version 2>&1); export V; exec " + c, "", false},
		{"background-heard", "V=\"$(node health.js 2>&1)\" " + c, "", false},
		{"background-heard", "java -version 2>&1 | migrate; exec " + c, "", false},
		{"background-heard", "export A=\"$(keytool -list 2>&1)\"; " + c, "", false},
		{"background-heard", "v() { java -version 2>&1; }; V=$(v); export V; exec " + c, "", false},
		{"background-heard", "setup \"$(java -version 2>&1)\"; exec " + c, "", false},
		{"background-heard", "java -version 2>/tmp/v; read -r V </tmp/v; export V; exec " + c, "", false},
		{"background-heard", "if { node health.js; } 2>&1 | migrate; then setup; fi; " + c, "", false},
		{"background-heard", "v() { java -version; }; setup \"`v 2>&1`\" && " + c, "", false},
		{"background-other", "xargs -a /tmp/two -P2 -n1 java -jar worker.jar; exec " + c, "", true},
		{"background-other", "screen -dm java -jar worker.jar; exec " + c, "", true},
		{"background-other", "screen -dm node worker.js && " + c, "", true},
		{"background-other", "make -j2 setup; exec " + c, "", true}, {"earlier", "make setup; exec " + c, "", false},
		{"later", c + "; rc=$?; exit $rc", "", false},
		{"readonly", "readonly X=1; " + c, "", false}, {"local", "X=$(hostname) exec " + c, "", false},
		{"subst", "X=`migrate`; exec " + c, "", false}, {"dot", "true; : ; exec " + c, "", false},
	}
	if g.u.inScript != "" {
		g.legit(g.u.inScript)
	}
	t := templates[g.IntN(len(templates))]
	// What cannot be judged: whether what runs earlier has ended, and two streams that overwrite each other in one file.
	if t.name == "earlier" && g.u.Unordered || t.unordered && slices.Contains(g.u.Class, "script:earlier") ||
		strings.Contains(t.text, "/tmp/f") && strings.Contains(c, "/tmp/f") {
		t = template{name: "plain", text: c}
	}
	bash := g.chance(25)
	if g.chance(8) { // the command itself is in the positional parameters
		t = template{name: "params", text: g.one(`exec "$@"`, `"$@"`, `set -e; migrate; exec "$@"`, `cd /srv && exec "$@"`,
			`exec $0 "$@"`, `migrate "$1" && "$@"`, `command "$@"`, `for i in 1 2; do migrate $i; done; "$0" "$@"`,
			`"$0" "$@"; exit $?`), legit: ""}
		positional = append([]string{"sh"}, argv...)
		if strings.Contains(t.text, "$0") {
			positional = argv
			if strings.Contains(t.text, ` $0`) && strings.ContainsAny(argv[0], " *?[") || argv[0] == "" {
				t.text = `exec "$0" "$@"`
			}
		}
	}
	if bash && g.chance(20) {
		t.text = g.one("set -o pipefail; ", "[[ -n $KNOWN ]] && migrate; ", "set -euo pipefail\n", "shopt -s nullglob; ",
			"export A=$'x\\ny'; ", "declare -x A=1; ", "a=(1 2); migrate \"${a[@]}\"; ", "(( 1 + 1 )); ", "source /app/env.sh; ",
			"export A=1 B=(x); ", "echo <<< x; ") + t.text
	}
	if strings.Contains(t.text, "time exec") || strings.HasPrefix(t.text, "time ") && t.name != "plain" {
		t.text = strings.TrimPrefix(t.text, "time ")
	}
	g.class("script:" + t.name)
	if t.legit != "" {
		g.legit(t.legit)
	}
	if t.legit == builtin {
		g.u.App, g.u.AppUnknown = "", true
	}
	g.u.Unordered = g.u.Unordered || t.unordered
	shell := g.one("sh", "/bin/sh", "/bin/sh", "dash", "ash", "sh")
	if bash {
		shell = g.one("bash", "/bin/bash")
	}
	line := []string{shell}
	g.u.Trace = g.u.Trace || strings.Contains(t.text, "set -ex")
	switch g.IntN(12) {
	case 0:
		line = append(line, "-ec")
	case 1:
		line = append(line, "-e", "-c")
	case 2:
		line = append(line, "-euc")
	case 3:
		line = append(line, "-exc")
		g.u.Trace = true
	case 4:
		if bash {
			line = append(line, "-o", "pipefail", "-c")
		} else {
			line = append(line, "-ce")
		}
	case 5:
		if bash {
			line = append(line, "-lc")
			g.class("login")
		} else {
			line = append(line, "-c")
		}
	default:
		line = append(line, "-c")
	}
	if g.chance(3) {
		line = append(line, "--")
	}
	return append(append(line, t.text), positional...)
}

func (g *generator) quoteSingle(s string) string {
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// scriptFile puts the command behind a script that is a file of the image.
func (g *generator) scriptFile(argv []string) []string {
	g.class("file")
	if g.u.Runtime == "go" || g.u.Runtime == "python" {
		if !g.u.Existing {
			g.legit("Go or Python behind a script file")
		}
	}
	if g.u.Existing && slices.Contains(g.u.Class, "option:reference") {
		g.u.App = "" // the script may use any variable
	}
	if g.u.Existing || g.chance(60) {
		g.legit(map[bool]string{true: "debugger behind a script file"}[g.u.Existing])
		if g.u.Runtime == "jvm" {
			g.u.Image.Env = append(g.u.Image.Env, "JAVA_VERSION=21")
		}
		if g.u.Runtime == "nodejs" {
			g.u.Image.Env = append(g.u.Image.Env, "NODE_VERSION=22.1.0")
		}
		if g.u.Runtime == "netcore" {
			g.u.Image.Env = append(g.u.Image.Env, "DOTNET_VERSION=8.0.1")
		}
		return append([]string{"/entrypoint.sh"}, argv...)
	}
	switch g.u.Runtime {
	case "go":
		g.u.App = "/app/server"
		return append(g.runner("/app/start-go.sh"), g.words(2)...)
	case "jvm":
		g.u.Image.Env = append(g.u.Image.Env, "JAVA_VERSION=21")
		g.u.App = "java"
		if g.chance(30) {
			u := g.u
			u.Existing = true
			u.Container.Env = append(u.Container.Env,
				envVar{Name: "JAVA_OPTS", Value: "-Xmx1g -agentlib:jdwp=transport=dt_socket,server=y,suspend=n,address=*:8000"})
		}
		return append(g.runner("/app/start-java.sh"), g.words(2)...)
	case "nodejs":
		g.u.Image.Env = append(g.u.Image.Env, "NODE_VERSION=22.1.0")
		g.u.App = "/usr/local/bin/node"
		return append(g.runner("/app/start-node.sh"), g.words(2)...)
	case "python":
		g.u.App = "python"
		return append(g.runner("/app/start-python.sh"), g.words(2)...)
	case "netcore":
		g.u.Image.Env = append(g.u.Image.Env, "DOTNET_VERSION=8.0.1")
		g.u.App = "dotnet"
		return append([]string{"/app/start-dotnet"}, g.words(2)...)
	}
	return append([]string{"/entrypoint.sh"}, argv...)
}

// runner starts a script file as it is, or by a shell.
func (g *generator) runner(file string) []string {
	switch g.IntN(5) {
	case 0:
		return []string{g.one("sh", "/bin/sh", "bash"), file}
	case 1:
		return []string{g.one("bash", "sh"), g.one("-e", "-eu"), file}
	}
	return []string{file}
}

// raw writes a word for a manifest.
func (g *generator) raw(w string) string {
	if !strings.Contains(w, "$") {
		return w
	}
	// "$$(X)" and the like would not come out as meant: those who write manifests have to escape them.
	if g.chance(35) && !hasPID(w) {
		return w
	}
	if g.chance(20) {
		return strings.ReplaceAll(w, "$", "$$")
	}
	var b strings.Builder
	for i := 0; i < len(w); i++ {
		b.WriteByte(w[i])
		if w[i] == '$' && i+1 < len(w) && (w[i+1] == '$' || w[i+1] == '(' || w[i+1] >= 0x80) {
			b.WriteByte('$')
		}
	}
	return b.String()
}

// hasPID says whether a dollar sign would change its meaning when it is written as it is.
func hasPID(w string) bool {
	if strings.Contains(w, "$$") {
		return true
	}
	for i := 0; i+1 < len(w); i++ {
		if w[i] == '$' && w[i+1] >= 0x80 {
			return true
		}
	}
	return false
}

// place spreads the words over ENTRYPOINT, CMD, command and args.
func (g *generator) place(argv []string) {
	u := g.u
	cut := 1 + g.IntN(len(argv))
	if g.chance(35) {
		cut = 1
	}
	if len(argv) > 2 && (strings.HasPrefix(argv[1], "-") && strings.HasSuffix(argv[1], "c")) && g.chance(50) {
		cut = 2 // the shell and its script
	}
	head, tail := argv[:cut], argv[cut:]
	raws := func(words []string) []string {
		var out []string
		for _, w := range words {
			out = append(out, g.raw(w))
		}
		return out
	}
	stale := [][]string{nil, {"--stale"}, {"sh", "-c", "old"}, {"node", "old.js"}}[g.IntN(4)]
	staleEntry := [][]string{nil, {"/old"}, {"java", "-jar", "old.jar"}, {"docker-entrypoint.sh"}}[g.IntN(4)]
	kind := g.IntN(8)
	switch kind {
	case 0:
		u.Image.Entrypoint, u.Image.Cmd = head, tail
	case 1:
		u.Image.Cmd = argv
	case 2:
		u.Image.Entrypoint = argv
	case 3:
		u.Image.Entrypoint, u.Image.Cmd, u.Container.Args = head, stale, raws(tail)
		if len(tail) == 0 {
			u.Image.Cmd = nil
		}
	case 4:
		u.Image.Entrypoint, u.Image.Cmd, u.Container.Command = staleEntry, stale, raws(argv)
	case 5, 6:
		u.Image.Entrypoint, u.Image.Cmd, u.Container.Command, u.Container.Args = staleEntry, stale, raws(head), raws(tail)
	case 7:
		u.Container.Args = raws(argv)
	}
	for _, w := range slices.Concat(u.Container.Command, u.Container.Args) {
		if strings.Contains(strings.ReplaceAll(w, "$$", ""), "$(SECRET)") && strings.Contains(w, " ") && len(w) > 12 {
			g.legit("Secret in a script")
		}
	}
	g.class("place:" + []string{"image", "cmd", "entrypoint", "args", "command", "both", "both", "only-args"}[kind])
}

// buildpack makes the container one of an image that buildpacks built.
func (g *generator) buildpack(argv []string) {
	u := g.u
	g.class("buildpack")
	if u.needsWrapper && !u.Existing {
		g.legit("buildpacks put their own node first")
	}
	for i, w := range argv { // a process id would differ
		argv[i] = strings.ReplaceAll(w, "$$", "$ ")
	}
	api := g.one("0.3", "0.4", "0.9", "0.10", "0.12", "")
	bpAPI := g.one("0.3", "0.5", "0.8", "0.9", "0.10")
	// The label as the lifecycle writes it: without the buildpacks' APIs. What those mean holds all the same: the
	// processes of 0.9 and later are direct, and nobody gave words to a script of one word, which loses them (0.3).
	bare := g.chance(50)
	if bare && bpAPI == "0.3" {
		bpAPI = "0.7"
	}
	type cnbProcess struct {
		Type       string   `json:"type"`
		Command    any      `json:"command"`
		Args       []string `json:"args"`
		Direct     bool     `json:"direct"`
		Buildpack  string   `json:"buildpackID"`
		WorkingDir string   `json:"working-dir,omitempty"`
	}
	id := map[string]string{"go": "paketo-buildpacks/go-dist", "nodejs": "paketo-buildpacks/npm-start"}[u.Runtime]
	if id == "" {
		id = "example/" + u.Runtime
	}
	u.Buildpack = id
	if u.App == "/usr/local/bin/node" { // the layers' comes first
		u.App = "node"
	}
	target := g.one("web", "web", "worker", "task")
	var lines []string
	var processes []cnbProcess
	for _, kind := range []string{"web", "worker", "task"} {
		p := cnbProcess{Type: kind, Command: "migrate", Direct: true, Buildpack: id}
		command := []string{"migrate"}
		if kind == target {
			p.Direct = g.chance(55) || bare && !less(bpAPI, "0.9")
			command, p.Args = argv[:1], argv[1:]
			list := (bpAPI == "0.9" || bpAPI == "0.10") && !(bare && less(api, "0.10"))
			if list {
				n := 1 + g.IntN(len(argv))
				command, p.Args = argv[:n], argv[n:]
				p.Command = command
			} else {
				p.Command = argv[0]
			}
			if !p.Direct && !list && g.chance(70) { // a script in one word
				script := make([]string, len(argv))
				for i, w := range argv {
					script[i] = g.quote(w)
				}
				text := g.one("", "exec ", "migrate && ", "cd /srv && ", "X=1 ") + strings.Join(script, " ")
				command, p.Args, p.Command = []string{text}, nil, text
			}
			if !p.Direct {
				g.class("cnb:shell")
			} else {
				g.class("cnb:direct")
			}
			if g.chance(8) && !less(bpAPI, "0.8") {
				p.WorkingDir = "/srv"
				g.legit("buildpack process with a directory of its own")
			}
		} else if list := bpAPI == "0.9" || bpAPI == "0.10"; list && !bare {
			p.Command = command
		}
		processes = append(processes, p)
		f := []string{kind, strconv.FormatBool(p.Direct), bpAPI, p.WorkingDir, strconv.Itoa(len(command))}
		f = append(append(f, command...), p.Args...)
		for i := range f {
			f[i] = strconv.Quote(f[i])
		}
		lines = append(lines, strings.Join(f, " "))
	}
	u.CNB = strings.Join(lines, "\n")
	buildpack := map[string]string{"id": id, "version": "1"}
	if bare {
		g.class("cnb:bare")
	} else {
		buildpack["api"] = bpAPI
	}
	label, _ := json.Marshal(map[string]any{"processes": processes, "buildpacks": []map[string]string{buildpack}})
	u.Image.Labels = map[string]string{"io.buildpacks.build.metadata": string(label), "io.buildpacks.stack.id": "x"}
	if api != "" {
		u.Image.Env = append(u.Image.Env, "CNB_PLATFORM_API="+api)
	}
	u.Image.Env = append(u.Image.Env, "CNB_APP_DIR=/workspace", "CNB_LAYERS_DIR=/layers")
	u.Image.WorkingDir = "/workspace"
	u.Container.WorkingDir = ""
	user := g.chance(20)
	if api == "0.3" || api == "" && g.chance(50) {
		u.Image.Entrypoint = []string{"/cnb/lifecycle/launcher"}
		switch {
		case user:
			u.Container.Args = append([]string{"--"}, argv...)
			for i := range u.Container.Args {
				u.Container.Args[i] = g.raw(u.Container.Args[i])
			}
			g.class("cnb:user")
		case target != "web" && g.chance(50):
			u.Image.Env = append(u.Image.Env, "CNB_PROCESS_TYPE="+target)
		case target != "web":
			u.Container.Args = []string{target}
		}
		return
	}
	u.Image.Entrypoint = []string{"/cnb/process/web"}
	switch {
	case user && g.chance(50):
		u.Container.Command = []string{"/cnb/lifecycle/launcher"}
		u.Container.Args = append([]string{"--"}, argv...)
		for i := range u.Container.Args {
			u.Container.Args[i] = g.raw(u.Container.Args[i])
		}
		g.class("cnb:user")
	case target != "web":
		u.Container.Command = []string{"/cnb/process/" + target}
	default:
		if user {
			u.Container.Args = []string{"--more", "x"}
			if p := processes[0]; !p.Direct && len(p.Args) == 0 {
				g.legit("script that arguments make a word of")
			} else if bare && p.Direct && len(p.Args) > 0 && (u.Runtime == "go" || u.Runtime == "python") {
				g.legit("label that does not say what arguments do")
			}
			if api == "0.10" || api == "0.12" { // they may take the place of the script
				u.App, u.AppUnknown = "", true
			}
			g.class("cnb:args")
		}
	}
}

func less(a, b string) bool {
	number := func(v string) int {
		major, minor, _ := strings.Cut(v, ".")
		x, _ := strconv.Atoi(major)
		y, _ := strconv.Atoi(minor)
		return x*1000 + y
	}
	return number(a) < number(b)
}

// finish adds what does not depend on the command line.
func (g *generator) finish() {
	u := g.u
	if g.chance(15) {
		u.Container.Ports = append(u.Container.Ports, portRef{Port: []int{56268, 5005, 9229, 5678, 8080}[g.IntN(5)]})
	}
}
