package gcftest

import (
	"context"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fileloft/fileloft/internal/servers"
)

// TestKilled lets tus-js-client upload through two instances behind a round-robin proxy, of which one at a time is killed at
// random, by SIGKILL, and started again. The client resumes by its defaults; the object is the source. It is a quarter of a gigabyte;
// E2E_LONG=1 makes it a whole one.
//
// A killed writer's lease stays until it ends, and the client's next request waits for it. So an instance is killed every eight to
// ten seconds, which is not more often than the client has patience for without getting on.
func TestKilled(t *testing.T) {
	c := inCloud(t)
	servers.Require(t, everyClient[0].Name, everyClient[0].Lacks())
	size := int64(256 << 20)
	if os.Getenv("E2E_LONG") == "1" {
		size = 1 << 30
	}
	d := c.deploy(t, "FILELOFT_LEASE_TTL=3s")
	instances := []*function{d.function(t, "Fileloft"), d.function(t, "Fileloft")}
	p := newRoundRobin(t, instances)
	srv := httptest.NewServer(p)
	defer srv.Close()
	file := source(t, size)
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	killing, stop := context.WithCancel(ctx)
	var killer sync.WaitGroup
	kills, atWork := 0, 0
	killer.Go(func() {
		for pause := time.Second; ; pause = 8*time.Second + rand.N(2*time.Second) { // the first one soon
			select {
			case <-killing.Done():
				return
			case <-time.After(pause + rand.N(time.Second)):
			}
			i, busy := p.victim(killing)
			instances[i].kill()
			kills++
			if busy {
				atWork++
			}
			time.Sleep(rand.N(500 * time.Millisecond)) // the platform needs time to notice
			instances[i].start()
		}
	})
	begin := time.Now()
	at, log, err := everyClient[0].Upload(ctx, file, srv.URL+"/files/")
	took := time.Since(begin)
	stop()
	killer.Wait()
	if err != nil {
		t.Fatalf("after %v and %d kills: %v\n%s", took, kills, err, log)
	}
	d.holds(t, at, size)
	if atWork == 0 || p.failed.Load() == 0 {
		t.Error("nobody was killed at work: this is no test")
	}
	t.Logf("%d MiB in %v, %.1f MiB/s; %d kills, %d of them at work; %d requests, of which the proxy answered %d by 502; %d errors seen by the client",
		size>>20, took.Round(100*time.Millisecond), float64(size>>20)/took.Seconds(), kills, atWork,
		p.requests.Load(), p.failed.Load(), strings.Count(log, "answered by"))
	// A piece that nobody committed is taken away a day later, with the record of the upload gone: not more than one each time.
	if left := d.pieces(at); len(left) > kills {
		t.Errorf("%d kills have left %q", kills, left)
	} else if len(left) > 0 {
		t.Logf("left for Collect: %q", left)
	}
}

// A roundRobin hands requests to one instance after the other, whether it lives or not, as a front end does that has not noticed yet.
type roundRobin struct {
	to               []*httputil.ReverseProxy
	busy             []atomic.Int32
	next             atomic.Uint32
	requests, failed atomic.Int32
}

func newRoundRobin(t testing.TB, instances []*function) *roundRobin {
	p := &roundRobin{busy: make([]atomic.Int32, len(instances))}
	for _, f := range instances {
		u, err := url.Parse(f.URL)
		if err != nil {
			t.Fatal(err)
		}
		p.to = append(p.to, &httputil.ReverseProxy{
			Rewrite: func(r *httputil.ProxyRequest) {
				r.SetURL(u)
				r.Out.Host = r.In.Host
				r.Out.Header.Set("X-Forwarded-Proto", "http")
			},
			ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) {
				p.failed.Add(1)
				w.WriteHeader(http.StatusBadGateway)
			},
		})
	}
	return p
}

func (p *roundRobin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i := int(p.next.Add(1)) % len(p.to)
	p.requests.Add(1)
	p.busy[i].Add(1)
	defer p.busy[i].Add(-1)
	p.to[i].ServeHTTP(w, r)
}

// victim waits a moment for an instance that is at work, else it is any one.
func (p *roundRobin) victim(ctx context.Context) (i int, busy bool) {
	for range 1000 {
		for i := range p.busy {
			if p.busy[i].Load() > 0 {
				return i, true
			}
		}
		if ctx.Err() != nil {
			break
		}
		time.Sleep(time.Millisecond)
	}
	return rand.IntN(len(p.to)), false
}
