package transform

import (
	"strings"
	"testing"

	v1image "github.com/google/go-containerregistry/pkg/v1"

	functionconfig "debuggable.dev/debuggable/function-config"
	"debuggable.dev/debuggable/internal/image"
)

// TestPortsInUse: a port that the application listens on, as far as the manifests say, is not the debugger's.
func TestPortsInUse(t *testing.T) {
	const other = "\n---\n"
	pod := func(metadata, container, spec string) string {
		return "apiVersion: v1\nkind: Pod\nmetadata: {name: p, labels: {app: web, tier: x}" + metadata +
			"}\nspec: {containers: [{name: c, image: java" + container + "}]" + spec + "}\n"
	}
	config := "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: app}\ndata: {application.properties: " +
		"'server.port=5005', name: web}\n"
	service := func(ns, selector, ports string) string {
		return "apiVersion: v1\nkind: Service\nmetadata: {name: web" + ns + "}\nspec: {selector: " + selector + ", ports: [" +
			ports + "]}\n"
	}
	for name, test := range map[string]struct {
		manifests string
		free      bool
	}{
		"nothing":                     {manifests: pod("", "", ""), free: true},
		"an argument":                 {manifests: pod("", ", args: [--port, '5005']", "")},
		"an argument with an address": {manifests: pod("", ", args: ['--listen=0.0.0.0:5005']", "")},
		"a property":                  {manifests: pod("", ", command: [java, -Dserver.port=5005, -jar, app.jar]", "")},
		"a longer number":             {manifests: pod("", ", args: [--id, '150051']", ""), free: true},
		"a variable":                  {manifests: pod("", ", env: [{name: SERVER_PORT, value: '5005'}]", "")},
		"a variable with addresses":   {manifests: pod("", ", env: [{name: URLS, value: 'http://+:80;http://+:5005'}]", "")},
		"another container":           {manifests: pod("", "}, {name: d, image: other, args: ['5005']", "")},
		"envFrom":                     {manifests: config + other + pod("", ", envFrom: [{configMapRef: {name: app}}]", "")},
		"one value of a ConfigMap": {
			manifests: config + other + pod("", ", env: [{name: A, valueFrom: {configMapKeyRef: {name: app, key: "+
				"application.properties}}}]", "")},
		"a mounted file": {
			manifests: config + other + pod("", "", ", volumes: [{name: v, configMap: {name: app}}]")},
		"a projected file": {
			manifests: config + other + pod("", "", ", volumes: [{name: v, projected: {sources: [{configMap: {name: app}}]}}]")},
		"somebody else's file": {manifests: config + other + pod("", "", ""), free: true},
		"a Service": {
			manifests: service("", "{app: web}", "{port: 80, targetPort: 5005}") + other + pod("", "", "")},
		"a Service's port": {manifests: service("", "{tier: x}", "{port: 5005}") + other + pod("", "", "")},
		"another Service": {
			manifests: service("", "{app: web, tier: y}", "{port: 5005}") + other + pod("", "", ""), free: true},
		"another namespace": {
			manifests: service(", namespace: n", "{app: web}", "{port: 5005}") + other + pod("", "", ""), free: true},
	} {
		t.Run(name, func(t *testing.T) {
			_, results, err := apply(test.manifests, functionconfig.Default(), func(ref string) image.Result {
				if ref == "java" {
					return configured(v1image.Config{Entrypoint: []string{"java", "-jar", "app.jar"}})
				}
				return configured(v1image.Config{Entrypoint: []string{"nginx"}})
			})
			if err != nil {
				t.Fatal(err)
			}
			want := "jdwp on port 5006"
			if test.free {
				want = "jdwp on port 5005"
			}
			if !strings.Contains(strings.Join(messages(results), "\n"), want) {
				t.Errorf("want %s, got %q", want, messages(results))
			}
		})
	}
}

// TestAnnotationsFull: Kubernetes bounds what an object's annotations take together.
func TestAnnotationsFull(t *testing.T) {
	const maxAnnotations = 256 << 10
	for _, test := range []struct {
		size int
		full bool
	}{{maxAnnotations - 1000, false}, {maxAnnotations - 10, true}} {
		in := "apiVersion: v1\nkind: Pod\nmetadata: {name: p, annotations: {note: " + strings.Repeat("x", test.size) +
			"}}\nspec: {containers: [{name: c, image: java}]}\n"
		out, results, err := apply(in, functionconfig.Default(), func(string) image.Result {
			return configured(v1image.Config{Cmd: []string{"java"}})
		})
		if err != nil {
			t.Fatal(err)
		}
		if full := results[0].Tags["reason"] == "AnnotationsFull" && out == in; full != test.full {
			t.Errorf("%d bytes: %q", test.size, messages(results))
		}
	}
}
