package e2e

import (
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/fileloft/fileloft/internal/clients"
	"github.com/fileloft/fileloft/internal/servers"
)

// leaseTTL is the standalone server's; slack is for slow machines and for a client's own retry delays, which double
// it at worst.
const (
	leaseTTL = 6 * time.Second
	slack    = 20 * time.Second
)

// TestHalfOpen cuts clients off in mid-upload, such that the first server does not notice, and sends them on to a
// second server over the same data. They must get through within their default retry delays.
func TestHalfOpen(t *testing.T) {
	notShort(t)
	for _, c := range everyClient {
		if c.Name != "tus-js-client" && c.Name != "tus-js-client in chunks" && c.Name != "tusgo" && c.Name != "curl" {
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			servers.Require(t, c.Name, c.Lacks())
			dir := t.TempDir()
			first, second := serve(t, dir), serve(t, dir)
			p := startProxy(t, first.addr)
			var cut atomic.Int64
			p.when(mid/3, func(l *link) {
				cut.Store(time.Now().UnixNano())
				p.route(second.addr)
				l.halfOpen()
			})
			url := uploads(t, c, source(t, mid), p.endpoint())
			if cut.Load() == 0 {
				t.Fatal("nothing was cut")
			}
			took := time.Since(time.Unix(0, cut.Load()))
			if took > leaseTTL+slack {
				t.Errorf("it took %v from the cut to the end", took)
			}
			second.holds(t, url, source(t, mid))
			t.Logf("from the cut to the end: %v", took.Round(10*time.Millisecond))
		})
	}
}

// TestFrozen stops one of two servers (SIGSTOP) in the middle of a PATCH, lets the client go on through the other, and
// wakes the first one up: in the middle of the other's work, and after it.
func TestFrozen(t *testing.T) {
	notShort(t)
	for _, c := range everyClient {
		if c.Name != "tus-js-client" && c.Name != "tus-js-client in chunks" && c.Name != "curl" {
			continue
		}
		for name, wakeEarly := range map[string]bool{"woken in the middle": true, "woken after the end": false} {
			t.Run(c.Name+" "+name, func(t *testing.T) {
				t.Parallel() // it waits for a lease to end, most of the time
				servers.Require(t, c.Name, c.Lacks())
				testFrozen(t, c, wakeEarly)
			})
		}
	}
}

func testFrozen(t *testing.T, c *clients.Client, wakeEarly bool) {
	dir := t.TempDir()
	first, second := serve(t, dir), serve(t, dir)
	p := startProxy(t, first.addr)
	var frozen atomic.Int64
	p.when(mid/3, func(l *link) {
		first.signal(syscall.SIGSTOP)
		frozen.Store(time.Now().UnixNano())
		p.route(second.addr)
		if wakeEarly {
			p.when(mid/4, func(*link) { first.signal(syscall.SIGCONT) })
		}
		l.halfOpen()
	})
	url := uploads(t, c, source(t, mid), p.endpoint())
	if frozen.Load() == 0 {
		t.Fatal("nothing was frozen")
	}
	took := time.Since(time.Unix(0, frozen.Load()))
	if took > leaseTTL+slack {
		t.Errorf("it took %v from the freeze to the end", took)
	}
	second.holds(t, url, source(t, mid))
	first.signal(syscall.SIGCONT)
	// Woken up, the first one has bytes in hand for a file that is finished. Let it try: its answers show that it lives.
	other := uploads(t, c, source(t, small), first.endpoint())
	first.holds(t, other, source(t, small))
	time.Sleep(time.Second)
	second.holds(t, url, source(t, mid))
	t.Logf("from the freeze to the end: %v", took.Round(10*time.Millisecond))
}

// TestRestartAfterKillIsNotDelayed shows that the lock of a process that was killed holds nobody off: not even for the rest of its
// lease, and not if the new process has the old one's id.
func TestRestartAfterKillIsNotDelayed(t *testing.T) {
	notShort(t)
	c := clientNamed(t, "curl")
	servers.Require(t, "curl", c.Lacks())
	s := serve(t, t.TempDir())
	p := startProxy(t, s.addr)
	var back atomic.Int64
	p.when(mid/2, func(*link) {
		s.kill()
		s.start()
		back.Store(time.Now().UnixNano())
	})
	url := uploads(t, c, source(t, mid), p.endpoint())
	took := time.Since(time.Unix(0, back.Load()))
	s.holds(t, url, source(t, mid))
	t.Logf("from the restart to the end: %v; a lease lasts %v", took.Round(10*time.Millisecond), leaseTTL)
	if took > slack {
		t.Errorf("it took %v from the restart to the end", took)
	}
}
