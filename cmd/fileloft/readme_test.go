package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// block returns the README's code block of a language that contains a text.
func block(t *testing.T, language, with string) string {
	t.Helper()
	b, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for rest := string(b); ; {
		_, after, ok := strings.Cut(rest, "```"+language+"\n")
		if !ok {
			t.Fatalf("README.md has no %s block with %q", language, with)
		}
		code, tail, _ := strings.Cut(after, "\n```")
		if strings.Contains(code, with) {
			return code
		}
		rest = tail
	}
}

func TestTheCurlSessionOfTheREADMEWorksWhenPasted(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes a second or two")
	}
	t.Parallel()
	for _, tool := range []string{"bash", "curl"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("REQUIRE_EMULATORS") != "" {
				t.Fatalf("%s is missing", tool)
			}
			t.Skipf("SKIPPED: %s is missing", tool)
		}
	}
	data := t.TempDir()
	s := serve(t, command(t, []string{"FILELOFT_DATA_DIR=" + data}))
	script := strings.ReplaceAll(block(t, "sh", "photo.bin"), "http://localhost:8080", s.url)
	cmd := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", script)
	cmd.Dir = t.TempDir()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{"400000 bytes are safe", "Upload-Offset: 1000000", "Repr-Digest: crc32c="} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the session does not show %q:\n%s", want, out)
		}
	}
	want, err := os.ReadFile(filepath.Join(cmd.Dir, "photo.bin"))
	if err != nil {
		t.Fatal(err)
	}
	stored, err := filepath.Glob(filepath.Join(data, "files", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range stored {
		if got, err := os.ReadFile(f); err == nil && bytes.Equal(got, want) {
			return
		}
	}
	t.Errorf("none of %v is the file that was sent", stored)
}

func TestTheLibraryExampleOfTheREADMECompiles(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "main.go")
	if err := os.WriteFile(file, []byte(block(t, "go", "package main")), 0o600); err != nil {
		t.Fatal(err)
	}
	// Named as a file it is compiled as if it lay in this module.
	if out, err := exec.CommandContext(t.Context(), "go", "vet", file).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
