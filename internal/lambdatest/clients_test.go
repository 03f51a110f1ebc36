package lambdatest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fileloft/fileloft/internal/lambdagate"
	"github.com/fileloft/fileloft/tus"
)

// chunk is what fits through a Lambda event: 4 MiB.
const chunk = "4194304"

// A client uploads a file and prints the upload's URL, whatever happens on the way.
type client struct {
	name  string
	lacks func() error // what it needs is missing
	run   func(ctx context.Context, file, endpoint string) (url, log string, err error)
}

var clients = []client{
	{"tus-js-client", lacksNode, tusJS("1")},
	{"tus-js-client in parallel", lacksNode, tusJS("3")},
	{"tusgo", buildClients, goClient("tusgo", "-chunk", chunk, "-checksum", "sha1")},
	{"tusgo in parts", buildClients, goClient("tusgo", "-chunk", chunk, "-parts", "3")},
	{"go-tus", buildClients, goClient("gotus", "-chunk", chunk)},
	{"curl", lacksCurl, curl},
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

var buildClients = sync.OnceValue(func() error {
	cmd := exec.Command("go", "-C", filepath.Join(root, "tools", "clients"), "build", "-trimpath", "-o", tmp+"/", "./...")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", cmd, err, out)
	}
	return nil
})

func tusJS(parallel string) func(context.Context, string, string) (string, string, error) {
	return func(ctx context.Context, file, endpoint string) (string, string, error) {
		return program(ctx, "node", filepath.Join(root, "tools", "js", "upload.mjs"), file, endpoint, chunk, parallel)
	}
}

func goClient(name string, flags ...string) func(context.Context, string, string) (string, string, error) {
	return func(ctx context.Context, file, endpoint string) (string, string, error) {
		return program(ctx, filepath.Join(tmp, name), append(flags, file, endpoint)...)
	}
}

// program runs a client program that prints its upload's address behind "URL" or "DONE".
func program(ctx context.Context, name string, args ...string) (url, log string, err error) {
	cmd := exec.CommandContext(ctx, name, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	log = stderr.String()
	if err != nil {
		return "", log, fmt.Errorf("%s: %w", filepath.Base(name), err)
	}
	for line := range strings.Lines(string(out)) {
		if f := strings.Fields(line); len(f) == 2 && (f[0] == "URL" || f[0] == "DONE") {
			url = f[1] // the last: with parts, it is the final upload's
		}
	}
	if url == "" {
		return "", log, fmt.Errorf("%s printed no URL: %q", name, out)
	}
	return url, log, nil
}

// curl does by hand what a shell script would: create, then ask for the offset and send what fits, until all is there.
func curl(ctx context.Context, file, endpoint string) (url, log string, err error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return "", "", err
	}
	h, err := curlHeaders(ctx, nil, "-X", "POST", "-H", fmt.Sprint("Upload-Length: ", len(b)), endpoint)
	if err != nil {
		return "", "", err
	}
	url = h.Get("Location")
	most, _ := strconv.Atoi(chunk)
	for tries := 0; ; {
		h, err = curlHeaders(ctx, nil, "-I", url)
		off, perr := strconv.Atoi(h.Get("Upload-Offset"))
		switch {
		case err == nil && perr != nil:
			err = perr
		case err == nil && off == len(b):
			return url, log, nil
		case err == nil:
			_, err = curlHeaders(ctx, bytes.NewReader(b[off:min(len(b), off+most)]), "-X", "PATCH", "--data-binary", "@-",
				"-H", fmt.Sprint("Upload-Offset: ", off), "-H", "Content-Type: application/offset+octet-stream", url)
		}
		if err != nil {
			log += err.Error() + "\n"
			if tries++; tries > 40 {
				return "", log, err
			}
			time.Sleep(250 * time.Millisecond)
		}
	}
}

// curlHeaders runs curl and returns the answer's headers.
func curlHeaders(ctx context.Context, stdin io.Reader, args ...string) (http.Header, error) {
	cmd := exec.CommandContext(ctx, "curl", append([]string{"-sS", "-f", "-D", "-", "-o", os.DevNull, "-H", "Tus-Resumable: 1.0.0", "-H", "Expect:"}, args...)...)
	cmd.Stdin = stdin
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("curl: %w: %s", err, stderr.String())
	}
	h := http.Header{}
	for line := range strings.Lines(string(out)) {
		if k, v, ok := strings.Cut(strings.TrimSpace(line), ": "); ok {
			h.Set(k, v)
		}
	}
	return h, nil
}

// source returns a file of n bytes that differ from place to place.
func source(t testing.TB, n int64) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), fmt.Sprintf("source-%d.bin", n))
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := io.CopyN(f, rand.NewChaCha8([32]byte{byte(n), byte(n >> 20)}), n); err != nil {
		t.Fatal(err)
	}
	return name
}

func idOf(url string) tus.ID { return tus.ID(url[strings.LastIndexByte(url, '/')+1:]) }

// holds compares the stored object with the source, byte for byte, and looks for what should not be left.
func (d *deployment) holds(t testing.TB, url string, n int64) {
	t.Helper()
	id := idOf(url)
	f, err := os.Open(filepath.Join(tmp, "s3", bucket, d.prefix+string(id))) // the S3 server stores files
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	want := io.LimitReader(rand.NewChaCha8([32]byte{byte(n), byte(n >> 20)}), n)
	a, b := make([]byte, 1<<20), make([]byte, 1<<20)
	for at := int64(0); ; {
		i, errA := io.ReadFull(want, a)
		j, errB := io.ReadFull(f, b)
		if !bytes.Equal(a[:i], b[:j]) {
			t.Fatalf("the object differs within the MiB at %d: %d bytes, %v, want %d, %v", at, j, errB, i, errA)
		}
		if at += int64(i); errA != nil {
			break
		}
	}
	u, err := d.state.Load(t.Context(), id)
	if err != nil || u.Phase != tus.Done || u.Offset != n {
		t.Errorf("record %+v, %v", u, err)
	}
}

// TestClients uploads with every client through each door that takes chunks of 4 MiB.
func TestClients(t *testing.T) {
	c := inCloud(t)
	for _, w := range ways {
		if w.body < 4<<20 {
			continue
		}
		t.Run(w.name, func(t *testing.T) {
			d := c.deploy(t, "FILELOFT_ENABLE_CONCATENATION=true")
			url := w.open(d.function(t, lambdagate.Options{}), t)
			for _, cl := range clients {
				t.Run(cl.name, func(t *testing.T) {
					require(t, cl.name, cl.lacks())
					for _, n := range []int64{100, 5<<20 + 1, 20 << 20} {
						ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
						at, log, err := cl.run(ctx, source(t, n), url)
						cancel()
						if err != nil {
							t.Fatalf("%d bytes: %v\n%s", n, err, log)
						}
						d.holds(t, at, n)
					}
				})
			}
		})
	}
}
