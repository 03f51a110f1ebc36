package gcftest

import (
	"bytes"
	"context"
	"io"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/fileloft/fileloft/internal/clients"
	"github.com/fileloft/fileloft/internal/servers"
	"github.com/fileloft/fileloft/tus"
)

// chunk is the size of the chunks that the documentation tells clients to send.
const chunk = 8 << 20

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

// holds compares the stored object with the source, byte for byte, and looks for what should not be left: pieces, or another
// object.
func (d *deployment) holds(t testing.TB, url string, n int64) {
	t.Helper()
	id := tus.ID(path.Base(url))
	client, err := d.cloud.storage.Client(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	r, err := client.Bucket(bucket).Object(d.prefix + string(id)).NewReader(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	want := clients.Bytes(n)
	a, b := make([]byte, 1<<20), make([]byte, 1<<20)
	for at := int64(0); ; {
		i, errA := io.ReadFull(want, a)
		j, errB := io.ReadFull(r, b)
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

// pieces lists what the bucket has of an upload beside its object.
func (d *deployment) pieces(url string) []string {
	id := path.Base(url)
	return d.cloud.fake.Names(bucket, func(name string, _ map[string]string) bool {
		return strings.Contains(name, id) && name != d.prefix+id
	})
}

// TestClients uploads with every client through the function, in chunks that the platform takes.
func TestClients(t *testing.T) {
	d := inCloud(t).deploy(t, "FILELOFT_ENABLE_CONCATENATION=true")
	url := d.function(t, "Fileloft").URL + "/files/"
	for _, cl := range everyClient {
		t.Run(cl.Name, func(t *testing.T) {
			servers.Require(t, cl.Name, cl.Lacks())
			for _, n := range []int64{100, chunk + 1, 20 << 20} {
				ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
				at, log, err := cl.Upload(ctx, source(t, n), url)
				cancel()
				if err != nil {
					t.Fatalf("%d bytes: %v\n%s", n, err, log)
				}
				d.holds(t, at, n)
				if left := d.pieces(at); len(left) > 0 {
					t.Errorf("%d bytes: left behind: %q", n, left)
				}
			}
		})
	}
}
