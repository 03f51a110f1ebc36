package main

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestFourDoors starts the program, uploads through each of the doors that it prints, and sees that nothing is left afterwards.
func TestFourDoors(t *testing.T) {
	if testing.Short() {
		t.Skip("real servers do not run under -short")
	}
	t.Chdir(filepath.Join("..", ".."))
	for _, needed := range []string{"bin/versitygw", "tools/node_modules/@dynoxide/linux-x64/dynoxide"} {
		if _, err := os.Stat(needed); err == nil {
			continue
		} else if os.Getenv("REQUIRE_EMULATORS") == "1" {
			t.Fatalf("%v: run make servers", err)
		}
		t.Skipf("=== SKIPPED: %s is missing: run make servers ===", needed)
	}
	ctx, interrupt := context.WithCancel(t.Context())
	r, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := run(ctx, w, &options{instances: 3, kill: 400 * time.Millisecond, sweep: time.Hour})
		_ = w.CloseWithError(io.EOF)
		done <- err
	}()
	urls := map[string]string{}
	lines := bufio.NewScanner(r)
	for len(urls) < 4 && lines.Scan() {
		if name, url, ok := strings.Cut(lines.Text(), "http://"); ok {
			urls[strings.TrimSpace(name)] = "http://" + url
		}
	}
	go func() { _, _ = io.Copy(io.Discard, r) }()
	if len(urls) < 4 {
		t.Fatalf("doors %v, %v", urls, <-done)
	}
	for range 10 { // on an idle machine all four doors together take less than the time between two kills
		for name, url := range urls {
			uploads(t, name, url)
		}
	}
	interrupt()
	if err := <-done; err != nil {
		t.Error(err)
	}
	for name, url := range urls {
		if c, err := net.Dial("tcp", strings.Split(url, "/")[2]); err == nil {
			_ = c.Close()
			t.Errorf("%s still listens", name)
		}
	}
}

// uploads tries until the killing lets it through: a busy machine may take longer than the time between two kills to start an instance.
func uploads(t *testing.T, name, url string) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); ; {
		req, err := http.NewRequest(http.MethodPost, url, strings.NewReader("hello"))
		if err != nil {
			t.Fatal(err)
		}
		for key, value := range map[string]string{
			"Tus-Resumable": "1.0.0", "Upload-Length": "5", "Content-Type": "application/offset+octet-stream",
		} {
			req.Header.Set(key, value)
		}
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode == http.StatusCreated && strings.HasPrefix(resp.Header.Get("Location"), url) && resp.Header.Get("Upload-Offset") == "5" {
			return
		}
		if time.Now().After(end) || resp.StatusCode < 500 {
			t.Fatalf("%s: %s with %v", name, resp.Status, resp.Header)
		}
	}
}
