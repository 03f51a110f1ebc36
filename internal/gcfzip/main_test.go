package main

import (
	"archive/zip"
	"bytes"
	"go/parser"
	"go/token"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// module writes a module that has what this one has: packages that the functions need, some that they do not, tests, files
// for other systems and files that are embedded.
func module(t *testing.T, more map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	files := map[string]string{
		"go.mod":                     "module example.com/m\n\ngo 1.26\n",
		"go.sum":                     "",
		"README.md":                  "not a source",
		"functions/gcf/gcf.go":       "package gcf\n\nimport _ \"example.com/m/state\"\n",
		"functions/gcf/gcf_test.go":  "package gcf\n\nimport _ \"example.com/m/aws\"\n",
		"functions/gcf/cmd/x/x.go":   "package main\n\nimport _ \"example.com/m/functions/gcf\"\n\nfunc main() {}\n",
		"state/state.go":             "package state\n\nimport _ \"embed\"\n\n//go:embed data/schema.txt\nvar Schema string\n",
		"state/data/schema.txt":      "schema",
		"state/data/other.txt":       "not embedded",
		"state/state_linux.go":       "package state\n",
		"state/state_darwin.go":      "package state\n",
		"state/export_test.go":       "package state\n",
		"aws/aws.go":                 "package aws\n",
		"internal/notneeded/main.go": "package main\n\nfunc main() {}\n",
	}
	for name, text := range more {
		files[name] = text
	}
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestTheZipHasWhatTheFunctionsNeedAndNoMore(t *testing.T) {
	dir := module(t, nil)
	to := filepath.Join(t.TempDir(), "out.zip")
	var out bytes.Buffer
	if err := run(&out, to, dir); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "7 files") {
		t.Errorf("it says %q", out.String())
	}
	z, err := zip.OpenReader(to)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	got := map[string]string{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		got[f.Name] = string(data)
	}
	root := got["fileloft.go"]
	delete(got, "fileloft.go")
	want := map[string]string{}
	for _, name := range []string{"go.mod", "go.sum", "functions/gcf/gcf.go", "state/state.go", "state/state_linux.go", "state/data/schema.txt"} {
		data, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		want[name] = string(data)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("want (-), got (+):\n%s", d)
	}
	checkShim(t, root)
}

func checkShim(t *testing.T, text string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "fileloft.go", text, parser.ImportsOnly)
	if err != nil {
		t.Fatalf("the root package does not parse: %v\n%s", err, text)
	}
	var imports []string
	for _, i := range file.Imports {
		imports = append(imports, i.Path.Value)
	}
	slices.Sort(imports)
	if d := cmp.Diff([]string{`"example.com/m/functions/gcf"`, `"` + framework + `"`}, imports); file.Name.Name != rootName || d != "" {
		t.Errorf("the root package is %s:\n%s", file.Name.Name, d)
	}
}

func TestTheSameSourcesMakeTheSameZip(t *testing.T) {
	dir := module(t, nil)
	var zips [2][]byte
	for i, age := range []time.Duration{0, 48 * time.Hour} {
		source := filepath.Join(dir, "state", "state.go")
		if err := os.Chtimes(source, time.Now().Add(-age), time.Now().Add(-age)); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(source, []os.FileMode{0o600, 0o755}[i]); err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(t.TempDir(), "out.zip")
		if err := run(io.Discard, to, dir); err != nil {
			t.Fatal(err)
		}
		var err error
		if zips[i], err = os.ReadFile(to); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(zips[0], zips[1]) {
		t.Error("the zip depends on the files' times or modes")
	}
}

func TestWhatTheBuilderCannotTakeIsRefused(t *testing.T) {
	for name, c := range map[string]struct{ file, text, want string }{
		"a package in the root":          {"main.go", "package main\n", "main.go is in the module's root"},
		"a directory of the shim's name": {"fileloft/x.go", "package fileloft\n", "fileloft is in the module's root"},
		"a source that does not parse":   {"state/bad.go", "package\n", "list the packages"},
		"a package that is not there":    {"state/more.go", "package state\n\nimport _ \"example.com/m/missing\"\n", "list the packages"},
		"a module that go.mod lacks":     {"state/more.go", "package state\n\nimport _ \"example.org/other\"\n", "list the packages"},
		"functions for no system":        {"functions/gcf/gcf.go", "//go:build never\n\npackage gcf\n", "functions/gcf is no package"},
	} {
		t.Run(name, func(t *testing.T) {
			to := filepath.Join(t.TempDir(), "out.zip")
			err := run(io.Discard, to, module(t, map[string]string{c.file: c.text}))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
			if _, err := os.Stat(to); err == nil {
				t.Error("there is a zip")
			}
		})
	}
}
