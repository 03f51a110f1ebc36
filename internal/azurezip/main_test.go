package main

import (
	"archive/zip"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestTheZipIsWhatTheHostWantsAndAlwaysTheSame(t *testing.T) {
	dir := t.TempDir()
	program, want := filepath.Join(dir, "program"), bytes.Repeat([]byte("machine code "), 1000)
	write := func(name string, data []byte) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, data, 0o600); err != nil { // its own mode does not matter
			t.Fatal(err)
		}
	}
	write(program, want)
	source := filepath.Join(dir, "source")
	for _, name := range []string{"host.json", "B/function.json", "A/function.json", "main.go", "testdata/x"} {
		write(filepath.Join(source, filepath.FromSlash(name)), []byte(name))
	}
	var zips [2][]byte
	for i, age := range []time.Duration{0, 48 * time.Hour} {
		if err := os.Chtimes(program, time.Now().Add(-age), time.Now().Add(-age)); err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(dir, "out.zip")
		var out bytes.Buffer
		if err := run(&out, to, program, source); err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(out.Bytes(), []byte("MiB")) {
			t.Errorf("it does not tell the sizes: %q", out.String())
		}
		var err error
		if zips[i], err = os.ReadFile(to); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(zips[0], zips[1]) {
		t.Error("the zip depends on the file's time")
	}
	z, err := zip.NewReader(bytes.NewReader(zips[0]), int64(len(zips[0])))
	if err != nil {
		t.Fatal(err)
	}
	names := []string{"handler", "host.json", "A/function.json", "B/function.json"}
	if len(z.File) != len(names) {
		t.Fatalf("the zip holds %d files", len(z.File))
	}
	for i, name := range names {
		f := z.File[i]
		mode, data := os.FileMode(0o644), []byte(name)
		if name == "handler" {
			mode, data = 0o755, want
		}
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		if f.Name != name || f.Mode() != mode || err != nil || !bytes.Equal(got, data) {
			t.Errorf("%s: %s %v, %d bytes, %v", name, f.Name, f.Mode(), len(got), err)
		}
	}
}

func TestWhatIsMissingMakesNoZip(t *testing.T) {
	dir := t.TempDir()
	to, program := filepath.Join(dir, "out.zip"), filepath.Join(dir, "program")
	if err := os.WriteFile(program, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{program, filepath.Join(dir, "missing")} {
		if err := run(io.Discard, to, p, dir); err == nil {
			t.Errorf("%s: no error", p)
		}
	}
	if _, err := os.Stat(to); err == nil {
		t.Error("there is a zip")
	}
}
