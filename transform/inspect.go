package transform

import (
	"cmp"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	functionconfig "debuggable.dev/debuggable/function-config"
	"debuggable.dev/debuggable/internal/image/files"
	"debuggable.dev/debuggable/internal/reason"
	"debuggable.dev/debuggable/internal/workload"
	"debuggable.dev/debuggable/internal/yamlnode"
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

// Inspect is the scope of a pod for each image, which says nothing else, whatever artifacts the settings name.
func Inspect(images []string, cfg functionconfig.Config) *Scope {
	s := NewScope(cfg)
	for _, ref := range images {
		w := barePod(ref)
		pod, err := scopePod(w.Pods[0], cfg, cfg.Matcher())
		if len(pod.containers) == 0 {
			anyImage := cfg
			anyImage.Artifacts = nil
			pod, err = scopePod(w.Pods[0], anyImage, anyImage.Matcher())
		}
		pod.err = err
		s.found.add(pod)
		s.workloads = append(s.workloads, workloadScope{w, []*podScope{pod}})
	}
	return s
}

// barePod is a pod that says nothing but the image of its container.
func barePod(ref string) *workload.Workload {
	container := yamlnode.Mapping("name", yamlnode.String("container"), "image", yamlnode.String(ref))
	object := yamlnode.Mapping("apiVersion", yamlnode.String("v1"), "kind", yamlnode.String("Pod"),
		"spec", yamlnode.Mapping("containers", yamlnode.Sequence(container)))
	return workload.Of(inspected{yaml.NewRNode(object)}, workload.Elements(object)[0], nil)
}

// inspected is an object that is nowhere.
type inspected struct{ node *yaml.RNode }

func (o inspected) Node() *yaml.RNode   { return o.node }
func (o inspected) MarkEdited()         {}
func (o inspected) File() (string, int) { return "", 0 }

// Explanations say what the plan is for each container in scope.
func (p *Plan) Explanations() (all []Explanation) {
	for _, w := range p.Workloads {
		for _, pod := range w.Pods {
			for _, c := range pod.Containers {
				all = append(all, c.explain())
			}
		}
	}
	return all
}

func (c ContainerPlan) explain() Explanation {
	config := c.Program.Image
	e := Explanation{
		Image: c.Container.Image, Source: config.From, WorkingDir: config.WorkingDir, Program: c.Program.Found.Argv,
		Before: append(append([]string{}, config.Entrypoint...), config.Cmd...),
	}
	e.Files = config.Files.List()
	if config.Digest.Hex != "" {
		e.Digest = config.Digest.String()
	}
	if config.Platform != nil {
		e.Platform = config.Platform.String()
	}
	if r := c.Program.Detection.Runtime; r != nil {
		e.Runtime, e.Sign, e.WorkingDir = r.Name(), c.Program.Detection.Sign.Words, c.Program.WorkingDir(c.Container)
	}
	if c.Refusal != nil {
		e.Reason, e.Message = string(reason.Of(c.Refusal)), c.Refusal.Error()
		return e
	}
	e.Debuggable, e.After = true, c.Edits.Line.Argv()
	for _, edit := range c.Edits.Env {
		e.Env = append(e.Env, ExplainedEnv{edit.Name, edit.Value})
	}
	for _, r := range slices.Concat(c.outcome()[1:], c.cautions()) {
		// That Delve stays is the support image's doing, whatever the image.
		if code := r.Tags["reason"]; code != string(reason.OutlivesProgram) {
			e.Notes = append(e.Notes, ExplainedNote{string(r.Severity), code,
				strings.TrimPrefix(r.Message, "container "+c.Container.Name+": ")})
		}
	}
	for _, n := range c.notes() {
		e.Notes = append(e.Notes, ExplainedNote{string(severityOf(n.Code)), string(n.Code), n.Message})
	}
	slices.SortStableFunc(e.Notes, func(a, b ExplainedNote) int { return -cmp.Compare(a.Severity, b.Severity) })
	e.Ports, e.Support = portsByProtocol(c.Debugger.Ports), c.SupportImage
	return e
}
