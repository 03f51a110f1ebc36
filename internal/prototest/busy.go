package prototest

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/fileloft/fileloft/tus"
)

// busyRows are C15: two requests on one upload, within one process and from two.
var busyRows = []row{
	{"C15 a newer request in the same process", testBusySame, true},
	{"C15 a newer request elsewhere", testBusyPeer, true},
	{"C15 takeover after the lease", testTakeover, true},
	{"C15 a silent client holds nobody off", testSilent, true},
	{"C15 a silent client with a checksum is overtaken", testSilentChecked, true},
	{"C15 a slow client keeps its lease", testSlowKeeps, true},
	{"C15 HEAD disturbs nobody", testBusyHead, true},
	{"C15 a peer goes on where the other stopped", testPeer, true},
	{"C15 duplicates race", testDuplicates, true},
	{"C15 a shutdown keeps what arrived", testDrain, true},
}

// stall begins a PATCH of body at 0, sends the first sent bytes of it and stands still. When it returns, the request
// is the upload's writer, and the server has read all but what the sockets' buffers hold.
func (s *Server) stall(t testing.TB, url string, body []byte, sent int) *conn {
	t.Helper()
	c := s.dial(t)
	c.beginPatch(t, url, 0, int64(len(body)), "Expect", "100-continue")
	if a, err := c.read("PATCH"); err != nil || a.Status != http.StatusContinue { // it comes when the body is wanted
		t.Fatalf("%s: %v, %v, want 100", c.what, a, err)
	}
	c.send(t, string(body[:sent]))
	return c
}

// testBusySame has a lease that nobody would wait out: the older request must be cancelled.
func testBusySame(t *testing.T, x *suite) {
	s := x.with(t, tus.Options{LeaseTTL: time.Minute, LockTimeout: patience})
	need(t, s.Caps.Streaming, "bodies that arrive in part")
	const size, sent = 20 << 20, 15 << 20
	want := data(size)
	url := s.create(t, size)
	older := s.stall(t, url, want, sent)
	begin := time.Now()
	a := s.patch(t, url, 0, want).want(t, 204, 409)
	if took := time.Since(begin); took > patience/2 {
		t.Errorf("the newer request waited %v", took)
	}
	off := a.offset(t)
	least := int64(sent / 3)
	if s.Caps.NoHalfClose { // a host stands in between: its sockets hold most of it, where the kernel lets each grow to 32 MiB
		least = 1
	}
	if a.Status == 409 {
		if off < least || off > sent {
			t.Errorf("%d bytes were sent before, %d are kept", sent, off)
		}
		s.patch(t, url, off, want[off:]).want(t, 204).header(t, "Upload-Offset", strconv.Itoa(size))
	} else {
		t.Errorf("the newer request wrote at 0 what the older one had sent before")
	}
	older.ends(t)
	s.holds(t, url, want)
}

func testBusyPeer(t *testing.T, x *suite) {
	s := x.with(t, tus.Options{LeaseTTL: time.Minute, LockTimeout: 100 * time.Millisecond})
	need(t, s.Peer != nil && s.Caps.Streaming, "second server")
	peer := s.Peer(t)
	want := data(1 << 20)
	url := s.create(t, 1<<20)
	other := peer.URL + string(id(url))
	c := s.stall(t, url, want, 1<<19)
	finish := c.trickle(want[1<<19:]) // a holder keeps its lease while bytes arrive
	eventually(t, "the upload to be busy", func() error {
		a, err := peer.try("PATCH", other, nil, patchHeaders(0, nil)...)
		if err != nil || a.Status != 423 {
			return fmt.Errorf("PATCH: %v, %v", a, err)
		}
		return nil
	})
	a := peer.patch(t, other, 0, want).want(t, http.StatusLocked)
	if n, err := strconv.Atoi(a.Header.Get("Retry-After")); err != nil || n < 1 {
		t.Errorf("%s: 423 with Retry-After %q", a.what, a.Header.Get("Retry-After"))
	}
	finish()
	c.answer(t, "PATCH").want(t, 204) // it was not disturbed
	peer.holds(t, other, want)
}

// trickle sends a byte now and then, until the returned function sends the rest at once.
func (c *conn) trickle(rest []byte) func() {
	hurry, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for len(rest) > 1 {
			select {
			case <-hurry:
				_, _ = c.Write(rest)
				return
			case <-time.After(50 * time.Millisecond):
				_, _ = c.Write(rest[:1])
				rest = rest[1:]
			}
		}
	}()
	return func() { close(hurry); <-done }
}

func testBusyHead(t *testing.T, x *suite) {
	s := x.with(t, tus.Options{CheckpointBytes: 100_000})
	need(t, s.Caps.Streaming, "bodies that arrive in part")
	want := data(1_000_000)
	url := s.create(t, int64(len(want)))
	c := s.stall(t, url, want, 100_000)
	last := int64(0)
	for i := 100_000; i < len(want); i += 100_000 {
		off := s.head(t, url).offset(t)
		if off < last || off > int64(i) {
			t.Errorf("offset %d after %d, of %d sent", off, last, i)
		}
		last = off
		c.send(t, string(want[i:i+100_000]))
	}
	c.answer(t, "PATCH").want(t, 204).header(t, "Upload-Offset", "1000000")
	s.holds(t, url, want)
}

func testPeer(t *testing.T, x *suite) {
	s := x.with(t, tus.Options{})
	need(t, s.Peer != nil, "second server")
	peer := s.Peer(t)
	want := data(10_000)
	url := s.create(t, 10_000)
	for off := 0; off < len(want); off += 1000 {
		at, u := s, url
		if off/1000%2 == 1 {
			at, u = peer, peer.URL+string(id(url))
		}
		at.patch(t, u, int64(off), want[off:off+1000]).want(t, 204)
		s.at(t, url, int64(off+1000))
	}
	peer.holds(t, peer.URL+string(id(url)), want)
	peer.do(t, "DELETE", peer.URL+string(id(url)), nil).want(t, 204)
	s.gone(t, url)
}

// testDuplicates lets many clients send the same upload through two servers at once, each as if it were alone.
func testDuplicates(t *testing.T, x *suite) {
	var rec recorder
	s := x.with(t, tus.Options{LeaseTTL: time.Second, LockTimeout: 2 * time.Second, Hooks: rec.hooks(tus.Finished)})
	servers := []*Server{s}
	if s.Peer != nil {
		servers = append(servers, s.Peer(t))
	}
	want := data(200_000)
	url := s.create(t, int64(len(want)))
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	var wg sync.WaitGroup
	for i := range 6 {
		wg.Go(func() {
			at := servers[i%len(servers)]
			if err := at.race(ctx, at.URL+string(id(url)), want, 10_000+7_000*i); err != nil {
				t.Errorf("client %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	s.holds(t, url, want)
	if s.Caps.Functions {
		ids := map[string]bool{}
		for _, e := range rec.of(id(url), tus.Finished) {
			ids[e.ID] = true
		}
		if len(ids) != 1 {
			t.Errorf("finished events under the ids %v, want one", ids)
		}
	}
}

// race uploads in chunks until the server says that all is there. The offset must never go back.
func (s *Server) race(ctx context.Context, url string, want []byte, chunk int) error {
	size := int64(len(want))
	for off := int64(0); ctx.Err() == nil; {
		end := min(size, off+int64(chunk))
		a, err := s.try("PATCH", url, want[off:end], patchHeaders(off, nil)...)
		if err != nil {
			continue // the connection was cut on the way: the upload was taken over
		}
		switch a.Status {
		case 204, 409:
			n, err := strconv.ParseInt(a.Header.Get("Upload-Offset"), 10, 64)
			if err != nil || n < off || (a.Status == 204 && n > end) {
				return fmt.Errorf("%d at %d..%d with Upload-Offset %q", a.Status, off, end, a.Header.Get("Upload-Offset"))
			}
			if off = n; off == size {
				return nil
			}
		case 423:
		default:
			return fmt.Errorf("%d at %d: %s", a.Status, off, a.Body)
		}
	}
	return ctx.Err()
}

func testDrain(t *testing.T, x *suite) {
	s := x.with(t, tus.Options{LeaseTTL: time.Minute})
	need(t, s.Drain != nil && s.Caps.Streaming, "shutdown that a test can call")
	const size, sent = 20 << 20, 15 << 20
	want := data(size)
	url := s.create(t, size)
	c := s.stall(t, url, want, sent)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := s.Drain(ctx); err != nil {
		t.Fatalf("Drain: %v", err)
	}
	if a, err := c.read("PATCH"); err == nil && a.Status == 204 && a.Header.Get("Upload-Offset") == strconv.Itoa(size) {
		t.Errorf("drained: %v", a)
	}
	off := s.head(t, url).offset(t)
	if off < sent/3 || off > sent {
		t.Errorf("%d bytes were sent before the shutdown, %d are kept", sent, off)
	}
	if s.Peer == nil {
		return
	}
	peer := s.Peer(t) // as after a restart
	other := peer.URL + string(id(url))
	peer.patch(t, other, off, want[off:]).want(t, 204)
	peer.holds(t, other, want)
}
