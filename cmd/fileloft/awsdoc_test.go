package main

import (
	"bytes"
	"crypto/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// docs/aws.md shows how to upload a file of any size with curl where a request may carry 4 MiB.
func TestTheCurlLoopOfTheAWSPageWorksWhenPasted(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes a second or two")
	}
	t.Parallel()
	for _, tool := range []string{"bash", "curl"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("REQUIRE_EMULATORS") == "1" {
				t.Fatalf("%s is missing", tool)
			}
			t.Skipf("=== SKIPPED: %s is missing ===", tool)
		}
	}
	page, err := os.ReadFile("../../docs/aws.md")
	if err != nil {
		t.Fatal(err)
	}
	const end = "/files/ file=film.mp4 "
	before, after, ok := strings.Cut(string(page), end)
	loop, _, closed := strings.Cut(after, "\n```")
	i := strings.LastIndex(before, "endpoint=")
	if !ok || !closed || i < 0 {
		t.Fatalf("docs/aws.md has no script with %q", end)
	}
	data, dir := t.TempDir(), t.TempDir()
	film := make([]byte, 2*4194304+1)
	_, _ = rand.Read(film) // never fails
	if err := os.WriteFile(filepath.Join(dir, "film.mp4"), film, 0o600); err != nil {
		t.Fatal(err)
	}
	s := serve(t, command(t, []string{"FILELOFT_DATA_DIR=" + data, "FILELOFT_MAX_CHUNK=4MiB"}))
	cmd := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", "endpoint="+s.url+end+loop)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	stored, err := filepath.Glob(filepath.Join(data, "files", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range stored {
		if got, err := os.ReadFile(f); err == nil && bytes.Equal(got, film) {
			return
		}
	}
	t.Errorf("none of %v is the file that was sent", stored)
}
