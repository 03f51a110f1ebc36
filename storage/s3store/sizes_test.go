package s3store

import (
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/fileloft/fileloft/internal/servers"
	"github.com/fileloft/fileloft/tus"
)

// TestSizes uploads what lies at the borders of S3's rules, with S3's real sizes, to a real server: in one body, in two, and in
// bodies of the size that a function takes.
func TestSizes(t *testing.T) {
	if testing.Short() {
		t.Skip("a real server does not run under -short")
	}
	const mib = 1 << 20
	srv := servers.S3(t)
	s, err := New(srv.Client(), srv.Bucket(t, "sizes"), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int64{0, 1, 5*mib - 1, 5 * mib, 5*mib + 1, 8*mib - 1, 8 * mib, 8*mib + 1, 16 * mib, 21 * mib} {
		for name, chunk := range map[string]int64{"in one": max(size, 1), "in two": size/2 + 1, "in chunks of 4 MiB": 4 * mib} {
			if chunk > max(size, 1) {
				continue
			}
			t.Run(fmt.Sprintf("%d bytes %s", size, name), func(t *testing.T) {
				t.Parallel()
				data := make([]byte, size)
				_, _ = rand.NewChaCha8([32]byte{byte(size), byte(chunk)}).Read(data)
				p := newUpload(t, s, size)
				for off := int64(0); off < size; off += chunk {
					p.append(string(data[off:min(off+chunk, size)]))
				}
				if err := p.complete(); err != nil {
					t.Fatal(err)
				}
				p.lease.Upload.Phase = tus.Done
				rc, err := s.Open(t.Context(), p.lease.Upload, 0, size)
				if err != nil {
					t.Fatal(err)
				}
				defer rc.Close()
				got, err := io.ReadAll(rc)
				if err != nil || string(got) != string(data) {
					t.Errorf("%d bytes of %d come back, %v", len(got), size, err)
				}
				if left := pieces(t, srv.Client(), s, p.lease.Upload); len(left) != 1 {
					t.Errorf("left behind: %q", left)
				}
			})
		}
	}
}
