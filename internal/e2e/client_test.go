package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A client uploads a file and returns the upload's URL, whatever happens on the way.
type client struct {
	name   string
	least  int64        // bytes of the smallest file that it can upload at all
	lacks  func() error // what it needs is missing
	upload func(ctx context.Context, file, endpoint string) (string, error)
}

var clients = []client{
	{"tus-js-client", 0, lacksNode, tusJS("0", "1")},
	{"tus-js-client in chunks", 0, lacksNode, tusJS("5000000", "1")},
	{"tus-js-client in parallel", 4, lacksNode, tusJS("0", "4")},
	{"tusgo", 1, buildClients, goClient("tusgo")},
	{"tusgo streaming with a trailer", 1, buildClients, goClient("tusgo", "-chunk", "0", "-checksum", "sha1")},
	{"tusgo with checksums", 1, buildClients, goClient("tusgo", "-checksum", "sha256")},
	{"tusgo in parts", 3, buildClients, goClient("tusgo", "-parts", "3")},
	{"go-tus", 0, buildClients, goClient("gotus")},
	{"curl", 0, lacksCurl, curl},
}

func lacksNode() error {
	if _, err := exec.LookPath("node"); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(root, "tools", "node_modules", "tus-js-client")); err != nil {
		return fmt.Errorf("make clients installs it: %w", err)
	}
	return nil
}

func lacksCurl() error {
	_, err := exec.LookPath("curl")
	return err
}

// program runs a client program that prints its upload's address behind "URL".
func program(ctx context.Context, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var stderr lockedBuffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s", filepath.Base(name), err, stderr.tail(3000))
	}
	url := ""
	for line := range strings.Lines(string(out)) {
		if f := strings.Fields(line); len(f) == 2 && (f[0] == "URL" || f[0] == "DONE") {
			url = f[1] // the last: with parts, it is the final upload's
		}
	}
	if url == "" {
		return "", fmt.Errorf("%s printed no URL: %q", name, out)
	}
	return url, nil
}

func tusJS(chunk, parallel string) func(context.Context, string, string) (string, error) {
	return func(ctx context.Context, file, endpoint string) (string, error) {
		return program(ctx, "node", filepath.Join(root, "tools", "js", "upload.mjs"), file, endpoint, chunk, parallel)
	}
}

func goClient(name string, flags ...string) func(context.Context, string, string) (string, error) {
	return func(ctx context.Context, file, endpoint string) (string, error) {
		return program(ctx, filepath.Join(bin, name), append(flags, file, endpoint)...)
	}
}

// curl does by hand what a shell script would: create, and until all is there, ask for the offset and send the rest.
func curl(ctx context.Context, file, endpoint string) (string, error) {
	info, err := os.Stat(file)
	if err != nil {
		return "", err
	}
	size := info.Size()
	h, err := curlHeaders(ctx, nil, "-X", "POST", "-H", fmt.Sprint("Upload-Length: ", size), endpoint)
	if err != nil {
		return "", err
	}
	url := h.Get("Location")
	if url == "" {
		return "", fmt.Errorf("no Location: %v", h)
	}
	for try := 0; ; try++ {
		h, err = curlHeaders(ctx, nil, "-I", url)
		if err == nil {
			off, perr := strconv.ParseInt(h.Get("Upload-Offset"), 10, 64)
			if perr != nil {
				err = perr
			} else if off == size {
				return url, nil
			} else {
				err = curlRest(ctx, file, url, off)
			}
		}
		if err != nil {
			if try == 40 {
				return "", err
			}
			time.Sleep(250 * time.Millisecond)
		}
	}
}

func curlRest(ctx context.Context, file, url string, off int64) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Seek(off, io.SeekStart); err != nil {
		return err
	}
	_, err = curlHeaders(ctx, f, "-X", "PATCH", "-T", "-", "-H", fmt.Sprint("Upload-Offset: ", off),
		"-H", "Content-Type: application/offset+octet-stream", url)
	return err
}

// curlHeaders runs curl and returns the last answer's headers.
func curlHeaders(ctx context.Context, stdin io.Reader, args ...string) (http.Header, error) {
	cmd := exec.CommandContext(ctx, "curl", append([]string{"-sS", "-f", "-D", "-", "-o", os.DevNull, "-H", "Tus-Resumable: 1.0.0", "-H", "Expect:"}, args...)...)
	cmd.Stdin = stdin
	var stderr lockedBuffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("curl: %w: %s", err, stderr.tail(500))
	}
	h := http.Header{}
	for line := range strings.Lines(string(out)) {
		if k, v, ok := strings.Cut(strings.TrimSpace(line), ": "); ok {
			h.Set(k, v)
		}
	}
	return h, nil
}

// uploads runs one client under a deadline.
func (c *client) uploads(t testing.TB, file, endpoint string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
	defer cancel()
	begin := time.Now()
	url, err := c.upload(ctx, file, endpoint)
	if err != nil {
		if ctx.Err() != nil {
			err = errors.Join(ctx.Err(), err)
		}
		t.Fatalf("%s after %v: %v", c.name, time.Since(begin).Round(time.Millisecond), err)
	}
	return url
}
