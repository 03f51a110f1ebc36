package e2e

import (
	"fmt"
	"testing"

	"github.com/fileloft/fileloft/internal/clients"
	"github.com/fileloft/fileloft/internal/servers"
)

const (
	small = 64 << 10
	mid   = 96 << 20
	large = 1 << 30
)

// TestClients uploads files of all sizes with every client.
func TestClients(t *testing.T) {
	notShort(t)
	s := serve(t, t.TempDir())
	for _, c := range everyClient {
		t.Run(c.Name, func(t *testing.T) {
			servers.Require(t, c.Name, c.Lacks())
			for _, n := range []int64{0, 1, small, 5<<20 + 1} {
				if n < c.Least { // the client panics, or makes requests that make no sense
					continue
				}
				t.Run(fmt.Sprint(n), func(t *testing.T) {
					s.holds(t, uploads(t, c, source(t, n), s.endpoint()), source(t, n))
				})
			}
		})
	}
}

// TestKilled kills the server by SIGKILL in the middle of an upload, again and again, and starts it again. The client resumes by
// itself, and the file is the source.
func TestKilled(t *testing.T) {
	notShort(t)
	for _, c := range everyClient {
		t.Run(c.Name, func(t *testing.T) {
			servers.Require(t, c.Name, c.Lacks())
			size := int64(mid)
			switch c.Name {
			case "tus-js-client", "go-tus", "tusgo", "curl":
				size = large
			default: // a client that has had the large file, with other settings
				if long {
					size = large
				}
			}
			testKilled(t, c, size)
		})
	}
}

func testKilled(t *testing.T, c *clients.Client, size int64) {
	s := serve(t, t.TempDir(), "FILELOFT_FS_SYNC=off")
	s.holds(t, uploadKilled(t, s, c, size), source(t, size))
}

// uploadKilled uploads a file while the server is killed and started again three times, and returns the upload's URL.
func uploadKilled(t *testing.T, s *server, c *clients.Client, size int64) string {
	t.Helper()
	p := startProxy(t, s.addr)
	kills := 0
	var kill func(*link)
	kill = func(*link) {
		kills++
		s.kill()
		s.start()
		if kills < 3 {
			p.when(size/5, kill)
		}
	}
	p.when(size/3, kill)
	url := uploads(t, c, source(t, size), p.endpoint())
	if kills == 0 {
		t.Error("the server was not killed: the test tested nothing")
	}
	t.Logf("%d bytes, killed %d times, %.2f times the bytes sent", size, kills, float64(p.up.Load())/float64(size))
	return url
}
