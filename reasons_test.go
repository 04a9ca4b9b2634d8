package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// uncovered are the reasons that no script can have a result with, and why.
var uncovered = map[string]string{
	"NoFreePort":       "takes a pod that declares more than nine thousand ports; see TestNoFreePort of package transform",
	"AnnotationsFull":  "takes annotations of 256 KiB; see TestAnnotationsFull of package transform",
	"WordNeedsQuoting": "no runtime inserts a word that needs quotes; package launch tests it with words of its own",
}

// TestEveryReasonHasAGolden reads the reasons of results from the source, wherever one is made, and looks each up among
// the results that testdata/reasons shows.
func TestEveryReasonHasAGolden(t *testing.T) {
	shown := map[string]bool{}
	scripts, err := filepath.Glob("testdata/reasons/*.txtar")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no scripts in testdata/reasons (%v)", err)
	}
	for _, script := range scripts {
		text, err := os.ReadFile(script)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`"reason":"(\w+)"|\n +reason: (\w+)\n`).FindAllStringSubmatch(string(text), -1) {
			shown[m[1]+m[2]] = true
		}
	}
	reasons := sourceReasons(t)
	if len(reasons) < 50 {
		t.Fatalf("found %d reasons only: the source writes them in a way that this test does not know", len(reasons))
	}
	for reason, where := range reasons {
		why, excused := uncovered[reason]
		switch {
		case excused && shown[reason]:
			t.Errorf("%s has a golden: it need not be excused (%s)", reason, why)
		case !excused && !shown[reason]:
			t.Errorf("%s (%s) is the reason of no result in testdata/reasons", reason, where)
		}
	}
	for reason := range shown {
		if _, found := reasons[reason]; !found {
			t.Errorf("testdata/reasons shows %s, which the source does not have", reason)
		}
	}
	for reason := range uncovered {
		if _, found := reasons[reason]; !found {
			t.Errorf("%s is excused, but the source does not have it", reason)
		}
	}
}

var camelCase = regexp.MustCompile(`^[A-Z][a-zA-Z0-9]+$`)

// sourceReasons lists the reasons in the source by name, with a place where each stands: constants whose value is their
// own name, the literals of refusals, and the "reason" of tags.
func sourceReasons(t *testing.T) map[string]string {
	reasons := map[string]string{}
	fset := token.NewFileSet()
	add := func(e ast.Expr) {
		lit, ok := e.(*ast.BasicLit)
		if !ok || lit.Kind != token.STRING {
			return
		}
		if s, err := strconv.Unquote(lit.Value); err == nil && camelCase.MatchString(s) {
			reasons[s] = fset.Position(lit.Pos()).String()
		}
	}
	for _, dir := range []string{".", "transform", "runtimes", "internal/launch"} {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(fset, name, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(file, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.ValueSpec:
					for i, v := range n.Values {
						if lit, ok := v.(*ast.BasicLit); ok && i < len(n.Names) && lit.Value == strconv.Quote(n.Names[i].Name) {
							add(v)
						}
					}
				case *ast.CompositeLit:
					if !isRefusal(n.Type) || len(n.Elts) == 0 {
						break
					}
					for i, e := range n.Elts {
						if kv, ok := e.(*ast.KeyValueExpr); ok {
							if key, ok := kv.Key.(*ast.Ident); ok && key.Name == "Reason" {
								add(kv.Value)
							}
						} else if i == 0 {
							add(e)
						}
					}
				case *ast.KeyValueExpr:
					if key, ok := n.Key.(*ast.BasicLit); ok && key.Value == `"reason"` {
						add(n.Value)
					}
				}
				return true
			})
		}
	}
	return reasons
}

// isRefusal says whether a literal is a runtimes.Refusal.
func isRefusal(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name == "Refusal"
	case *ast.SelectorExpr:
		return e.Sel.Name == "Refusal"
	}
	return false
}
