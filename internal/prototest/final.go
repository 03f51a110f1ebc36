package prototest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/fileloft/fileloft/tus"
)

// finalRows are N3, and clean-up.
var finalRows = []row{
	{"N3 final before its parts", testN3, false},
	{"N3 parts that finish together", testN3Race, false},
	{"N3 a part of deferred length", testN3Deferred, false},
	{"N3 a pending final that is deleted", testN3Delete, false},
	{"N3 a pending final whose part is deleted", testN3Lost, false},
	{"N3 clean-up of partials", testN3Cleanup, false},
	{"N3 clean-up after late parts", testN3CleanupLate, false},
}

func testN3(t *testing.T, x *suite) {
	var rec recorder
	s := x.with(t, tus.Options{Hooks: rec.hooks(tus.Finished)})
	want := data(1000)
	a, b := s.create(t, 400, "Upload-Concat", "partial"), s.create(t, 600, "Upload-Concat", "partial")
	ans := s.final(t, []string{a, b}, "Upload-Metadata", "own eA==").want(t, 201)
	url := s.location(t, ans)
	pending := func() {
		t.Helper()
		s.head(t, url).header(t, "Upload-Offset", "").header(t, "Upload-Concat", "final;"+a+" "+b).header(t, "Upload-Metadata", "own eA==")
		s.do(t, "GET", url, nil).want(t, 400)
		s.patch(t, url, 0, "x").want(t, 403)
		rec.none(t, id(url), tus.Finished)
	}
	pending()
	s.patch(t, b, 0, want[400:]).want(t, 204)
	pending()
	s.patch(t, a, 0, want[:399]).want(t, 204)
	pending()
	s.patch(t, a, 399, want[399:400]).want(t, 204)
	s.holds(t, url, want)
	if s.Caps.Functions {
		rec.once(t, id(url), tus.Finished)
	}
	s.patch(t, url, 1000, "x").want(t, 403)
}

// testN3Race finishes several parts at the same time: one of them must be the last.
func testN3Race(t *testing.T, x *suite) {
	var rec recorder
	s := x.with(t, tus.Options{Hooks: rec.hooks(tus.Finished)})
	want := data(900)
	for range 10 {
		var parts []string
		for range 3 {
			parts = append(parts, s.create(t, 300, "Upload-Concat", "partial"))
		}
		url := s.location(t, s.final(t, parts).want(t, 201))
		done := make(chan error)
		for i, p := range parts {
			go func() {
				a, err := s.try("PATCH", p, want[300*i:300*(i+1)], patchHeaders(0, nil)...)
				if err == nil && a.Status != 204 {
					err = fmt.Errorf("status %d: %s", a.Status, a.Body)
				}
				done <- err
			}()
		}
		for range parts {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		s.holds(t, url, want)
		if s.Caps.Functions {
			rec.once(t, id(url), tus.Finished)
		}
	}
}

func testN3Deferred(t *testing.T, x *suite) {
	s := x.with(t, tus.Options{MaxSize: 1000})
	want := data(1000)
	a, b := s.create(t, -1, "Upload-Concat", "partial"), s.create(t, -1, "Upload-Concat", "partial")
	url := s.location(t, s.final(t, []string{a, b}).want(t, 201))
	s.patch(t, a, 0, want[:400], "Upload-Length", "400").want(t, 204)
	s.head(t, url).header(t, "Upload-Offset", "")
	s.patch(t, b, 0, want[400:]).want(t, 204)
	s.head(t, url).header(t, "Upload-Offset", "")
	s.patch(t, b, 600, nil, "Upload-Length", "600").want(t, 204)
	s.holds(t, url, want)
}

func testN3Delete(t *testing.T, x *suite) {
	s := x.std()
	a := s.create(t, 5, "Upload-Concat", "partial")
	url := s.location(t, s.final(t, []string{a}).want(t, 201))
	s.do(t, "DELETE", url, nil).want(t, 204)
	s.gone(t, url)
	s.patch(t, a, 0, "hello").want(t, 204).header(t, "Upload-Offset", "5")
	s.gone(t, url)
	s.head(t, a)
}

// testN3Lost asks only that the final upload is never published with a hole in it, and can be got rid of.
func testN3Lost(t *testing.T, x *suite) {
	s := x.std()
	a, b := s.create(t, 5, "Upload-Concat", "partial"), s.create(t, 5, "Upload-Concat", "partial")
	url := s.location(t, s.final(t, []string{a, b}).want(t, 201))
	s.do(t, "DELETE", a, nil).want(t, 204)
	s.patch(t, b, 0, "world").want(t, 204)
	s.do(t, "HEAD", url, nil).want(t, 200, 404, 410).header(t, "Upload-Offset", "")
	s.do(t, "GET", url, nil).want(t, 400, 404, 410)
	s.do(t, "DELETE", url, nil).want(t, 204, 404)
	s.gone(t, url)
}

func testN3Cleanup(t *testing.T, x *suite) {
	var rec recorder
	var asked []tus.ID
	hooks := rec.hooks(tus.Finished | tus.Terminated)
	hooks.PreTerminate = rec.remember(&asked)
	s := x.with(t, tus.Options{CleanupPartials: true, Hooks: hooks})
	want := []byte("hello world")
	a, b := s.partial(t, want[:6]), s.partial(t, want[6:])
	url := s.location(t, s.final(t, []string{a, b}).want(t, 201))
	s.holds(t, url, want)
	for _, p := range []string{a, b} {
		s.gone(t, p)
		if s.Caps.Functions {
			rec.once(t, id(p), tus.Terminated)
		}
	}
	s.holds(t, url, want)
	if s.Caps.Functions {
		rec.none(t, id(url), tus.Terminated)
		if got := len(asked); got != 2 {
			t.Errorf("PreTerminate ran %d times, want once for each part", got)
		}
	}
}

func testN3CleanupLate(t *testing.T, x *suite) {
	var rec recorder
	s := x.with(t, tus.Options{CleanupPartials: true, Hooks: rec.hooks(tus.Terminated)})
	want := []byte(strings.Repeat("hello world", 100))
	a, b := s.create(t, 600, "Upload-Concat", "partial"), s.create(t, 500, "Upload-Concat", "partial")
	url := s.location(t, s.final(t, []string{a, b}).want(t, 201))
	s.patch(t, b, 0, want[600:]).want(t, 204)
	s.patch(t, a, 0, want[:600]).want(t, 204).header(t, "Upload-Offset", "600") // the last answer on a part is a good one
	s.holds(t, url, want)
	s.gone(t, a)
	s.gone(t, b)
	if s.Caps.Functions {
		rec.once(t, id(a), tus.Terminated)
		rec.once(t, id(b), tus.Terminated)
	}
}
