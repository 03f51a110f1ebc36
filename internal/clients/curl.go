package clients

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// How often curl goes on after an error, and how long it waits before.
const (
	curlRetries = 40
	curlPause   = 250 * time.Millisecond
)

func lacksCurl() error {
	_, err := exec.LookPath("curl")
	return err
}

// curl does by hand what a shell script would: create, and until all is there, ask for the offset and send the rest, or what
// fits into a chunk.
func curl(chunk int64) func(ctx context.Context, file, endpoint string) (url, log string, err error) {
	return func(ctx context.Context, file, endpoint string) (url, log string, err error) {
		f, err := os.Open(file)
		if err != nil {
			return "", "", err
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil {
			return "", "", err
		}
		size := info.Size()
		h, err := curlHeaders(ctx, nil, "-X", "POST", "-H", fmt.Sprint("Upload-Length: ", size), endpoint)
		if err != nil {
			return "", "", err
		}
		url = h.Get("Location")
		if url == "" {
			return "", "", fmt.Errorf("clients: create with curl: no Location: %v", h)
		}
		for tries := 0; ; {
			done, err := curlOn(ctx, f, size, chunk, url)
			if done {
				return url, log, nil
			}
			if err == nil {
				continue
			}
			log += err.Error() + "\n"
			if tries++; tries > curlRetries {
				return "", log, err
			}
			select {
			case <-ctx.Done():
				return "", log, err
			case <-time.After(curlPause):
			}
		}
	}
}

// curlOn asks for the offset and sends from there.
func curlOn(ctx context.Context, f *os.File, size, chunk int64, url string) (done bool, err error) {
	h, err := curlHeaders(ctx, nil, "-I", url)
	if err != nil {
		return false, err
	}
	off, err := strconv.ParseInt(h.Get("Upload-Offset"), 10, 64)
	switch {
	case err != nil:
		return false, fmt.Errorf("clients: read Upload-Offset: %w", err)
	case off == size:
		return true, nil
	case off > size:
		return false, errors.New("clients: read Upload-Offset: it is beyond the end")
	}
	args := []string{
		"-X", "PATCH", "-H", fmt.Sprint("Upload-Offset: ", off),
		"-H", "Content-Type: application/offset+octet-stream", url,
	}
	if chunk > 0 { // with a Content-Length
		body := io.NewSectionReader(f, off, min(chunk, size-off))
		_, err = curlHeaders(ctx, body, append(args, "--data-binary", "@-")...)
		return false, err
	}
	if _, err := f.Seek(off, io.SeekStart); err != nil {
		return false, err
	}
	_, err = curlHeaders(ctx, f, append(args, "-T", "-")...) // as a stream
	return false, err
}

// curlHeaders runs curl and returns the last answer's headers.
func curlHeaders(ctx context.Context, stdin io.Reader, args ...string) (http.Header, error) {
	cmd := exec.CommandContext(ctx, "curl",
		append([]string{"-sS", "-f", "-D", "-", "-o", os.DevNull, "-H", "Tus-Resumable: 1.0.0", "-H", "Expect:"}, args...)...)
	cmd.Stdin = stdin
	out, said, err := run(cmd)
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, strings.TrimSpace(said))
	}
	h := http.Header{}
	for line := range strings.Lines(out) {
		if k, v, ok := strings.Cut(strings.TrimSpace(line), ": "); ok {
			h.Set(k, v)
		}
	}
	return h, nil
}
