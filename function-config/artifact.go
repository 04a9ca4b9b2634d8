package functionconfig

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"debuggable.dev/debuggable/internal/fields"
)

// Artifact is an image that is to be transformed.
type Artifact struct {
	// Image is a pattern for image references; Match says how it is read.
	Image string
	// Name is what the annotation records as artifact; "" means the container's image as written.
	Name string
	// Runtime is the canonical name of the language runtime, or "" where it is to be detected.
	Runtime string

	// variant says that this is another form of the artifact in front of it: of the two, a container has one.
	variant bool
}

// ImageRuntime says what the images that a pattern means run.
type ImageRuntime struct {
	// Image is a pattern, as an artifact's.
	Image string
	// Runtime is the canonical name of the language runtime.
	Runtime string
}

// Match reports whether the image reference ref is meant, as Artifact.Match does.
func (r ImageRuntime) Match(ref string) bool { return matchImage(r.Image, ref) }

// Match says whether the artifact's image means the image reference ref, which need not be valid.
//
// A tag and a digest of ref count only where the pattern has them too; a reference without either has the tag latest.
// In the repository, * matches within one path element and ** any number of them; ?, [a-z] and {a,b} work as in file
// names. The pattern has to match one of the repository's spellings in full. A repository of Docker Hub has several:
// nginx, library/nginx, docker.io/nginx, docker.io/library/nginx and the same with index.docker.io. Any other has
// one, beginning with its registry. So web* means official images of Docker Hub alone, and **/web* those of every
// registry.
func (a Artifact) Match(ref string) bool { return matchImage(a.Image, ref) }

func matchImage(pattern, ref string) bool {
	want, got := splitReference(pattern), splitReference(ref)
	if want.digest != "" && want.digest != got.digest {
		return false
	}
	if want.tag != "" {
		if got.tag == "" && got.digest == "" {
			got.tag = "latest"
		}
		if !glob(want.tag, got.tag) {
			return false
		}
	}
	return slices.ContainsFunc(spellings(got.repository), func(s string) bool { return glob(want.repository, s) })
}

func glob(pattern, s string) bool {
	ok, err := doublestar.Match(pattern, s)
	return err == nil && ok
}

// reference is an image reference, or a pattern for references, in parts. It is cut by hand since patterns are not
// references, and since a reference that holds a variable still to be replaced is worth comparing.
type reference struct{ repository, tag, digest string }

func splitReference(s string) reference {
	var r reference
	r.repository, r.digest, _ = strings.Cut(s, "@")
	// A colon in front of the last slash is that of a registry's port.
	if i := strings.LastIndex(r.repository, ":"); i > strings.LastIndex(r.repository, "/") {
		r.repository, r.tag = r.repository[:i], r.repository[i+1:]
	}
	return r
}

// spellings returns all forms of a repository's name that mean the same, the one given first.
func spellings(repository string) []string {
	path := repository
	if registry, rest, ok := strings.Cut(repository, "/"); ok &&
		(strings.ContainsAny(registry, ".:") || registry == "localhost") {
		if registry != "docker.io" && registry != "index.docker.io" {
			return []string{repository}
		}
		path = rest
	}
	paths := []string{path}
	if official, ok := strings.CutPrefix(path, "library/"); ok && !strings.Contains(official, "/") {
		paths = append(paths, official)
	} else if !strings.Contains(path, "/") {
		paths = append(paths, "library/"+path)
	}
	all := []string{repository}
	for _, p := range paths {
		all = append(all, p, "docker.io/"+p, "index.docker.io/"+p)
	}
	return all
}

// checkImagePattern says what is wrong with an artifact's image.
func checkImagePattern(s string) error {
	if checkFilled(s) != nil {
		return errEmpty
	}
	r := splitReference(s)
	switch {
	case len(s) > maxPattern:
		return fmt.Errorf("%s is longer than %d bytes: write it as several artifacts", fields.Quote(s), maxPattern)
	case strings.Contains(s, "://"):
		return fmt.Errorf("%s is not an image; leave out the scheme", fields.Quote(s))
	case strings.ContainsAny(s, " \t\r\n"):
		return fmt.Errorf("%s is not an image: it has white space", fields.Quote(s))
	case r.repository == "" || strings.HasPrefix(r.repository, "/") || strings.HasSuffix(r.repository, "/"):
		return fmt.Errorf("%s is not an image: its repository is empty or begins or ends with a slash", fields.Quote(s))
	case strings.Contains(r.repository[strings.Index(r.repository, "/")+1:], ":"):
		return fmt.Errorf("%s is not an image: it has a colon in its repository", fields.Quote(s))
	case strings.HasSuffix(r.repository, ":") || strings.HasSuffix(s, ":") || strings.HasSuffix(s, "@"):
		return fmt.Errorf("%s is not an image: its tag or digest is empty", fields.Quote(s))
	case alternatives(s) > maxAlternatives:
		return fmt.Errorf("%s has more than %d alternatives in its braces, all combined: write it as several artifacts",
			fields.Quote(s), maxAlternatives)
	case !doublestar.ValidatePattern(r.repository) || !doublestar.ValidatePattern(r.tag):
		return fmt.Errorf("%s is not a valid pattern; look at its brackets and braces", fields.Quote(s))
	}
	if r.digest != "" {
		if _, err := v1.NewHash(r.digest); err != nil {
			return fmt.Errorf("%s is not an image: its digest is not like sha256:<64 hexadecimal digits>", fields.Quote(s))
		}
	}
	return nil
}

// maxPattern bounds the bytes of a pattern, all of which an image may have to be compared with.
const maxPattern = 4096

// maxAlternatives bounds the ways to read a pattern: each is tried where none matches.
const maxAlternatives = 1024

// alternatives counts the ways to choose one alternative of each pair of braces, up to a bit more than the bound.
// Braces within braces and those that stand for themselves count as if they were apart.
func alternatives(pattern string) int {
	all := 1
	var open []int // the alternatives of the braces that are open
	for _, c := range pattern {
		switch {
		case c == '{':
			open = append(open, 1)
		case c == ',' && len(open) > 0:
			open[len(open)-1]++
		case c == '}' && len(open) > 0:
			all *= open[len(open)-1]
			open = open[:len(open)-1]
		}
		if all > maxAlternatives {
			return all
		}
	}
	return all
}

// readArtifact reads an element of artifacts, or of what has some of its fields, in a typed functionConfig.
func readArtifact(r *fields.Reader, n *yaml.Node, path string, keys, required []string) Artifact {
	var a Artifact
	var known []fields.Field
	for _, key := range keys {
		known = append(known,
			fields.Field{Name: key, Required: slices.Contains(required, key), Read: func(n *yaml.Node, path string) {
				if s, ok := r.String(n, path); ok {
					a.set(r, key, s, path)
				}
			}})
	}
	r.Mapping(n, path, known)
	return a
}

// parseArtifact reads image=…[,name=…][,runtime=…].
func parseArtifact(r *fields.Reader, s, path string) Artifact {
	var a Artifact
	if checkFilled(s) != nil {
		r.Errorf(path, "is empty")
		return a
	}
	given := map[string]bool{}
	for _, part := range splitOutsideBraces(s) {
		key, value, ok := strings.Cut(part, "=")
		at := fields.Join(path, key)
		switch {
		case !ok && len(given) == 0:
			r.Errorf(path, "%s is not of the form image=IMAGE[,name=NAME][,runtime=RUNTIME], did you mean %q?", fields.Quote(s),
				"image="+s)
			return a
		case !ok:
			r.Errorf(path, "%s is not of the form image=IMAGE[,name=NAME][,runtime=RUNTIME]: look at %s", fields.Quote(s),
				fields.Quote(part))
			return a
		case !slices.Contains(artifactKeys(), key):
			r.Errorf(at, "unknown field%s", fields.DidYouMean(key, artifactKeys()))
			return a
		case given[key]:
			r.Errorf(at, "is given twice")
		}
		given[key] = true
		a.set(r, key, value, at)
	}
	if !given["image"] {
		r.Errorf(fields.Join(path, "image"), "is missing in %s", fields.Quote(s))
	}
	return a
}

// parseImageRuntime reads IMAGE=RUNTIME. No image has an equals sign.
func parseImageRuntime(r *fields.Reader, s, path string) ImageRuntime {
	var a Artifact
	pattern, runtime, ok := strings.Cut(s, "=")
	switch {
	case checkFilled(s) != nil:
		r.Errorf(path, "is empty")
	case !ok:
		r.Errorf(path, "%s is not of the form IMAGE=RUNTIME", fields.Quote(s))
	default:
		a.set(r, "image", strings.TrimSpace(pattern), path)
		a.set(r, "runtime", strings.TrimSpace(runtime), path)
	}
	return ImageRuntime{a.Image, a.Runtime}
}

func artifactKeys() []string { return []string{"image", "name", "runtime"} }

// set checks and sets the field that key names.
func (a *Artifact) set(r *fields.Reader, key, value, path string) {
	var err error
	switch key {
	case "image":
		a.Image, err = value, checkImagePattern(value)
	case "name":
		a.Name, err = value, checkFilled(value)
	case "runtime":
		a.Runtime, err = ParseRuntime(value)
	}
	if err != nil {
		r.Errorf(path, "%v", err)
	}
}

// splitOutsideBraces splits at commas, but not at those of a pattern like acme/{web,api}.
func splitOutsideBraces(s string) []string {
	var parts []string
	depth, start := 0, 0
	for i, c := range s {
		switch {
		case c == '{':
			depth++
		case c == '}':
			depth--
		case c == ',' && depth <= 0:
			parts = append(parts, s[start:i])
			start = i + 1
		}
	}
	return append(parts, s[start:])
}
