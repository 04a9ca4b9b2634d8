package runtimes

import (
	"encoding/json"
	"slices"
	"strings"
)

// buildpacks are the ids of the buildpacks that build for a language: those that make its programs start, and those that bring an
// interpreter, also for the builds of others. An id that ends with a dot or a dash is the beginning of several.
type buildpacks struct {
	language     string
	starts, aids []string
	// native are those that turn its programs into native ones.
	native []string
}

// buildpackTable is from the lists of buildpacks in the builders of Paketo, Heroku and Google Cloud.
func buildpackTable() []buildpacks {
	return []buildpacks{
		{language: "go", starts: []string{"google.go.", "paketo-buildpacks/go-", "paketo-buildpacks/go", "heroku/go"}},
		{
			language: "jvm",
			starts: []string{
				"google.java.", "paketo-buildpacks/java", "paketo-buildpacks/executable-jar", "paketo-buildpacks/dist-zip", "paketo-buildpacks/apache-tomcat",
				"paketo-buildpacks/apache-tomee", "paketo-buildpacks/liberty", "paketo-buildpacks/spring-boot", "heroku/java", "heroku/maven", "heroku/gradle",
				"heroku/scala", "heroku/sbt", "heroku/clojure", "heroku/java-function", "heroku/jvm-function-invoker",
			},
			aids: []string{
				"paketo-buildpacks/bellsoft-liberica", "paketo-buildpacks/adoptium", "paketo-buildpacks/eclipse-openj9", "paketo-buildpacks/amazon-corretto",
				"paketo-buildpacks/azul-zulu", "paketo-buildpacks/sap-machine", "paketo-buildpacks/microsoft-openjdk", "paketo-buildpacks/oracle",
				"paketo-buildpacks/alibaba-dragonwell", "heroku/jvm",
			},
			native: []string{"paketo-buildpacks/native-image", "google.java.graalvm", "google.java.native-image"},
		},
		{
			language: "nodejs",
			starts: []string{
				"google.nodejs.", "paketo-buildpacks/nodejs", "paketo-buildpacks/npm-start", "paketo-buildpacks/yarn-start", "paketo-buildpacks/node-start",
				"heroku/nodejs", "heroku/nodejs-function", "heroku/nodejs-function-invoker",
			},
			aids: []string{
				"google.nodejs.runtime", "google.nodejs.yarn", "google.nodejs.npm", "paketo-buildpacks/node-engine", "paketo-buildpacks/npm-install",
				"paketo-buildpacks/yarn-install", "heroku/nodejs-engine", "heroku/nodejs-npm", "heroku/nodejs-npm-install", "heroku/nodejs-npm-engine",
				"heroku/nodejs-yarn", "heroku/nodejs-pnpm", "heroku/nodejs-pnpm-install", "heroku/nodejs-corepack",
			},
		},
		{
			language: "python",
			starts: []string{
				"google.python.", "paketo-buildpacks/python", "paketo-buildpacks/python-start", "paketo-buildpacks/pip-install", "paketo-buildpacks/poetry-run",
				"paketo-buildpacks/poetry-install", "paketo-buildpacks/pipenv-install", "paketo-buildpacks/conda-env-update", "heroku/python",
			},
			aids: []string{"google.python.runtime", "paketo-buildpacks/cpython", "paketo-buildpacks/miniconda"},
		},
		{
			language: "netcore",
			starts: []string{
				"google.dotnet.", "paketo-buildpacks/dotnet-", "paketo-buildpacks/dotnet-core", "heroku/dotnet",
			},
		},
		{language: "ruby", starts: []string{
			"google.ruby.", "paketo-buildpacks/ruby", "paketo-buildpacks/puma", "paketo-buildpacks/unicorn", "paketo-buildpacks/rackup", "paketo-buildpacks/passenger",
			"paketo-buildpacks/thin", "paketo-buildpacks/rake", "heroku/ruby",
		}},
		{language: "php", starts: []string{"google.php.", "paketo-buildpacks/php", "paketo-buildpacks/php-", "heroku/php"}},
		{language: "static", starts: []string{"paketo-buildpacks/web-servers", "paketo-buildpacks/nginx", "paketo-buildpacks/httpd", "google.utils.nginx"}},
	}
}

// buildpackSign is the sign of the buildpacks that built an image. One that only brings an interpreter is a sign where no other
// language's started the program: Node's builds the assets of Rails, CPython's the native modules of Node.
func buildpackSign(p Process, language string) Sign {
	ids := buildpackIDs(p.Labels)
	aid := Sign{}
	for _, b := range buildpackTable() {
		if slices.ContainsFunc(ids, func(id string) bool { return oneOf(id, b.native) }) {
			continue
		}
		for _, id := range ids {
			switch {
			case oneOf(id, b.aids):
				if b.language == language && aid.Strength == None {
					aid = Sign{Strong, "image built with buildpack " + id}
				}
			case !oneOf(id, b.starts):
			case b.language == language:
				return Sign{Strong, "image built with buildpack " + id}
			}
		}
	}
	for _, b := range buildpackTable() {
		if b.language != language && slices.ContainsFunc(ids, func(id string) bool { return oneOf(id, b.starts) && !oneOf(id, b.aids) }) {
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

// buildpackIDs returns the ids of the buildpacks that built an image, from the label that the buildpacks platform
// specification defines (io.buildpacks.build.metadata).
func buildpackIDs(labels map[string]string) []string {
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
