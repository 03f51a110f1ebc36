package prototest

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/fileloft/fileloft/tus"
)

// expiryRows are E1, and the Rust fileloft's tests of expiration.
var expiryRows = []row{
	{"E1 Upload-Expires while it will expire", testE1, false},
	{"E1 expired, then forgotten", testE1Expired, false},
	{"E1 finished uploads stay", testE1Finished, false},
	{"E1 progress puts it off", testE1Progress, false},
	{"E1 switched off", testE1Off, false},
}

// A clock can be put forward. Its zero value shows the time of day.
type clock struct {
	mu    sync.Mutex
	ahead time.Duration
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.ahead)
}

// forward puts the server's clock forward, or waits where the platform's clock cannot be set.
func (s *Server) forward(d time.Duration) {
	if !s.Caps.Functions {
		time.Sleep(d)
		return
	}
	s.clock.mu.Lock()
	defer s.clock.mu.Unlock()
	s.clock.ahead += d
}

// expiring starts a server whose uploads expire after the returned time.
func (x *suite) expiring(t *testing.T, rec *recorder) (*Server, time.Duration) {
	ttl := time.Hour
	if !x.std().Caps.Functions {
		ttl = 3 * time.Second
	}
	opt := tus.Options{EnableExpiration: true, ExpireAfter: ttl}
	if rec != nil {
		opt.Hooks = rec.hooks(tus.Terminated)
	}
	return x.with(t, opt), ttl
}

func testE1(t *testing.T, x *suite) {
	s, ttl := x.expiring(t, nil)
	within := func(a *answer) {
		t.Helper()
		left := time.Until(expires(t, a))
		if left > ttl+2*time.Second || left < ttl-patience {
			t.Errorf("%s: expires in %v, want about %v", a.what, left, ttl)
		}
	}
	a := s.post(t, nil, "Upload-Length", "10").want(t, 201)
	within(a)
	url := s.location(t, a)
	within(s.head(t, url))
	within(s.patch(t, url, 0, "hel").want(t, 204))
	within(s.patch(t, url, 3, nil).want(t, 204))
	s.patch(t, url, 3, "lo world", "Upload-Length", "10").want(t, 413)
	s.patch(t, url, 3, "lowor12").want(t, 204).header(t, "Upload-Expires", "")
	s.head(t, url).header(t, "Upload-Expires", "")
	a = s.post(t, "he", "Upload-Length", "5", "Content-Type", octets).want(t, 201)
	within(a)
	s.post(t, nil, "Upload-Length", "0").want(t, 201).header(t, "Upload-Expires", "") // it is finished
}

func testE1Expired(t *testing.T, x *suite) {
	var rec recorder
	s, ttl := x.expiring(t, &rec)
	url, deferred := s.create(t, 10), s.create(t, -1)
	s.patch(t, url, 0, "hello").want(t, 204)
	s.forward(ttl / 2)
	s.at(t, url, 5)
	s.forward(ttl)
	for _, u := range []string{url, deferred} {
		s.do(t, "HEAD", u, nil).want(t, http.StatusGone).header(t, "Upload-Offset", "")
		s.patch(t, u, 5, "world").want(t, http.StatusGone).header(t, "Upload-Offset", "")
		s.do(t, "GET", u, nil).want(t, http.StatusGone)
	}
	if r := s.sweep(t); r.Expired < 2 || r.Failed > 0 {
		t.Errorf("Sweep: %+v, want two expired", r)
	}
	for _, u := range []string{url, deferred} {
		s.do(t, "HEAD", u, nil).want(t, 404)
		s.patch(t, u, 5, "world").want(t, 404)
		s.gone(t, u)
		if s.Caps.Functions {
			rec.once(t, id(u), tus.Terminated)
		}
	}
	if r := s.sweep(t); r.Expired != 0 {
		t.Errorf("a second Sweep: %+v", r)
	}
}

func testE1Finished(t *testing.T, x *suite) {
	s, ttl := x.expiring(t, nil)
	want := data(100)
	url := s.upload(t, want)
	part := s.upload(t, want, "Upload-Concat", "partial")
	s.forward(3 * ttl)
	s.holds(t, url, want)
	if s.Sweep != nil {
		s.sweep(t)
		s.holds(t, url, want)
	}
	s.do(t, "HEAD", part, nil).want(t, 200, 404, 410) // a finished partial is not a finished upload: either is right
}

func testE1Progress(t *testing.T, x *suite) {
	s, ttl := x.expiring(t, nil)
	want := data(10)
	url := s.create(t, 10)
	for i := range want {
		s.forward(ttl / 3)
		s.patch(t, url, int64(i), want[i:i+1]).want(t, 204)
	}
	s.holds(t, url, want)
}

func testE1Off(t *testing.T, x *suite) {
	s := x.with(t, tus.Options{ExpireAfter: time.Second})
	need(t, s.Caps.Functions, "clock that can be set")
	url := s.create(t, 10)
	s.forward(10000 * time.Hour)
	s.head(t, url).header(t, "Upload-Expires", "")
	if extensions(s.do(t, "OPTIONS", s.URL, nil))["expiration"] {
		t.Error("expiration is advertised and switched off")
	}
	if r := s.sweep(t); r.Expired > 0 {
		t.Errorf("Sweep: %+v", r)
	}
	s.patch(t, url, 0, "hello").want(t, 204).header(t, "Upload-Expires", "")
}
