package prototest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/fileloft/fileloft/tus"
)

// hookRows are about the hooks that come before the thing happens.
var hookRows = []row{
	{"H PreCreate changes the upload", testPreCreate, false},
	{"H PreCreate rejects", testPreCreateRejects, false},
	{"H PreCreate gives an invalid id or key", testPreCreateInvalid, false},
	{"H Access denies each action", testAccess, false},
	{"H Access for each source of a concatenation", testAccessSources, false},
	{"H PreFinish rejects", testPreFinish, false},
	{"H PreFinish fails for now", testPreFinishFails, false},
	{"H PreTerminate rejects", testPreTerminate, false},
}

// A recorder is an Event hook that remembers what it is told.
type recorder struct {
	mu     sync.Mutex
	events []tus.Event
	failed []tus.Event
	fail   bool // deliveries fail
}

func (r *recorder) hooks(kinds tus.Events) tus.Hooks { return tus.Hooks{Event: r.event, Events: kinds} }

func (r *recorder) event(_ context.Context, e tus.Event) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fail {
		r.failed = append(r.failed, e)
		return errors.New("secret-detail of a delivery")
	}
	r.events = append(r.events, e)
	return nil
}

func (r *recorder) all() []tus.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]tus.Event(nil), r.events...)
}

// of returns the events of one kind on one upload.
func (r *recorder) of(id tus.ID, kind tus.Events) []tus.Event {
	var of []tus.Event
	for _, e := range r.all() {
		if e.Upload.ID == id && e.Kind == kind {
			of = append(of, e)
		}
	}
	return of
}

// once fails the test unless the event was delivered, under one id. With nothing going wrong it comes just once.
func (r *recorder) once(t testing.TB, id tus.ID, kind tus.Events) {
	t.Helper()
	if of := r.of(id, kind); len(of) != 1 || of[0].ID == "" {
		t.Errorf("%d events %s for %s, want one with an id: %v", len(of), kind, id, of)
	}
}

func (r *recorder) none(t testing.TB, id tus.ID, kind tus.Events) {
	t.Helper()
	if of := r.of(id, kind); len(of) != 0 {
		t.Errorf("%d events %s for %s, want none: %v", len(of), kind, id, of)
	}
}

// remember is a hook on uploads that lets everything pass and keeps the ids.
func (r *recorder) remember(ids *[]tus.ID) func(context.Context, tus.Upload) error {
	return func(_ context.Context, u tus.Upload) error {
		r.mu.Lock()
		defer r.mu.Unlock()
		*ids = append(*ids, u.ID)
		return nil
	}
}

// hooked starts a server with hooks, where the platform can have them.
func (x *suite) hooked(t *testing.T, h tus.Hooks) *Server {
	t.Helper()
	need(t, x.std().Caps.Functions, "hooks of the test's own")
	return x.with(t, tus.Options{Hooks: h})
}

func testPreCreate(t *testing.T, x *suite) {
	var seen tus.Creation
	s := x.hooked(t, tus.Hooks{PreCreate: func(_ context.Context, c *tus.Creation) error {
		seen = *c
		c.ID = "chosen-by_hook" + c.ID
		c.Metadata = "filename aG9vaw==,by aG9vaw=="
		c.Key = "some/where/" + string(c.ID) + ".bin"
		return nil
	}})
	url := s.create(t, 5, "Upload-Metadata", "filename YQ==", "X-Custom", "yes")
	if seen.Length != 5 || seen.Metadata != "filename YQ==" || seen.Header.Get("X-Custom") != "yes" || seen.ID.Validate() != nil {
		t.Errorf("PreCreate saw %+v", seen)
	}
	if id(url) != "chosen-by_hook"+seen.ID {
		t.Errorf("Location %s, want the id %s", url, seen.ID)
	}
	s.head(t, url).header(t, "Upload-Metadata", "filename aG9vaw==,by aG9vaw==")
	s.patch(t, url, 0, "hello").want(t, 204)
	s.holds(t, url, []byte("hello"))
	s.create(t, -1)
	if seen.Length != tus.Unknown {
		t.Errorf("PreCreate saw the length %d of a deferred one", seen.Length)
	}
	a := s.post(t, "hello", "Upload-Length", "5", "Content-Type", octets).want(t, 201)
	s.holds(t, s.location(t, a), []byte("hello"))
	s.create(t, 5, "Upload-Concat", "partial")
	if seen.Concat.Role != tus.Partial {
		t.Errorf("PreCreate saw the concatenation %+v of a partial upload", seen.Concat)
	}
}

func testPreCreateRejects(t *testing.T, x *suite) {
	var answer error
	var rec recorder
	h := rec.hooks(tus.Created)
	h.PreCreate = func(context.Context, *tus.Creation) error { return answer }
	s := x.hooked(t, h)
	answer = &tus.Rejection{Status: 402, Body: "pay-first: Nothing is free.\n", Header: http.Header{"X-Price": {"5"}}}
	a := s.post(t, nil, "Upload-Length", "5").want(t, 402).header(t, "X-Price", "5").header(t, "Location", "")
	if string(a.Body) != "pay-first: Nothing is free.\n" {
		t.Errorf("body %q, want the hook's own", a.Body)
	}
	answer = fmt.Errorf("wrapped: %w", &tus.Rejection{})
	s.post(t, nil, "Upload-Length", "5").want(t, 403).header(t, "Location", "")
	answer = errors.New("secret-detail of a database")
	s.post(t, nil, "Upload-Length", "5").want(t, 500).header(t, "Location", "") // what it says is checked by do
	if n := len(rec.all()); n > 0 {
		t.Errorf("%d uploads were made", n)
	}
	answer = nil
	s.create(t, 5)
}

func testPreCreateInvalid(t *testing.T, x *suite) {
	var next func(c *tus.Creation)
	var rec recorder
	h := rec.hooks(tus.Created)
	h.PreCreate = func(_ context.Context, c *tus.Creation) error { next(c); return nil }
	s := x.hooked(t, h)
	for _, bad := range []tus.ID{"", "../x", "a/b", "a b", ".", "..", "ä", "a\x00b", "a%2fb"} {
		next = func(c *tus.Creation) { c.ID = bad }
		if a := s.post(t, nil, "Upload-Length", "5").header(t, "Location", ""); a.Status < 500 {
			t.Errorf("id %q from a hook: %d, want a 500", bad, a.Status)
		}
	}
	for _, bad := range []string{"../x", "/etc/passwd", "a/../../b", "a\x00b", "..", "a//b/"} {
		next = func(c *tus.Creation) { c.Key = bad }
		if a := s.post(t, nil, "Upload-Length", "5").header(t, "Location", ""); a.Status < 500 {
			t.Errorf("key %q from a hook: %d, want a 500", bad, a.Status)
		}
	}
	next = func(c *tus.Creation) { c.Metadata = "a YQ==,a YQ==" }
	if a := s.post(t, nil, "Upload-Length", "5").header(t, "Location", ""); a.Status < 500 {
		t.Errorf("bad metadata from a hook: %d, want a 500", a.Status)
	}
	if n := len(rec.all()); n > 0 {
		t.Errorf("%d uploads were made", n)
	}
	next = func(c *tus.Creation) { c.ID = "taken" }
	url := s.create(t, 5)
	s.patch(t, url, 0, "hel").want(t, 204)
	if a := s.post(t, nil, "Upload-Length", "9").header(t, "Location", ""); a.Status < 400 {
		t.Errorf("an id that is taken: %d", a.Status)
	}
	s.head(t, url).header(t, "Upload-Length", "5").header(t, "Upload-Offset", "3")
	if s.do(t, "DELETE", url, nil).want(t, 204); s.create(t, 4) != url { // an id may be used again
		t.Error("another id than the hook's")
	}
	s.patch(t, url, 0, "HELL").want(t, 204)
	s.holds(t, url, []byte("HELL"))
}

func testAccess(t *testing.T, x *suite) {
	var mu sync.Mutex
	var deny tus.Action
	var asked []tus.Access
	s := x.hooked(t, tus.Hooks{Access: func(ctx context.Context, a *tus.Access) error {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, *a)
		if a.Action == deny {
			return &tus.Rejection{}
		}
		if a.Action != tus.ActionCreate {
			if u, err := a.Upload(ctx); err == nil && u.ID != a.ID {
				t.Errorf("%s: record of %s, asked for %s", a.Action, u.ID, a.ID)
			}
		}
		return nil
	}})
	url, done := s.create(t, 5), s.upload(t, []byte("hello"))
	for _, c := range []struct {
		action      tus.Action
		method, url string
		body        any
		headers     []string
	}{
		{tus.ActionCreate, "POST", s.URL, nil, []string{"Upload-Length", "5"}},
		{tus.ActionCreate, "POST", s.URL, "hello", []string{"Upload-Length", "5", "Content-Type", octets}},
		{tus.ActionHead, "HEAD", url, nil, nil},
		{tus.ActionAppend, "PATCH", url, "hello", patchHeaders(0, nil)},
		{tus.ActionDownload, "GET", done, nil, nil},
		{tus.ActionTerminate, "DELETE", url, nil, nil},
		{tus.ActionTerminate, "POST", url, nil, []string{"X-HTTP-Method-Override", "DELETE"}},
	} {
		mu.Lock()
		deny, asked = c.action, nil
		mu.Unlock()
		s.do(t, c.method, c.url, c.body, append(c.headers, "Authorization", "Bearer x")...).want(t, 403).header(t, "Location", "")
		if len(asked) != 1 || asked[0].Header.Get("Authorization") != "Bearer x" || (c.url != s.URL && asked[0].ID != id(c.url)) {
			t.Errorf("%s: Access was asked %+v", c.action, asked)
		}
	}
	mu.Lock()
	deny = ""
	mu.Unlock()
	s.at(t, url, 0)
	s.do(t, "OPTIONS", s.URL, nil).want(t, 204) // asks nobody: a preflight carries no credentials
	s.patch(t, url, 0, "hello").want(t, 204)
	s.holds(t, url, []byte("hello"))
}

func testAccessSources(t *testing.T, x *suite) {
	var mu sync.Mutex
	var deny tus.ID
	s := x.hooked(t, tus.Hooks{Access: func(_ context.Context, a *tus.Access) error {
		mu.Lock()
		defer mu.Unlock()
		if a.Action == tus.ActionConcat && a.ID == deny {
			return &tus.Rejection{}
		}
		return nil
	}})
	parts := []string{s.partial(t, []byte("a")), s.partial(t, []byte("b")), s.partial(t, []byte("c"))}
	for _, p := range parts {
		mu.Lock()
		deny = id(p)
		mu.Unlock()
		s.final(t, parts).want(t, 403).header(t, "Location", "")
	}
	mu.Lock()
	deny = ""
	mu.Unlock()
	s.holds(t, s.location(t, s.final(t, parts).want(t, 201)), []byte("abc"))
}
