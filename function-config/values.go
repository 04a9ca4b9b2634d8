package functionconfig

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"debuggable.dev/debuggable/internal/fields"
	"debuggable.dev/debuggable/internal/image"
	"debuggable.dev/debuggable/internal/yamlnode"
	"debuggable.dev/debuggable/runtimes"
)

// This file checks single values. Every error tells the value and what is wanted instead.

// meant returns `, did you mean "…"?`, or "" where no candidate is near.
func meant(word string, candidates []string) string {
	if c := fields.Nearest(word, candidates); c != "" {
		return fmt.Sprintf(", did you mean %q?", c)
	}
	return ""
}

var errEmpty = errors.New("is empty")

func checkFilled(s string) error {
	if strings.TrimSpace(s) == "" {
		return errEmpty
	}
	return nil
}

func checkHost(s string) error {
	if checkFilled(s) != nil {
		return errEmpty
	}
	if scheme, host, ok := strings.Cut(s, "://"); ok {
		return fmt.Errorf("%s is not a registry host; leave out %s://: %s", fields.Quote(s), scheme, host)
	}
	if _, err := name.NewRegistry(s, name.WeakValidation); err != nil || strings.ContainsAny(s, "/@") {
		return fmt.Errorf("%s is not a registry host like localhost:5000", fields.Quote(s))
	}
	return nil
}

func checkProtocol(s string) error {
	if !slices.Contains(runtimes.Protocols(), s) {
		return fmt.Errorf("%s is not a debug protocol%s", fields.Quote(s), fields.DidYouMean(s, runtimes.Protocols()))
	}
	return nil
}

// ParseRuntime returns the canonical name of a runtime that may be given by another of its names, in any case.
func ParseRuntime(s string) (string, error) {
	if r := runtimes.ByName(s); r != nil {
		return r.Name(), nil
	}
	return "", fmt.Errorf("%s is not a runtime%s", fields.Quote(s), fields.DidYouMean(s, runtimes.Names()))
}

// maxProbeTimeout is the longest timeout that a probe can have: Kubernetes counts its seconds in 32 bits.
const maxProbeTimeout = math.MaxInt32 * time.Second

// whoseFiles are the values of lookInside.
func whoseFiles() []string { return []string{image.InsideLocal, image.InsideAlways, image.InsideNever} }

func parseLookInside(s string) (string, error) {
	if known := whoseFiles(); !slices.Contains(known, s) {
		return "", fmt.Errorf("%s is none of local, always and never%s", fields.Quote(s), fields.DidYouMean(s, known))
	}
	return s, nil
}

// engine are the values of the setting of that name.
func engine() []string { return []string{image.EngineFallback, image.EngineFirst, image.EngineNever} }

func parseEngine(s string) (string, error) {
	if known := engine(); !slices.Contains(known, s) {
		return "", fmt.Errorf("%s is none of fallback, first and never%s", fields.Quote(s), fields.DidYouMean(s, known))
	}
	return s, nil
}

// listenOn are the values of the setting of that name.
func listenOn() []string { return []string{runtimes.OnDefault, runtimes.OnAll, runtimes.OnLoopback} }

func parseListenOn(s string) (string, error) {
	if known := listenOn(); !slices.Contains(known, s) {
		return "", fmt.Errorf("%s is none of default, all and loopback%s", fields.Quote(s), fields.DidYouMean(s, known))
	}
	return s, nil
}

// parseMemory reads what becomes of memory limits.
func parseMemory(s string) (string, error) {
	known := []string{"raise", "keep"}
	if !slices.Contains(known, s) {
		return "", fmt.Errorf("%s is neither raise nor keep%s", fields.Quote(s), fields.DidYouMean(s, known))
	}
	return s, nil
}

// ParseProbeTimeout reads `skip` or a positive Go duration, such as 10m.
func ParseProbeTimeout(s string) (ProbeTimeout, error) {
	const want = "want a Go duration above zero, like 10m or 90s, or skip"
	if s == "skip" {
		return ProbeTimeout{Skip: true}, nil
	}
	d, err := time.ParseDuration(s)
	switch {
	case err == nil && d > maxProbeTimeout:
		return ProbeTimeout{}, fmt.Errorf("%s is more than Kubernetes counts, %s; %s", fields.Quote(s), maxProbeTimeout, want)
	case err == nil && d > 0:
		return ProbeTimeout{Duration: d}, nil
	case err == nil:
		return ProbeTimeout{}, fmt.Errorf("%s is not above zero; %s", fields.Quote(s), want)
	case s != "" && strings.Trim(s, "0123456789") == "":
		return ProbeTimeout{}, fmt.Errorf("%s has no unit, did you mean %q?", fields.Quote(s), s+"s")
	default:
		return ProbeTimeout{}, fmt.Errorf("%s is not a duration%s; %s", fields.Quote(s), meant(s, []string{"skip"}), want)
	}
}

// architectures are those that Linux images are built for, by their names in the OCI image specification (GOARCH).
func architectures() []string {
	return []string{"amd64", "arm64", "arm", "386", "ppc64le", "s390x", "riscv64", "loong64", "mips64le", "mips64", "mips",
		"mipsle", "ppc64"}
}

// parsePlatform reads OS/ARCH[/VARIANT]. Only Linux is accepted: the debuggers in the support images are Linux
// programs, so that another platform could only choose images that cannot be debugged.
func parsePlatform(s string) (string, error) {
	bad := func(why string) (string, error) {
		return "", fmt.Errorf("%s is not a platform: %s; want linux/ARCH or linux/ARCH/VARIANT, like linux/arm64",
			fields.Quote(s), why)
	}
	if strings.Contains(s, ":") {
		return bad("an OS version means nothing for Linux")
	}
	p, err := v1.ParsePlatform(s)
	if err != nil {
		return bad("it has more than three parts")
	}
	also := map[string]string{"x86_64": "amd64", "x86-64": "amd64", "x64": "amd64", "aarch64": "arm64", "armv8": "arm64",
		"armv7": "arm/v7", "armhf": "arm/v7", "i386": "386", "x86": "386"}
	switch {
	case p.OS == "" || p.Architecture == "":
		return bad("it lacks an OS or an architecture")
	case strings.ToLower(s) != s:
		return bad(fmt.Sprintf("did you mean %q?", strings.ToLower(s)))
	case p.OS != "linux":
		return bad("only Linux containers can be debugged")
	case also[p.Architecture] != "":
		return bad(fmt.Sprintf("did you mean %q?", "linux/"+also[p.Architecture]))
	case !slices.Contains(architectures(), p.Architecture):
		return bad(fmt.Sprintf("%q is no known architecture%s", p.Architecture, meant(p.Architecture, architectures())))
	case p.String() != s || !variant.MatchString(p.Variant):
		return bad("its variant is not one like v7")
	}
	return p.String(), nil
}

var variant = regexp.MustCompile(`^[a-z0-9.]*$`)

// ParseSupportRegistry reads the repository prefix of support images. One slash at its end is forgiven, and taken off.
func ParseSupportRegistry(s string) (string, error) {
	prefix := strings.TrimSuffix(s, "/")
	if checkFilled(prefix) != nil {
		return "", errEmpty
	}
	if scheme, rest, ok := strings.Cut(s, "://"); ok {
		return "", fmt.Errorf("%s is not a repository; leave out %s://: %s", fields.Quote(s), scheme, rest)
	}
	_, err := name.NewRepository(prefix+"/x", name.WeakValidation)
	if err != nil || strings.HasPrefix(s, "/") || strings.Contains(prefix+"/", "//") {
		return "", fmt.Errorf("%s is not a repository prefix; want one like gcr.io/acme/debug, without tag and digest",
			fields.Quote(s))
	}
	return prefix, nil
}

// supported are the runtimes that have a support image.
func supported() (names []string) {
	for _, r := range runtimes.All() {
		if r.HasSupport() {
			names = append(names, r.Name())
		}
	}
	return names
}

// parseSupported is ParseRuntime for the runtimes that have a support image.
func parseSupported(s string) (string, error) {
	runtime, err := ParseRuntime(s)
	if err == nil && !slices.Contains(supported(), runtime) {
		err = fmt.Errorf("%s needs no support image; those that do are %s", runtime, strings.Join(supported(), ", "))
	}
	return runtime, err
}

func parseSupportTag(s string) (string, error) {
	// A count takes long to compile, so this is not done each time that the program starts.
	if s != "" && !regexp.MustCompile(`^`+tagPattern+`$`).MatchString(s) {
		return "", fmt.Errorf("%s is not a tag like v1.2; a digest belongs into supportImages, with the whole reference",
			fields.Quote(s))
	}
	return s, nil
}

// pullPolicies are the values of imagePullPolicy.
func pullPolicies() []string { return []string{"Always", "IfNotPresent", "Never"} }

func parsePullPolicy(s string) (string, error) {
	if s != "" && !slices.Contains(pullPolicies(), s) {
		return "", fmt.Errorf("%s is none of %s%s", fields.Quote(s), strings.Join(pullPolicies(), ", "),
			fields.DidYouMean(s, pullPolicies()))
	}
	return s, nil
}

func parseSupportDelivery(s string) (string, error) {
	known := []string{DeliveryInit, DeliveryImage}
	if !slices.Contains(known, s) {
		return "", fmt.Errorf("%s is neither init nor image%s", fields.Quote(s), fields.DidYouMean(s, known))
	}
	return s, nil
}

const (
	tagPattern     = `[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}`
	groupPattern   = `^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*)?$`
	kindPattern    = `^[A-Z][A-Za-z0-9]*$`
	segmentPattern = `[A-Za-z_][A-Za-z0-9_-]*(\[\])?`
	pathPattern    = `^` + segmentPattern + `(\.` + segmentPattern + `)*$`
)

var (
	groupSyntax = regexp.MustCompile(groupPattern)
	kindSyntax  = regexp.MustCompile(kindPattern)
	pathSyntax  = regexp.MustCompile(pathPattern)
)

func readWorkload(r *fields.Reader, n *yaml.Node, path string) WorkloadKind {
	var w WorkloadKind
	text := func(to *string, check func(s, path string)) func(*yaml.Node, string) {
		return func(n *yaml.Node, path string) {
			s, ok := r.String(n, path)
			if ok {
				check(s, path)
			}
			*to = s
		}
	}
	fieldPath := func(s, path string) {
		if !pathSyntax.MatchString(s) {
			r.Errorf(path, "%s is not a path; want fields separated by dots, like spec.template or spec.tasks[].template",
				fields.Quote(s))
		}
	}
	r.Mapping(n, path, []fields.Field{
		{Name: "group", Read: text(&w.Group, func(s, path string) {
			if group, _, ok := strings.Cut(s, "/"); ok {
				r.Errorf(path, "%s has a version; write the group alone: %s", fields.Quote(s), group)
			} else if !groupSyntax.MatchString(s) {
				r.Errorf(path, "%s is not an API group like apps or argoproj.io", fields.Quote(s))
			}
		})},
		{Name: "kind", Required: true, Read: text(&w.Kind, func(s, path string) {
			if !kindSyntax.MatchString(s) {
				r.Errorf(path, "%s is not a kind like Deployment", fields.Quote(s))
			}
		})},
		{Name: "template", Required: true, Read: text(&w.Template, fieldPath)},
		{Name: "containers", Read: func(n *yaml.Node, path string) {
			w.Containers, _ = r.Strings(n, path)
			for i, s := range w.Containers {
				fieldPath(s, yamlnode.Index(path, i))
			}
		}},
		{Name: "replicas", Read: text(&w.Replicas, func(s, path string) {
			fieldPath(s, path)
			if strings.HasSuffix(s, "[]") {
				r.Errorf(path, "%s is a list; want the path of a number", fields.Quote(s))
			}
		})},
	})
	return w
}
