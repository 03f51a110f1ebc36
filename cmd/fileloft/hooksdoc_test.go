package main

import (
	"bufio"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fileloft/fileloft/hooks/webhook"
)

// docs/hooks.md shows how to make a secret, and a receiver in Node.
func TestTheReceiverOfTheHooksPageWorksWhenPasted(t *testing.T) {
	t.Parallel()
	for _, tool := range []string{"bash", "node"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("REQUIRE_EMULATORS") == "1" && !testing.Short() {
				t.Fatalf("%s is missing", tool)
			}
			t.Skipf("=== SKIPPED: %s is missing ===", tool)
		}
	}
	page, err := os.ReadFile("../../docs/hooks.md")
	if err != nil {
		t.Fatal(err)
	}
	code := func(language string) string {
		_, after, ok := strings.Cut(string(page), "```"+language+"\n")
		text, _, closed := strings.Cut(after, "\n```")
		if !ok || !closed {
			t.Fatalf("docs/hooks.md has no %s", language)
		}
		return text
	}
	made, err := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", code("sh")).Output()
	if err != nil {
		t.Fatal(err)
	}
	secret := strings.TrimSpace(string(made))
	if _, err := webhook.New("http://localhost/", &webhook.Options{Secrets: []string{secret}}); err != nil {
		t.Fatalf("%q: %v", made, err)
	}

	script := filepath.Join(t.TempDir(), "receiver.mjs")
	if err := os.WriteFile(script, []byte(code("js")), 0o600); err != nil {
		t.Fatal(err)
	}
	node := exec.CommandContext(t.Context(), "node", script)
	node.Env = append(os.Environ(), "PORT=0", "FILELOFT_HOOKS_SECRET="+secret)
	node.Stderr = os.Stderr
	out, err := node.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := node.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = node.Process.Kill()
		_ = node.Wait()
	})
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		t.Fatal("the receiver does not start")
	}
	port := strings.TrimPrefix(lines.Text(), "listening ")

	data := t.TempDir()
	url := "FILELOFT_HOOKS_URL=http://127.0.0.1:" + port + "/hooks"
	events := "FILELOFT_HOOKS_EVENTS=pre-create,finished"
	s := serve(t, command(t, []string{"FILELOFT_DATA_DIR=" + data, url, events, "FILELOFT_HOOKS_SECRET=" + secret}))
	refused := request(t, http.MethodPost, s.url+"/files/", []byte("hello"), "Upload-Length", "5")
	if text, _ := io.ReadAll(refused.Body); refused.StatusCode != http.StatusBadRequest || string(text) != "it needs a filename\n" {
		t.Errorf("%s %q", refused.Status, text)
	}
	post := request(t, http.MethodPost, s.url+"/files/", []byte("hello"), "Upload-Length", "5", "Upload-Metadata", "filename YS50eHQ=")
	location := post.Header.Get("Location")
	id := location[strings.LastIndex(location, "/")+1:]
	if post.StatusCode != http.StatusCreated || !lines.Scan() || lines.Text() != "finished inbox/"+id+" 5" {
		t.Errorf("%s, and the receiver says %q", post.Status, lines.Text())
	}
	head := request(t, http.MethodHead, location, nil)
	if got, want := head.Header.Get("Upload-Metadata"), "filename YS50eHQ=,owner bWU="; got != want {
		t.Errorf("metadata is %q, want %q", got, want)
	}
	if status := s.stop(); status != 0 {
		t.Errorf("exit status %d", status)
	}

	// With another secret the receiver takes nothing.
	s = serve(t, command(t, []string{"FILELOFT_DATA_DIR=" + data, url, events, "FILELOFT_HOOKS_SECRET=" + hookSecret}))
	if forged := request(t, http.MethodPost, s.url+"/files/", nil, "Upload-Length", "5", "Upload-Metadata", "filename YS50eHQ="); forged.StatusCode != http.StatusInternalServerError {
		t.Errorf("%s", forged.Status)
	}
}
