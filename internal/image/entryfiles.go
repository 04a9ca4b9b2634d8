package image

import (
	"fmt"
	"maps"
	"path"
	"slices"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"debuggable.dev/debuggable/internal/fields"
	"debuggable.dev/debuggable/internal/image/files"
)

// readFiles reads what an entry says of the image's files.
func readFiles(r *fields.Reader, n *yaml.Node, at string) []files.File {
	var list []files.File
	r.Items(n, at, func(n *yaml.Node, at string) { list = append(list, readFile(r, n, at)) })
	return list
}

func readFile(r *fields.Reader, n *yaml.Node, at string) files.File {
	var f files.File
	absolute := func(to *string) func(*yaml.Node, string) {
		return func(n *yaml.Node, at string) {
			s, ok := r.String(n, at)
			if ok && (!path.IsAbs(s) || path.Clean(s) != s) {
				r.Errorf(at, "%s is not an absolute path without . and ..", fields.Quote(s))
			}
			*to = s
		}
	}
	r.Mapping(n, at, []fields.Field{
		{Name: "path", Required: true, Read: absolute(&f.Path)},
		{Name: "target", Read: absolute(&f.Target)},
		{Name: "absent", Read: func(n *yaml.Node, at string) { f.Absent, _ = r.Bool(n, at) }},
		{Name: "script", Read: func(n *yaml.Node, at string) {
			if f.Script, _ = r.String(n, at); len(f.Script) > files.MaxScript {
				r.Errorf(at, "the script has more than %d bytes", files.MaxScript)
			}
		}},
		{Name: "interpreter", Read: func(n *yaml.Node, at string) { f.Interpreter, _ = r.Strings(n, at) }},
		{Name: "go", Read: func(n *yaml.Node, at string) { f.Go = readGo(r, n, at) }},
		{Name: "netcore", Read: func(n *yaml.Node, at string) {
			f.Netcore = &files.Netcore{}
			r.Mapping(n, at, []fields.Field{{Name: "version", Read: stringInto(r, &f.Netcore.Version)}})
		}},
		{Name: "native", Read: func(n *yaml.Node, at string) { f.Native, _ = r.Bool(n, at) }},
		{Name: "package", Read: func(n *yaml.Node, at string) { f.Package = readPackage(r, n, at) }},
	})
	return f
}

func stringInto(r *fields.Reader, to *string) func(*yaml.Node, string) {
	return func(n *yaml.Node, at string) { *to, _ = r.String(n, at) }
}

func readGo(r *fields.Reader, n *yaml.Node, at string) *files.Go {
	g := &files.Go{}
	r.Mapping(n, at, []fields.Field{
		{Name: "version", Read: stringInto(r, &g.Version)},
		{Name: "module", Read: stringInto(r, &g.Module)},
		{Name: "package", Read: stringInto(r, &g.Package)},
		{Name: "debugInfo", Read: func(n *yaml.Node, at string) {
			size, ok := r.Int(n, at)
			if ok && size < 0 {
				r.Errorf(at, "%d is not a size in bytes", size)
			}
			g.DebugInfo = int64(size)
		}},
		{Name: "optimised", Read: func(n *yaml.Node, at string) { g.Optimised, _ = r.Bool(n, at) }},
		{Name: "compileDir", Read: stringInto(r, &g.CompileDir)},
	})
	return g
}

func readPackage(r *fields.Reader, n *yaml.Node, at string) *files.Package {
	p := &files.Package{}
	r.Mapping(n, at, []fields.Field{
		{Name: "name", Read: stringInto(r, &p.Name)},
		{Name: "scripts", Read: func(n *yaml.Node, at string) {
			r.Pairs(n, at, func(name string, n *yaml.Node, at string) {
				if text, ok := r.String(n, at); ok {
					if p.Scripts == nil {
						p.Scripts = map[string]string{}
					}
					p.Scripts[name] = text
				}
			})
		}},
	})
	return p
}

// files writes what is known of an image's files, in the order given.
func (w *writer) files(list []files.File) *yaml.Node {
	n := &yaml.Node{Kind: yaml.SequenceNode}
	for _, f := range list {
		m := mapping(0)
		w.put(m, "path", f.Path)
		w.putFilled(m, "target", f.Target)
		if f.Absent {
			put(m, "absent", boolean(true))
		}
		if f.Script != "" {
			w.put(m, "script", f.Script)
		}
		if words := w.list(f.Interpreter); words != nil {
			put(m, "interpreter", words)
		}
		if f.Go != nil {
			put(m, "go", w.goProgram(*f.Go))
		}
		if f.Netcore != nil {
			netcore := mapping(yaml.FlowStyle)
			w.putFilled(netcore, "version", f.Netcore.Version)
			put(m, "netcore", netcore)
		}
		if f.Native {
			put(m, "native", boolean(true))
		}
		if f.Package != nil {
			put(m, "package", w.packageJSON(*f.Package))
		}
		n.Content = append(n.Content, m)
	}
	return n
}

func (w *writer) goProgram(g files.Go) *yaml.Node {
	m := mapping(yaml.FlowStyle)
	w.putFilled(m, "version", g.Version)
	w.putFilled(m, "module", g.Module)
	w.putFilled(m, "package", g.Package)
	put(m, "debugInfo", &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!int", Value: fmt.Sprint(g.DebugInfo)})
	if g.Optimised {
		put(m, "optimised", boolean(true))
	}
	w.putFilled(m, "compileDir", g.CompileDir)
	return m
}

func (w *writer) packageJSON(p files.Package) *yaml.Node {
	m := mapping(0)
	w.putFilled(m, "name", p.Name)
	if len(p.Scripts) > 0 {
		scripts := mapping(0)
		for _, name := range slices.Sorted(maps.Keys(p.Scripts)) {
			w.put(scripts, name, p.Scripts[name])
		}
		put(m, "scripts", scripts)
	}
	if len(m.Content) == 0 {
		m.Style = yaml.FlowStyle // {}
	}
	return m
}

func boolean(b bool) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: fmt.Sprint(b)}
}

func (w *writer) putFilled(m *yaml.Node, key, value string) {
	if value != "" {
		w.put(m, key, value)
	}
}
