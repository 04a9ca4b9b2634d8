package transform

import (
	"errors"
	"strings"

	functionconfig "debuggable.dev/debuggable/function-config"
	"debuggable.dev/debuggable/internal/image"
	"debuggable.dev/debuggable/internal/program"
	"debuggable.dev/debuggable/internal/reason"
	"debuggable.dev/debuggable/internal/workload"
	"debuggable.dev/debuggable/runtimes"
)

// Programs is what the containers in scope start, going by the configurations of their images.
type Programs struct {
	scope  *Scope
	images map[image.Want]image.Result
	ports  map[image.Want]portNumbers
	known  map[*containerScope]*known
	// services are the ports that Services send to, by whom they select.
	services map[*workload.Selected[[]string]]portNumbers
}

// known is what is known of a container before any port is given to a debugger.
type known struct {
	program program.Program
	// debugger is what the runtime would plan, with support images that can do everything.
	debugger runtimes.Plan
	// err is why the container stays as it is: a *reason.Refusal. It may come with a program.
	err error
}

// Programs works out what the containers in scope start, each once.
func (s *Scope) Programs(images map[image.Want]image.Result) *Programs {
	return s.programs(images, portsOf(images))
}

func (s *Scope) programs(images map[image.Want]image.Result, ports map[image.Want]portNumbers) *Programs {
	p := &Programs{scope: s, images: images, ports: ports, known: map[*containerScope]*known{},
		services: map[*workload.Selected[[]string]]portNumbers{}}
	for _, w := range s.workloads {
		for _, pod := range w.pods {
			for _, c := range pod.open() {
				p.known[c] = s.know(pod, c, images[c.want])
			}
		}
	}
	return p
}

// Again works out anew the programs that depend on files of images that were not known before, and may be by now.
func (p *Programs) Again(images map[image.Want]image.Result) *Programs {
	again := &Programs{scope: p.scope, images: images, ports: p.ports,
		known: make(map[*containerScope]*known, len(p.known)), services: p.services}
	for _, w := range p.scope.workloads {
		for _, pod := range w.pods {
			for _, c := range pod.open() {
				k := p.known[c]
				if len(k.program.Questions()) > 0 {
					k = p.scope.know(pod, c, images[c.want])
				}
				again.known[c] = k
			}
		}
	}
	return again
}

// know works out what a container starts.
func (s *Scope) know(p *podScope, c *containerScope, resolved image.Result) *known {
	k := &known{}
	switch err := p.pod.CheckName(c.container.Name); {
	case err != nil:
		k.err = err
	case c.container.Image == "":
		k.err = reason.Refuse(reason.NoImage, "it has no image")
	case resolved.Err != nil:
		k.err = imageProblem(resolved.Err)
	default:
		k.program, k.err = program.Of(c.container, resolved.Config, s.sources, c.told, s.hint)
	}
	if k.err == nil {
		o := s.options(p)
		o.Able = true
		k.debugger, k.err = k.program.Debugger(o)
	}
	return k
}

// Questions lists what would have to be known of the files of images, now that so much is, in document order.
func (p *Programs) Questions() (questions []image.Question) {
	for _, c := range p.scope.open() {
		if len(p.images[c.want].Config.Layers) == 0 {
			continue
		}
		for _, q := range p.known[c].program.Questions() {
			q.Want = c.want
			questions = append(questions, q)
		}
	}
	return questions
}

// options are the choices that hold for all containers of a pod.
func (s *Scope) options(p *podScope) runtimes.Options {
	return runtimes.Options{Suspend: p.settings.Suspend, Protocols: s.cfg.Protocols, ListenOn: s.cfg.ListenOn}
}

// imageProblem words a failure to resolve an image.
func imageProblem(err error) error {
	var refusal *reason.Refusal
	switch {
	case errors.As(err, &refusal):
		return err
	case errors.Is(err, image.ErrNotFound):
		return reason.Refuse(reason.ImageNotFound, "%s", err)
	}
	return reason.Refuse(reason.ImageUnreadable, "%s", err)
}

// supportLabels begin the labels by which a support image says what is inside, and what it can do; see
// runtimes.Options.
const supportLabels = "dev.debuggable.support/"

// SupportImages lists the support images that will be needed. Of those of the user's choice it is to be found out
// whether they are there, and what their labels say; what the published ones can do is known, and no more is to be
// found out than what is written down of them. It does no harm when one of them cannot be resolved.
func (p *Programs) SupportImages() (chosen, published []image.Want) {
	seen := map[image.Want]bool{}
	for _, c := range p.scope.open() {
		k := p.known[c]
		if k.err != nil || !k.debugger.Support {
			continue
		}
		name := k.program.Detection.Runtime.Name()
		want := p.scope.supportImage(name, c.want.Platform)
		switch {
		case seen[want]:
		case p.scope.stockSupport(name):
			published = append(published, want)
		default:
			chosen = append(chosen, want)
		}
		seen[want] = true
	}
	return chosen, published
}

// LikelySupportImages lists the support images of all runtimes. It reports whether nothing beyond what is written down
// is to be found out about them, so that it does no harm to ask for those that nobody needs.
func (s *Scope) LikelySupportImages() (chosen, published []image.Want, written bool) {
	seen := map[image.Want]bool{}
	for _, want := range s.found.wants {
		for _, r := range runtimes.All() {
			support := s.supportImage(r.Name(), want.Platform)
			switch {
			case seen[support]:
			case s.stockSupport(r.Name()):
				published = append(published, support)
			default:
				chosen = append(chosen, support)
			}
			seen[support] = true
		}
	}
	return chosen, published, len(chosen) == 0 || s.cfg.Offline
}

// stockSupport reports whether the support image of a runtime is the published one, as it is known: under its usual
// name and tag.
func (s *Scope) stockSupport(name string) bool {
	return s.cfg.SupportTag == "" && s.fromPublished(name)
}

// fromPublished reports whether a runtime's support image is in the repository of the published ones.
func (s *Scope) fromPublished(name string) bool {
	return s.cfg.SupportImages[name] == "" && s.cfg.SupportRegistry == functionconfig.Default().SupportRegistry
}

// supportImage is the support image that a plan names.
func (s *Scope) supportImage(name, platform string) image.Want {
	ref := s.cfg.SupportImages[name]
	if ref == "" {
		ref = s.cfg.SupportRegistry + "/" + name
		if s.cfg.SupportTag != "" {
			ref += ":" + s.cfg.SupportTag
		}
	}
	return image.Want{Image: ref, Platform: platform}
}

// support is what is known of the support images.
type support struct {
	*Scope
	images map[image.Want]image.Result
}

// published reports whether a support image is one of those published for Skaffold, as they are or under another
// name. One that cannot be asked is taken for the user's own.
func (s support) published(name, platform string) bool {
	if s.fromPublished(name) {
		return true
	}
	found, asked := s.images[s.supportImage(name, platform)]
	if !asked || found.Err != nil {
		return false
	}
	for label := range found.Config.Labels {
		if strings.HasPrefix(label, supportLabels) {
			return false
		}
	}
	return true
}

// reference is what a pod names a support image by: with the digest that a lock file has of it.
func (s support) reference(name, platform string) string {
	want := s.supportImage(name, platform)
	if pin := s.images[want].Config.Pin; pin.Hex != "" && !strings.Contains(want.Image, "@") {
		return want.Image + "@" + pin.String()
	}
	return want.Image
}

// folder is where a support image has its files: container-debug-support's Dockerfiles put theirs into /duct-tape,
// support/build into /support. A registry's copy of the published ones has no labels.
func (s support) folder(name, platform string) string {
	if s.published(name, platform) {
		return "duct-tape"
	}
	return "support"
}

// label is what a support image says of itself.
func (s support) label(name, platform string) func(label string) string {
	return func(label string) string {
		return s.images[s.supportImage(name, platform)].Config.Labels[supportLabels+label]
	}
}

// check refuses a container whose support image is known not to be there: the pod would never start. Without a registry
// that has been asked, and where it does not say, nothing is known.
func (s support) check(name, platform string) error {
	want := s.supportImage(name, platform)
	if s.stockSupport(name) || s.cfg.Offline || !errors.Is(s.images[want].Err, image.ErrNotFound) {
		return nil
	}
	other := "supportRegistry"
	switch {
	case s.cfg.SupportImages[name] != "":
		other = "one in supportImages"
	case s.cfg.SupportTag != "":
		other = "supportRegistry or supportTag"
	}
	return reason.Refuse(reason.SupportImageMissing,
		"there is no support image %s for %s, so the pod would never start: push it with `make push`, or name another %s",
		want.Image, want.Platform, other)
}
