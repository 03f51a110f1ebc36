package proof

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"testing"
	"time"
)

// hosted is a fleet behind one URL, whose replicas a platform starts, and starts again.
type hosted struct {
	platform
	url    string // of the collection
	struck sync.WaitGroup
	stop   context.CancelFunc // of the sweeps
	swept  chan struct{}
}

// A platform runs replicas and tells about them.
type platform struct {
	http.Handler
	replicas           func() []replica
	kill, freeze, thaw func(pid int) bool
	sweep              func(context.Context) error // as its schedule has it
}

// A replica is a process that runs.
type replica struct {
	pid  int
	busy bool
}

// host opens the platform's front end, and has it sweep every five seconds.
func host(t testing.TB, p platform) *hosted {
	t.Helper()
	srv := httptest.NewServer(p)
	t.Cleanup(func() {
		srv.CloseClientConnections()
		srv.Close()
	})
	ctx, stop := context.WithCancel(t.Context())
	f := &hosted{platform: p, url: srv.URL + "/files/", stop: stop, swept: make(chan struct{})}
	go func() {
		defer close(f.swept)
		for {
			select {
			case <-ctx.Done():
				return
			case <-time.After(5 * time.Second):
				_ = p.sweep(ctx) // amid trouble it may fail: the next one goes on
			}
		}
	}()
	t.Cleanup(func() {
		stop()
		<-f.swept
	})
	return f
}

func (f *hosted) endpoints() []string { return []string{f.url} }

// choose picks a replica, as a rule one that is at work where several are. Else all strikes would be for the last upload of a load, and few
// requests of any length live through that: a platform that starts replicas for what there is to do has no others then.
func (f *hosted) choose(r *rand.Rand) int {
	all := f.replicas()
	var at []replica
	for _, v := range all {
		if v.busy {
			at = append(at, v)
		}
	}
	if len(at) > 2 && r.IntN(4) > 0 {
		all = at
	}
	if len(all) == 0 {
		return 0
	}
	return all[r.IntN(len(all))].pid
}

func (f *hosted) kill(r *rand.Rand) bool { return f.platform.kill(f.choose(r)) }

func (f *hosted) freeze(r *rand.Rand, d time.Duration) bool {
	pid := f.choose(r)
	if !f.platform.freeze(pid) {
		return false
	}
	f.struck.Go(func() {
		time.Sleep(d)
		f.platform.thaw(pid)
	})
	return true
}

// calm waits until nobody is at work any more, either: an invocation goes on although its client has left.
func (f *hosted) calm(ctx context.Context) error {
	f.stop()
	<-f.swept
	f.struck.Wait()
	for n := range 10 * max(len(f.replicas()), 1) {
		if err := f.answers(ctx); err != nil {
			return fmt.Errorf("request %d: %w", n, err)
		}
	}
	for {
		n := 0
		for _, v := range f.replicas() {
			if v.busy {
				n++
			}
		}
		switch {
		case n == 0:
			return nil
		case ctx.Err() != nil:
			return fmt.Errorf("%d replicas are still at work: %w", n, ctx.Err())
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// answers sends a request that needs neither store nor database.
func (f *hosted) answers(ctx context.Context) error {
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodOptions, f.url, nil)
		if err != nil {
			return err
		}
		resp, err := ownClient.Do(req)
		switch {
		case err != nil:
			return err
		case resp.StatusCode < 300:
			return resp.Body.Close()
		}
		b, _ := io.ReadAll(resp.Body)
		if err := errors.Join(resp.Body.Close(), ctx.Err()); err != nil {
			return fmt.Errorf("%s: %s: %w", resp.Status, b, err)
		}
		time.Sleep(50 * time.Millisecond) // it is throttled
	}
}

// logTo returns where replicas print to. A test that fails shows the end of it.
func logTo(t testing.TB) io.Writer {
	t.Helper()
	out, err := os.CreateTemp(t.TempDir(), "log")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if b, _ := os.ReadFile(out.Name()); t.Failed() {
			t.Logf("the replicas say: %s", b[max(0, len(b)-6000):])
		}
		_ = out.Close()
	})
	return out
}
