package main

import (
	"archive/zip"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestTheZipIsWhatLambdaWantsAndAlwaysTheSame(t *testing.T) {
	dir := t.TempDir()
	program, want := filepath.Join(dir, "program"), []byte(strings.Repeat("machine code ", 1000))
	if err := os.WriteFile(program, want, 0o600); err != nil { // its own mode does not matter
		t.Fatal(err)
	}
	var zips [2][]byte
	for i, age := range []time.Duration{0, 48 * time.Hour} {
		if err := os.Chtimes(program, time.Now().Add(-age), time.Now().Add(-age)); err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(dir, "out.zip")
		var out bytes.Buffer
		if err := run(&out, to, program); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(out.String(), "MiB") {
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
	if len(z.File) != 1 || z.File[0].Name != "bootstrap" || z.File[0].Mode() != 0o755 {
		t.Fatalf("the zip holds %+v", z.File)
	}
	f, err := z.File[0].Open()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(f); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes came back, %v", len(got), err)
	}
}

func TestAMissingProgramMakesNoZip(t *testing.T) {
	to := filepath.Join(t.TempDir(), "out.zip")
	if err := run(io.Discard, to, filepath.Join(t.TempDir(), "missing")); err == nil {
		t.Error("no error")
	}
	if _, err := os.Stat(to); err == nil {
		t.Error("there is a zip")
	}
}
