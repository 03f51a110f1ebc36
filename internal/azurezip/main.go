// Azurezip packs the custom handler as Azure Functions wants it: a zip with host.json, a folder with a function.json for each function, and
// the executable, named handler. The same program and files make the same zip, byte for byte, on every machine and at any time, so that
// a deployment shows whether anything has changed.
//
//	azurezip ZIP PROGRAM DIR
//
// DIR is where host.json and the folders are.
package main

import (
	"archive/zip"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"time"
)

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: azurezip ZIP PROGRAM DIR")
		os.Exit(2)
	}
	if err := run(os.Stdout, os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, "azurezip:", err)
		os.Exit(1)
	}
}

// A file is one of the zip's.
type file struct {
	name string
	mode os.FileMode
	data []byte
}

// run packs and tells how large the zip and the program are.
func run(out io.Writer, to, program, dir string) error {
	files, err := collect(program, dir)
	if err != nil {
		return err
	}
	f, err := os.Create(to)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := pack(f, files); err != nil {
		return fmt.Errorf("write %s: %w", to, err)
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	const mib = 1 << 20
	fmt.Fprintf(out, "%-24s %6.1f MiB, unpacked %.1f MiB\n", to, float64(info.Size())/mib, float64(len(files[0].data))/mib)
	return nil
}

// collect reads the program, host.json and what lies in the functions' folders.
func collect(program, dir string) ([]file, error) {
	data, err := os.ReadFile(program)
	if err != nil {
		return nil, err
	}
	files := []file{{"handler", 0o755, data}}
	configs, err := filepath.Glob(filepath.Join(dir, "*", "function.json"))
	if err != nil {
		return nil, err
	}
	if len(configs) == 0 {
		return nil, fmt.Errorf("%s has no folder with a function.json", dir)
	}
	slices.Sort(configs)
	for _, name := range append([]string{filepath.Join(dir, "host.json")}, configs...) {
		if data, err = os.ReadFile(name); err != nil {
			return nil, err
		}
		rel, err := filepath.Rel(dir, name)
		if err != nil {
			return nil, err
		}
		files = append(files, file{path.Clean(filepath.ToSlash(rel)), 0o644, data})
	}
	return files, nil
}

// pack writes the zip. The time is the earliest that the format knows; the mode is what makes the program executable.
func pack(w io.Writer, files []file) error {
	z := zip.NewWriter(w)
	for _, f := range files {
		h := &zip.FileHeader{Name: f.name, Method: zip.Deflate, Modified: time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)}
		h.SetMode(f.mode)
		out, err := z.CreateHeader(h)
		if err != nil {
			return err
		}
		if _, err := out.Write(f.data); err != nil {
			return err
		}
	}
	return z.Close()
}
