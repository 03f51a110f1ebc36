package lambdatest

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fileloft/fileloft/internal/clients"
	"github.com/fileloft/fileloft/internal/lambdagate"
	"github.com/fileloft/fileloft/internal/servers"
	"github.com/fileloft/fileloft/tus"
)

// chunk is what fits through a Lambda event, as the function is set up.
const chunk = 4 << 20

// everyClient sends what fits through an event.
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
	want := clients.Bytes(n)
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
		if w.body < chunk {
			continue
		}
		t.Run(w.name, func(t *testing.T) {
			d := c.deploy(t, "FILELOFT_ENABLE_CONCATENATION=true")
			url := w.open(d.function(t, lambdagate.Options{}), t)
			for _, cl := range everyClient {
				t.Run(cl.Name, func(t *testing.T) {
					servers.Require(t, cl.Name, cl.Lacks())
					for _, n := range []int64{100, 5<<20 + 1, 20 << 20} {
						ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
						at, log, err := cl.Upload(ctx, source(t, n), url)
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
