package transform

import (
	functionconfig "debuggable.dev/debuggable/function-config"
	"debuggable.dev/debuggable/internal/image"
	"debuggable.dev/debuggable/internal/image/files"
	"debuggable.dev/debuggable/internal/process"
	"debuggable.dev/debuggable/internal/workload"
	"debuggable.dev/debuggable/internal/yamlnode"
	"debuggable.dev/debuggable/runtimes"
)

// Explanation is what would be done with a container that runs an image as the image says.
type Explanation struct {
	Image      string           `json:"image"`
	Source     string           `json:"source,omitempty"`
	Digest     string           `json:"digest,omitempty"`
	Platform   string           `json:"platform,omitempty"`
	WorkingDir string           `json:"workingDir,omitempty"`
	Debuggable bool             `json:"debuggable"`
	Reason     string           `json:"reason,omitempty"`  // why not: a stable code
	Message    string           `json:"message,omitempty"` // why not, in words
	Runtime    string           `json:"runtime,omitempty"`
	Sign       string           `json:"sign,omitempty"` // what decided the runtime
	Program    []string         `json:"program,omitempty"`
	Before     []string         `json:"before"`          // the command line of the image
	After      []string         `json:"after,omitempty"` // the command line under the debugger
	Env        []ExplainedEnv   `json:"env,omitempty"`
	Ports      map[string]int32 `json:"ports,omitempty"`
	Support    string           `json:"supportImage,omitempty"`
	// Files is what is known of the image's files, and Notes what they say about debugging: warnings first.
	Files []files.File    `json:"files,omitempty"`
	Notes []ExplainedNote `json:"notes,omitempty"`
}

// ExplainedNote is a result that a container of the image would get besides.
type ExplainedNote struct {
	Severity string `json:"severity"`
	Reason   string `json:"reason"`
	Message  string `json:"message"`
}

// ExplainedEnv is a variable that is set or extended, as a manifest would write it.
type ExplainedEnv struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Explain says what Apply would do with a container that has nothing but an image.
func Explain(ref string, resolved image.Result, cfg functionconfig.Config) Explanation {
	e := Explanation{Image: ref}
	refuse := func(err error) Explanation {
		e.Reason, e.Message = string(reasonOf(err)), err.Error()
		return e
	}
	if resolved.Err != nil {
		return refuse(imageProblem(resolved.Err))
	}
	config := resolved.Config
	e.Files = config.Files.List()
	e.Source, e.WorkingDir = config.From, config.WorkingDir
	e.Before = append(append([]string{}, config.Entrypoint...), config.Cmd...)
	if config.Digest.Hex != "" {
		e.Digest = config.Digest.String()
	}
	if config.Platform != nil {
		e.Platform = config.Platform.String()
	}
	var told runtimes.Runtime
	scope := &containerScope{Container: bareContainer(ref), artifact: ref}
	if scope.matches(cfg, cfg.Matcher()) {
		told = scope.told
	}
	analysis, err := analyse(scope.Container, config, process.NewSources(), told, scope.hint)
	e.Program = analysis.Found.Argv
	if err != nil {
		return refuse(err)
	}
	a := &attachment{containerScope: scope, Analysis: analysis}
	e.Runtime, e.Sign, e.WorkingDir = analysis.Detection.Runtime.Name(), analysis.Detection.Sign.Words, a.workingDir()
	if err := a.attach(runtimes.Options{Suspend: cfg.Suspend, Protocols: cfg.Protocols, Published: cfg.SupportRegistry == functionconfig.Default().SupportRegistry, FreePort: func(from int32) int32 { return from }}); err != nil {
		return refuse(err)
	}
	if err := a.checkFile(""); err != nil {
		return refuse(err)
	}
	e.Debuggable, e.After = true, a.edited.Argv()
	for _, n := range a.notes() {
		e.Notes = append(e.Notes, ExplainedNote{string(n.severity), string(n.code), n.message})
	}
	for _, edit := range a.env {
		e.Env = append(e.Env, ExplainedEnv{edit.Name, edit.Value})
	}
	e.Ports = portsByProtocol(a.plan.Ports)
	if a.plan.Support {
		e.Support = cfg.SupportRegistry + "/" + a.Detection.Runtime.Name()
	}
	return e
}

// bareContainer is the container of a pod that says nothing but the image.
func bareContainer(ref string) *workload.Container {
	node := yamlnode.Mapping("name", yamlnode.String("container"), "image", yamlnode.String(ref))
	object := yamlnode.Mapping("spec", yamlnode.Mapping("containers", yamlnode.Sequence(node)))
	w := &workload.Workload{Node: object, Rules: workload.Kind{Template: []string{""}}}
	p := &workload.Pod{Workload: w, Template: object, Spec: yamlnode.Get(object, "spec")}
	c := &workload.Container{Pod: p, Node: node, Name: "container", Image: ref}
	p.Containers = []*workload.Container{c}
	return c
}
