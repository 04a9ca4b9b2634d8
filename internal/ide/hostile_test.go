package ide

import (
	"fmt"
	"strings"
	"testing"

	"debuggable.dev/debuggable/internal/debuginfo"
)

// TestDeepLaunch: what nests deeper than anybody's file is refused, in one piece.
func TestDeepLaunch(t *testing.T) {
	for name, text := range map[string]string{
		"arrays":                      strings.Repeat("[", 8<<20),
		"behind strings and comments": "{\"a]\\\"]\": " + strings.Repeat("[\"]\", // ]\n\"\\\"]\", /* ] */ ", 1<<18),
	} {
		_, err := mergeLaunch([]byte(text), ours, one("a"), true)
		if err == nil || !strings.Contains(err.Error(), "nests deeper") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := depth([]byte("[{}, /* [ */ // [\n\"[\\\"[\", [1, \"")); got != 2 {
		t.Errorf("a depth of %d", got)
	}
}

// TestLargeLaunch: a file with very many entries, ours and others', takes what it is long. With each taken out or put
// in by itself this would go on for hours.
func TestLargeLaunch(t *testing.T) {
	const gone = 200_000
	var b strings.Builder
	b.WriteString("{\"configurations\": [\n")
	for i := range gone {
		fmt.Fprintf(&b, "{\"name\": \"debuggable: %d\"},\n{\"name\": \"mine %d\"},\n", i, i)
	}
	b.WriteString("]}")
	var names []string
	for i := range 4096 {
		names = append(names, fmt.Sprintf("new %d", i))
	}
	merged, err := mergeLaunch([]byte(b.String()), ours, one(names...), false)
	if err != nil {
		t.Fatal(err)
	}
	again, err := mergeLaunch(merged, ours, one(names...), false)
	if err != nil {
		t.Fatal(err)
	}
	if count := strings.Count(string(again), "\"name\""); count != gone+len(names) || string(again) != string(merged) {
		t.Errorf("%d entries; the same again: %t", count, string(again) == string(merged))
	}
}

// TestPossible: what Kubernetes would not accept does not become a part of a command line or of a path.
func TestPossible(t *testing.T) {
	good := Container{Namespace: "shop", Kind: "Deployment", Workload: "web.v1", Name: "app"}
	for name, change := range map[string]func(*Container){
		"an option for kubectl":    func(c *Container) { c.Kind = "--kubeconfig=." },
		"a path":                   func(c *Container) { c.Workload = "../../x" },
		"a command":                func(c *Container) { c.Name = "$(id)" },
		"a variable of the editor": func(c *Container) { c.Workload = "${command:x}" },
		"an option":                func(c *Container) { c.Namespace = "-x" },
		"a line break":             func(c *Container) { c.Name = "a\n" },
		"no name":                  func(c *Container) { c.Name = "" },
		"a long name":              func(c *Container) { c.Name = strings.Repeat("a", 64) },
		"capitals":                 func(c *Container) { c.Workload = "Web" },
	} {
		bad := good
		change(&bad)
		if bad.Possible() {
			t.Errorf("%s: %+v is possible", name, bad)
		}
	}
	if !good.Possible() || !(Container{Name: "a"}).Possible() {
		t.Error("what is usual is not possible")
	}
}

// TestManyContainers: each has an entry and a file of its own, and no port that is none.
func TestManyContainers(t *testing.T) {
	long := strings.Repeat("w", 253)
	var containers []Container
	for i := range 66_000 {
		containers = append(containers, Container{Namespace: "shop", Kind: "Pod", Workload: long, Name: fmt.Sprint("c", i/2),
			Info: debuginfo.Container{Runtime: "go", Ports: map[string]int32{"dlv": 56268}}})
	}
	Assign(containers)
	ports := map[int]bool{0: true}
	for _, c := range containers {
		if c.Port != 0 && ports[c.Port] || c.Port > 65535 {
			t.Fatalf("port %d", c.Port)
		}
		ports[c.Port] = true
	}
	if len(ports) != 65536-56268+1 {
		t.Errorf("%d ports", len(ports))
	}
	files := map[string]bool{}
	for _, f := range jetbrainsFiles("/w", containers[:2000]) {
		if files[f.name] || len(f.name) > 255 {
			t.Fatalf("file %q", f.name)
		}
		files[f.name] = true
	}
}
