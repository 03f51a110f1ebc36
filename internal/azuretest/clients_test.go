package azuretest

import (
	"bytes"
	"context"
	"io"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/fileloft/fileloft/internal/azurehost"
	"github.com/fileloft/fileloft/internal/clients"
	"github.com/fileloft/fileloft/internal/servers"
	"github.com/fileloft/fileloft/tus"
)

// chunk is the size of the chunks that the documentation tells clients to send.
const chunk = 16 << 20

// everyClient sends chunks of that size; the first is tus-js-client as it is.
var everyClient []*clients.Client

// source returns a file of n bytes that differ from place to place.
func source(t testing.TB, n int64) string {
	t.Helper()
	name, err := clients.Source(tmp, n)
	if err != nil {
		t.Fatal(err)
	}
	return name
}

// holds compares the stored blob with the source, byte for byte.
func (d *deployment) holds(t testing.TB, url string, n int64) {
	t.Helper()
	id := tus.ID(path.Base(url))
	out, err := d.blobs.NewBlobClient(prefix+string(id)).DownloadStream(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Body.Close()
	want := clients.Bytes(n)
	a, b := make([]byte, 1<<20), make([]byte, 1<<20)
	for at := int64(0); ; {
		i, errA := io.ReadFull(want, a)
		j, errB := io.ReadFull(out.Body, b)
		if !bytes.Equal(a[:i], b[:j]) {
			t.Fatalf("the blob differs within the MiB at %d: %d bytes, %v, want %d, %v", at, j, errB, i, errA)
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

// pieces lists what the container has of an upload beside its blob.
func (d *deployment) pieces(t testing.TB, url string) []string {
	t.Helper()
	id := path.Base(url)
	list, err := d.names(true, func(name string) bool { return strings.Contains(name, id) && name != prefix+id })
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// TestClients uploads with every client through two instances of the function app.
func TestClients(t *testing.T) {
	t.Parallel()
	d := inCloud(t).deploy(t, "FILELOFT_ENABLE_CONCATENATION=true")
	_, url := d.app(t, azurehost.Options{Instances: 2})
	for _, cl := range everyClient {
		t.Run(cl.Name, func(t *testing.T) {
			servers.Require(t, cl.Name, cl.Lacks())
			for _, n := range []int64{100, chunk + 1} {
				ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
				at, log, err := cl.Upload(ctx, source(t, n), url)
				cancel()
				if err != nil {
					t.Fatalf("%d bytes: %v\n%s", n, err, log)
				}
				d.holds(t, at, n)
				if left := d.pieces(t, at); len(left) > 0 {
					t.Errorf("%d bytes: left behind: %q", n, left)
				}
			}
		})
	}
}
