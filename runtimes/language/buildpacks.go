package language

import (
	"encoding/json"
	"slices"
	"strings"
)

// Buildpacks are the ids of the buildpacks that build for a language. An id that ends with a dot or a dash is the
// beginning of several.
type Buildpacks struct {
	// Starts are those that make its programs start, Aids those that bring an interpreter, also for the builds of others.
	Starts, Aids []string
	// Native are those that turn its programs into native ones.
	Native []string
}

// otherBuildpacks start programs that belong to none of the languages.
func otherBuildpacks() Buildpacks {
	return Buildpacks{Starts: []string{
		"google.php.", "paketo-buildpacks/php", "paketo-buildpacks/php-", "heroku/php",
		"paketo-buildpacks/web-servers", "paketo-buildpacks/nginx", "paketo-buildpacks/httpd", "google.utils.nginx",
	}}
}

// buildpackSign is the sign of the buildpacks that built an image. One that only brings an interpreter is a sign where
// no other language's started the program: Node's builds the assets of Rails, CPython's the native modules of Node.
func buildpackSign(p Process, language *Language) Sign {
	ids, own := p.buildpacks(), language.Signs.Buildpacks
	if len(ids) == 0 {
		return Sign{} // as most images, whose containers may be many
	}
	if slices.ContainsFunc(ids, func(id string) bool { return oneOf(id, own.Native) }) {
		return Sign{}
	}
	aid := Sign{}
	for _, id := range ids {
		sign := Sign{Strong, "image built with buildpack " + id}
		switch {
		case oneOf(id, own.Aids):
			if aid.Strength == None {
				aid = sign
			}
		case oneOf(id, own.Starts):
			return sign
		}
	}
	others := []Buildpacks{otherBuildpacks()}
	for _, l := range p.Languages {
		if l.Name() != language.Name() {
			others = append(others, l.Signs.Buildpacks)
		}
	}
	for _, other := range others {
		if slices.ContainsFunc(ids, func(id string) bool { return oneOf(id, other.Starts) && !oneOf(id, other.Aids) }) {
			return Sign{}
		}
	}
	return aid
}

// oneOf reports whether an id is listed.
func oneOf(id string, list []string) bool {
	return slices.ContainsFunc(list, func(w string) bool {
		return id == w || (strings.HasSuffix(w, ".") || strings.HasSuffix(w, "-")) && strings.HasPrefix(id, w)
	})
}

// buildpacks returns the ids of the buildpacks that built the image.
func (p Process) buildpacks() []string {
	if p.Buildpacks != nil {
		return p.Buildpacks()
	}
	return BuildpackIDs(p.Labels)
}

// BuildpackIDs returns the ids of the buildpacks that built an image, from the label that the buildpacks platform
// specification defines (io.buildpacks.build.metadata).
func BuildpackIDs(labels map[string]string) []string {
	if labels["io.buildpacks.build.metadata"] == "" {
		return nil
	}
	var metadata struct {
		Buildpacks []struct {
			ID string `json:"id"`
		} `json:"buildpacks"`
	}
	// A label that is no JSON holds no sign.
	if json.Unmarshal([]byte(labels["io.buildpacks.build.metadata"]), &metadata) != nil {
		return nil
	}
	var ids []string
	for _, b := range metadata.Buildpacks {
		ids = append(ids, b.ID)
	}
	return ids
}
