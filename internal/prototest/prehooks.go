package prototest

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/fileloft/fileloft/tus"
)

func testPreFinish(t *testing.T, x *suite) {
	var rec recorder
	h := rec.hooks(tus.Finished | tus.Terminated)
	h.PreFinish = func(_ context.Context, u tus.Upload) error {
		if u.Offset != u.Length || u.Phase == tus.Done {
			t.Errorf("PreFinish of %+v", u)
		}
		if m, _ := tus.ParseMetadata(u.Metadata); m["virus"] == "yes" {
			return &tus.Rejection{Body: "infected: This file is ill.\n"}
		}
		return nil
	}
	s := x.hooked(t, h)
	ill := []string{"Upload-Metadata", "virus eWVz"}
	url := s.create(t, 10, ill...)
	s.patch(t, url, 0, "hello").want(t, 204)
	a := s.patch(t, url, 5, "world").want(t, 403)
	if string(a.Body) != "infected: This file is ill.\n" {
		t.Errorf("body %q, want the hook's own", a.Body)
	}
	s.gone(t, url)
	s.do(t, "GET", url, nil).want(t, 404, 410)
	rec.none(t, id(url), tus.Finished)

	a = s.post(t, "hello", append(ill, "Upload-Length", "5", "Content-Type", octets)...).want(t, 403)
	if loc := a.Header.Get("Location"); loc != "" {
		s.gone(t, loc)
	}
	s.post(t, nil, append(ill, "Upload-Length", "0")...).want(t, 403)
	deferred := s.create(t, -1, ill...)
	s.patch(t, deferred, 0, "hello").want(t, 204)
	s.patch(t, deferred, 5, nil, "Upload-Length", "5").want(t, 403)
	s.gone(t, deferred)

	part := s.upload(t, []byte("hello"), "Upload-Concat", "partial", "Upload-Metadata", "virus eWVz") // is not asked about
	a = s.final(t, []string{part}, ill...).want(t, 403)
	if loc := a.Header.Get("Location"); loc != "" {
		s.gone(t, loc)
	}
	if n := len(rec.all()); n > 0 {
		for _, e := range rec.all() {
			if e.Kind == tus.Finished {
				t.Errorf("finished event of a rejected upload: %+v", e)
			}
		}
	}
	s.holds(t, s.upload(t, []byte("hello")), []byte("hello"))
}

// testPreFinishFails has a hook that cannot tell for now: nothing is lost, and a later request tries again.
func testPreFinishFails(t *testing.T, x *suite) {
	var rec recorder
	var failing atomic.Bool
	h := rec.hooks(tus.Finished)
	h.PreFinish = func(context.Context, tus.Upload) error {
		if failing.Load() {
			return errors.New("secret-detail of a scanner")
		}
		return nil
	}
	s := x.hooked(t, h)
	failing.Store(true)
	url := s.create(t, 5)
	s.patch(t, url, 0, "hello").want(t, 503)
	if a := s.do(t, "HEAD", url, nil); a.Status == 200 && a.Header.Get("Upload-Offset") == "5" {
		t.Errorf("%s: finished, but the hook has not agreed", a.what)
	}
	s.do(t, "GET", url, nil).want(t, 400, 503)
	rec.none(t, id(url), tus.Finished)
	failing.Store(false)
	s.holds(t, url, []byte("hello")) // HEAD rolls it forward
	rec.once(t, id(url), tus.Finished)

	failing.Store(true)
	url = s.create(t, 5)
	s.patch(t, url, 0, "hello").want(t, 503)
	failing.Store(false)
	s.patch(t, url, 5, nil).want(t, 204).header(t, "Upload-Offset", "5") // so does a repeated PATCH
	s.holds(t, url, []byte("hello"))

	failing.Store(true)
	url = s.create(t, 5)
	s.patch(t, url, 0, "hello").want(t, 503)
	failing.Store(false)
	if r := s.sweep(t); r.Completed != 1 { // and the sweeper
		t.Errorf("Sweep: %+v, want one completed", r)
	}
	s.holds(t, url, []byte("hello"))
	rec.once(t, id(url), tus.Finished)
}

func testPreTerminate(t *testing.T, x *suite) {
	var rec recorder
	var answer error
	h := rec.hooks(tus.Terminated)
	h.PreTerminate = func(context.Context, tus.Upload) error { return answer }
	s := x.hooked(t, h)
	url := s.upload(t, []byte("hello"))
	answer = &tus.Rejection{Status: 423, Body: "kept: This upload stays.\n"}
	s.do(t, "DELETE", url, nil).want(t, 423)
	s.holds(t, url, []byte("hello"))
	answer = errors.New("secret-detail of a hook")
	s.do(t, "DELETE", url, nil).want(t, 500)
	s.holds(t, url, []byte("hello"))
	rec.none(t, id(url), tus.Terminated)
	answer = nil
	s.do(t, "DELETE", url, nil).want(t, 204)
	s.gone(t, url)
	rec.once(t, id(url), tus.Terminated)
	s.do(t, "DELETE", url, nil).want(t, 404)
	rec.once(t, id(url), tus.Terminated)
}
