// Gcfzip packs the sources of the Google Cloud functions as the platform's builder wants them: go.mod, go.sum, the packages that
// functions/gcf needs, and a package in the module's root that imports it. The builder reads the root package alone, wants
// one package there and no tests, and this module has none there. The same sources make the same zip, byte for byte, on every machine
// and at any time, so that a deployment shows whether anything has changed.
//
//	gcfzip ZIP
//
// It runs in the module's root, and needs the go command.
package main

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	// entry is the package that registers the functions.
	entry = "functions/gcf"
	// rootName is the root package's name. No directory of the root may be called so: the builder would import that one.
	rootName = "fileloft"
	// framework tells the builder that functions register themselves. It looks for the import in the root package.
	framework = "github.com/GoogleCloudPlatform/functions-framework-go/functions"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: gcfzip ZIP")
		os.Exit(2)
	}
	if err := run(os.Stdout, os.Args[1], "."); err != nil {
		fmt.Fprintln(os.Stderr, "gcfzip:", err)
		os.Exit(1)
	}
}

// run packs the module in dir and tells how large the zip is.
func run(out io.Writer, to, dir string) error {
	files, err := collect(dir)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := pack(&b, files); err != nil {
		return fmt.Errorf("write %s: %w", to, err)
	}
	if err := os.WriteFile(to, b.Bytes(), 0o644); err != nil { //nolint:gosec // it is for others to read
		return err
	}
	fmt.Fprintf(out, "%-24s %6.2f MiB, %d files\n", to, float64(b.Len())/(1<<20), len(files))
	return nil
}

// A listed is what go list tells about a package.
type listed struct {
	ImportPath, Dir string
	Module          *struct {
		Path string
		Main bool
	}
	GoFiles, CgoFiles, SFiles, HFiles, EmbedFiles []string
}

// collect returns the zip's files by name.
func collect(dir string) (map[string][]byte, error) {
	if err := checkRoot(dir); err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for _, name := range []string{"go.mod", "go.sum"} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return nil, err
		}
		files[name] = data
	}
	packages, err := list(dir)
	if err != nil {
		return nil, err
	}
	for _, p := range packages {
		if p.Module == nil || !p.Module.Main {
			continue
		}
		if len(p.CgoFiles) > 0 {
			return nil, fmt.Errorf("%s uses cgo", p.ImportPath)
		}
		below := strings.TrimPrefix(p.ImportPath, p.Module.Path+"/")
		for _, name := range slices.Concat(p.GoFiles, p.SFiles, p.HFiles, p.EmbedFiles) {
			data, err := os.ReadFile(filepath.Join(p.Dir, filepath.FromSlash(name)))
			if err != nil {
				return nil, err
			}
			files[path.Join(below, name)] = data
		}
		if below == entry && len(p.GoFiles) > 0 {
			files[rootName+".go"] = shim(p.ImportPath)
		}
	}
	if files[rootName+".go"] == nil {
		return nil, fmt.Errorf("%s is no package of this module", entry)
	}
	return files, nil
}

// checkRoot looks for what would confuse the builder.
func checkRoot(dir string) error {
	found, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return err
	}
	if len(found) > 0 {
		return fmt.Errorf("%s is in the module's root, where the zip has a package of its own", filepath.Base(found[0]))
	}
	if _, err := os.Stat(filepath.Join(dir, rootName)); !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%s is in the module's root: the builder would take it for the functions' package", rootName)
	}
	return nil
}

// list asks the go command what the functions need where they run. go.mod and go.sum must have all of it: the builder is to
// build what was tested here.
func list(dir string) ([]listed, error) {
	cmd := exec.CommandContext(context.Background(), "go", "list", "-deps", "-mod=readonly",
		"-json=ImportPath,Dir,Module,GoFiles,CgoFiles,SFiles,HFiles,EmbedFiles", "./"+entry)
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	cmd.Env = append(cmd.Environ(), "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0")
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("list the packages of %s: %w", entry, err)
	}
	var packages []listed
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		switch err := d.Decode(&p); {
		case errors.Is(err, io.EOF):
			return packages, nil
		case err != nil:
			return nil, fmt.Errorf("read the list of packages: %w", err)
		}
		packages = append(packages, p)
	}
}

// shim is the root package.
func shim(functions string) []byte {
	return fmt.Appendf(nil, `// Package %s is what Google's builder looks for in the module's root. The functions are in the package that it imports.
package %s

import (
	_ %q // has the builder expect functions that register themselves
	_ %q
)
`, rootName, rootName, framework, functions)
}

// pack writes the zip. The time is the earliest that the format knows.
func pack(w io.Writer, files map[string][]byte) error {
	z := zip.NewWriter(w)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		h := &zip.FileHeader{Name: name, Method: zip.Deflate, Modified: time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)}
		h.SetMode(0o644)
		f, err := z.CreateHeader(h)
		if err != nil {
			return err
		}
		if _, err := f.Write(files[name]); err != nil {
			return err
		}
	}
	return z.Close()
}
