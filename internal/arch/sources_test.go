package arch

import (
	"go/ast"
	"slices"
	"strings"
	"testing"
)

// mayReadEnvironment lists the packages whose files, besides tests, may look at the environment.
var mayReadEnvironment = map[string]string{
	"internal/servers": "tests alone: whether a server that is missing fails them",
	"internal/app":     "it reads all settings, in one function",
}

func TestTheEnvironmentIsReadInOnePlace(t *testing.T) {
	readers := []string{"Getenv", "LookupEnv", "Environ", "ExpandEnv"}
	found := map[string]bool{}
	for _, s := range all(t, false) {
		ast.Inspect(s.file, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			p, ok := sel.X.(*ast.Ident)
			if !ok || p.Name != "os" && p.Name != "syscall" && p.Name != "unix" || !slices.Contains(readers, sel.Sel.Name) {
				return true
			}
			found[s.dir()] = true
			if mayReadEnvironment[s.dir()] == "" {
				t.Errorf("%s reads the environment with %s.%s", s.fset.Position(n.Pos()), p.Name, sel.Sel.Name)
			}
			return true
		})
	}
	if !found["internal/app"] {
		t.Error("not even internal/app is found to read the environment: this test is blind")
	}
}

// The Go function builder parses the module's root package, and would take any file there for the function.
func TestTheRootHasNoGoFile(t *testing.T) {
	for _, s := range all(t, true) {
		if s.dir() == "." {
			t.Errorf("%s lies in the module's root", s.path)
		}
	}
}

func TestEveryPackageSaysWhatItIs(t *testing.T) {
	said := map[string]bool{}
	for _, s := range all(t, false) {
		said[s.dir()] = said[s.dir()] || s.file.Doc != nil
	}
	for dir, ok := range said {
		if !ok {
			t.Errorf("%s has no package comment", dir)
		}
	}
}

const (
	maxFileLines     = 300
	maxFunctionLines = 60
	maxExported      = 15
)

// exceptions says why a file, a function ("file.go:Name") or a package may be larger. A row that is no longer needed
// fails too.
var exceptions = map[string]string{
	"state": "rules, record, codec and the Store over a Swapper: one subject, and drivers need each of the names",
	"tus":   "the public face of the library: ports, records, options and errors are one vocabulary",
}

func TestSizes(t *testing.T) {
	large := map[string]int{}
	exported := map[string]int{}
	for _, s := range all(t, false) {
		if n := s.fset.File(s.file.Pos()).LineCount(); n > maxFileLines {
			large[s.path] = n
		}
		for _, d := range s.file.Decls {
			exported[s.dir()] += exportedNames(d)
			f, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			if n := s.lines(f); n > maxFunctionLines {
				large[s.path+":"+f.Name.Name] = n
			}
		}
	}
	for dir, n := range exported {
		if n > maxExported {
			large[dir] = n
		}
	}
	for what, n := range large {
		if exceptions[what] == "" {
			t.Errorf("%s is too large: %d; allowed are %d lines a file, %d a function, %d exported names a package",
				what, n, maxFileLines, maxFunctionLines, maxExported)
		}
	}
	for what := range exceptions {
		if large[what] == 0 {
			t.Errorf("%s needs no exception any more: take its row out", what)
		}
	}
}

// exportedNames counts the names that a declaration adds to a package's face. Methods belong to their types.
func exportedNames(d ast.Decl) int {
	var names []*ast.Ident
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil {
			names = append(names, d.Name)
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				names = append(names, s.Name)
			case *ast.ValueSpec:
				names = append(names, s.Names...)
			}
		}
	}
	n := 0
	for _, name := range names {
		if name.IsExported() {
			n++
		}
	}
	return n
}

// Names of the workplace and of registries have no business in sources that others read.
func TestSourcesNameNoMachine(t *testing.T) {
	for _, s := range all(t, true) {
		for _, group := range s.file.Comments {
			for _, dir := range []string{"root", "home", "tmp"} {
				if word := "/" + dir + "/"; strings.Contains(group.Text(), word) {
					t.Errorf("%s names %s", s.fset.Position(group.Pos()), word)
				}
			}
		}
	}
}
