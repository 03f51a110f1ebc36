package lambdatest

import (
	"context"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fileloft/fileloft/internal/lambdagate"
	"github.com/fileloft/fileloft/internal/servers"
)

// TestKilled uploads a gigabyte in chunks of 4 MiB through the HTTP API and the unmodified binary while instances of it are killed
// at random. tus-js-client resumes by its defaults, and the object is the source.
//
// A killed writer's lease stays for the 3 s of the function's preset, and the client's next request waits for it: killed again and again while it waits, it
// would run out of retries. So as it is set up by default, the function is killed at work every ten seconds or so; with leases of a
// second, every few chunks, but not more often than the client has patience for without getting on. Chunks and not seconds, because where a
// chunk takes seconds, kills every second leave nothing to get on with.
func TestKilled(t *testing.T) {
	c := inCloud(t)
	servers.Require(t, everyClient[0].Name, everyClient[0].Lacks())
	t.Run("by default", func(t *testing.T) {
		first := 2 * time.Second
		testKilled(t, c.deploy(t), func(ctx context.Context, _ *progress) {
			pause(ctx, first+rand.N(4*time.Second))
			first = 8 * time.Second
		}, killBusy)
	})
	t.Run("every few chunks", func(t *testing.T) {
		d := c.deploy(t, "FILELOFT_LEASE_TTL=1s")
		testKilled(t, d, func(ctx context.Context, p *progress) {
			for next := p.done.Load() + rand.Int32N(9); p.done.Load() < next && ctx.Err() == nil; {
				pause(ctx, 10*time.Millisecond)
			}
			pause(ctx, rand.N(300*time.Millisecond))
		}, (*lambdagate.Function).KillRandom)
	})
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// killBusy kills an instance in mid-invocation, as soon as there is one.
func killBusy(f *lambdagate.Function) lambdagate.Instance {
	for range 1000 {
		list := f.Instances()
		i := slices.IndexFunc(list, func(in lambdagate.Instance) bool { return in.Busy })
		if i >= 0 && f.Kill(list[i].PID) {
			return list[i]
		}
		time.Sleep(time.Millisecond)
	}
	return lambdagate.Instance{}
}

func testKilled(t *testing.T, d *deployment, wait func(context.Context, *progress), kill func(*lambdagate.Function) lambdagate.Instance) {
	const size = int64(1 << 30)
	var b bill
	f := d.function(t, lambdagate.Options{Invoked: b.add})
	p := progress{Handler: lambdagate.HTTPAPI(f, nil)}
	srv := httptest.NewServer(&p)
	t.Cleanup(srv.Close)
	file := source(t, size)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
	defer cancel()
	killing, stop := context.WithCancel(ctx)
	var killer sync.WaitGroup
	kills, busy := 0, 0
	killer.Go(func() {
		for {
			wait(killing, &p)
			switch {
			case killing.Err() != nil:
				return
			case p.patience() == 0:
				continue
			}
			switch v := kill(f); {
			case v.Busy:
				busy++
				p.kills.Add(1)
				fallthrough
			case v.PID != 0:
				kills++
			}
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
	f.Close() // and with it the bill
	if busy == 0 || b.failed == 0 {
		t.Error("nobody was killed at work: this is no test")
	}
	t.Logf("%d MiB in %v, %.1f MiB/s; %d kills, %d of them at work; %d errors seen by the client; %d invocations, %d failed, billed %v",
		size>>20, took.Round(100*time.Millisecond), float64(size>>20)/took.Seconds(), kills, busy, strings.Count(log, "answered by"),
		b.invocations, b.failed, b.billed)
}

// A bill adds up invocations.
type bill struct {
	mu                  sync.Mutex
	invocations, failed int
	billed              time.Duration
}

func (b *bill) add(i lambdagate.Invocation) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.invocations++
	b.billed += i.Duration
	if i.Err != nil {
		b.failed++
	}
}

// progress sees how a client gets on.
type progress struct {
	http.Handler
	kills atomic.Int32 // since the last PATCH that was answered well
	done  atomic.Int32 // of those
}

func (p *progress) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.Handler.ServeHTTP(&seen{w, p}, r)
}

// patience is how many more failures the client stands without progress: its defaults are four retries.
func (p *progress) patience() int { return max(0, 3-int(p.kills.Load())) }

type seen struct {
	http.ResponseWriter
	p *progress
}

func (s *seen) WriteHeader(status int) {
	if status == http.StatusNoContent {
		s.p.kills.Store(0)
		s.p.done.Add(1)
	}
	s.ResponseWriter.WriteHeader(status)
}
