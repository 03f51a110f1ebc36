package prototest

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/fileloft/fileloft/tus"
)

// eventRows are about the events that are told afterwards: at least once, with an id to know repeats by.
var eventRows = []row{
	{"EV events of an upload's life", testEvents, false},
	{"EV only what is wanted", testEventsWanted, false},
	{"EV redelivery by the next request", testRedelivery, false},
	{"EV redelivery by the sweeper", testRedeliverySweep, false},
	{"EV a failing hook is no failing request", testEventFailure, false},
	{"EV a finished upload can be fetched when its event arrives", testEventCallback, true},
}

const allEvents = tus.Created | tus.Progress | tus.Finished | tus.Terminated

func testEvents(t *testing.T, x *suite) {
	var rec recorder
	s := x.hooked(t, rec.hooks(allEvents))
	url := s.create(t, 10, "Upload-Metadata", "a YQ==")
	u := id(url)
	rec.once(t, u, tus.Created)
	rec.none(t, u, tus.Progress)
	s.patch(t, url, 0, "hello").want(t, 204)
	rec.once(t, u, tus.Progress)
	if e := rec.of(u, tus.Progress)[0]; e.Upload.Offset != 5 {
		t.Errorf("progress to %d, want 5", e.Upload.Offset)
	}
	s.patch(t, url, 5, nil).want(t, 204)
	s.patch(t, url, 7, "x").want(t, 409)
	s.head(t, url)
	rec.once(t, u, tus.Progress)
	rec.none(t, u, tus.Finished)
	s.patch(t, url, 5, "world").want(t, 204)
	rec.once(t, u, tus.Finished)
	for range 3 {
		s.head(t, url)
		s.patch(t, url, 10, nil).want(t, 204)
		s.sweep(t)
	}
	rec.once(t, u, tus.Finished)
	e := rec.of(u, tus.Finished)[0].Upload
	if sums, err := e.Sums(); e.Offset != 10 || e.Length != 10 || e.Metadata != "a YQ==" || err != nil || sums.CRC32C != crc32c([]byte("helloworld")) {
		t.Errorf("finished event of %+v, sums %v, %v", e, sums, err)
	}
	s.do(t, "DELETE", url, nil).want(t, 204)
	rec.once(t, u, tus.Terminated)
	s.sweep(t)
	rec.once(t, u, tus.Terminated)
	rec.once(t, u, tus.Created)
	ids := map[string]bool{}
	for _, e := range rec.all() {
		if e.ID == "" || ids[e.ID] {
			t.Errorf("event %s has the id %q of another", e.Kind, e.ID)
		}
		ids[e.ID] = true
	}
}

func testEventsWanted(t *testing.T, x *suite) {
	for _, kinds := range []tus.Events{0, tus.Finished, tus.Created | tus.Terminated} {
		var rec recorder
		s := x.hooked(t, rec.hooks(kinds))
		url := s.upload(t, []byte("hello"))
		s.do(t, "DELETE", url, nil).want(t, 204)
		want := kinds
		if want == 0 { // the default
			want = tus.Created | tus.Finished | tus.Terminated
		}
		var got tus.Events
		for _, e := range rec.all() {
			got |= e.Kind
		}
		if got != want {
			t.Errorf("wanted %s, told %s", want, got)
		}
	}
}

// testRedelivery has deliveries fail; each must be made up for by a later request, under the same id.
func testRedelivery(t *testing.T, x *suite) {
	var rec recorder
	s := x.hooked(t, rec.hooks(tus.Created|tus.Finished|tus.Terminated))
	rec.failing(true)
	url := s.create(t, 5)
	rec.none(t, id(url), tus.Created)
	rec.failing(false)
	s.patch(t, url, 0, "he").want(t, 204)
	rec.repeated(t, id(url), tus.Created)
	rec.failing(true)
	s.patch(t, url, 2, "llo").want(t, 204).header(t, "Upload-Offset", "5") // the upload is finished all the same
	rec.none(t, id(url), tus.Finished)
	s.holds(t, url, []byte("hello"))
	rec.failing(false)
	s.patch(t, url, 5, nil).want(t, 204)
	rec.repeated(t, id(url), tus.Finished)

	url = s.create(t, 5)
	rec.failing(true)
	s.patch(t, url, 0, "again").want(t, 204)
	rec.failing(false)
	s.head(t, url) // a question does as well
	rec.repeated(t, id(url), tus.Finished)

	rec.failing(true)
	s.do(t, "DELETE", url, nil).want(t, 204)
	s.do(t, "HEAD", url, nil).want(t, 404, 410)
	rec.none(t, id(url), tus.Terminated)
	rec.failing(false)
	s.sweep(t)
	rec.repeated(t, id(url), tus.Terminated)
	s.gone(t, url)
}

// failing makes all deliveries fail from now on, or none.
func (r *recorder) failing(yes bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fail = yes
	if yes {
		r.failed = nil
	}
}

// repeated fails the test unless a delivery that failed was made up for under its id.
func (r *recorder) repeated(t testing.TB, id tus.ID, kind tus.Events) {
	t.Helper()
	of := r.of(id, kind)
	if len(of) != 1 {
		t.Errorf("%d events %s for %s, want the one whose delivery failed", len(of), kind, id)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.failed {
		if e.Upload.ID == id && e.Kind == kind {
			if e.ID != of[0].ID {
				t.Errorf("event %s was tried as %q and repeated as %q", kind, e.ID, of[0].ID)
			}
			return
		}
	}
	t.Errorf("no delivery of %s for %s failed", kind, id)
}

func testRedeliverySweep(t *testing.T, x *suite) {
	var rec recorder
	s := x.hooked(t, rec.hooks(tus.Finished))
	url := s.create(t, 5)
	rec.failing(true)
	s.patch(t, url, 0, "hello").want(t, 204)
	rec.none(t, id(url), tus.Finished)
	s.sweep(t)
	rec.none(t, id(url), tus.Finished)
	rec.failing(false)
	if r := s.sweep(t); r.Delivered != 1 {
		t.Errorf("Sweep: %+v, want one event delivered", r)
	}
	rec.repeated(t, id(url), tus.Finished)
	if r := s.sweep(t); r.Delivered != 0 {
		t.Errorf("Sweep: %+v, nothing is owed", r)
	}
	rec.once(t, id(url), tus.Finished)
}

func testEventFailure(t *testing.T, x *suite) {
	var rec recorder
	s := x.hooked(t, rec.hooks(allEvents))
	rec.failing(true)
	url := s.create(t, 5)
	s.patch(t, url, 0, "he").want(t, 204)
	s.patch(t, url, 2, "llo").want(t, 204)
	s.holds(t, url, []byte("hello"))
	s.do(t, "DELETE", url, nil).want(t, 204)
	s.do(t, "HEAD", url, nil).want(t, 404, 410)
	rec.failing(false)
	s.sweep(t)
	rec.once(t, id(url), tus.Terminated)
	s.gone(t, url)
}

// testEventCallback has a hook that does what a consumer does when it is told that a file is there: it fetches it. Nobody
// may wait for anybody.
func testEventCallback(t *testing.T, x *suite) {
	var s *Server
	var mu sync.Mutex
	var got []string
	s = x.hooked(t, tus.Hooks{Events: tus.Finished, Event: func(_ context.Context, e tus.Event) error {
		begin := time.Now()
		a, err := s.try("GET", s.URL+string(e.Upload.ID), nil)
		mu.Lock()
		defer mu.Unlock()
		switch {
		case err != nil:
			t.Errorf("GET from within the finished event: %v", err)
		case a.Status != 200 || time.Since(begin) > patience/3:
			t.Errorf("GET from within the finished event: %d after %v: %s", a.Status, time.Since(begin), a.Body)
		default:
			got = append(got, string(a.Body))
		}
		return nil
	}})
	s.holds(t, s.upload(t, []byte("hello")), []byte("hello"))
	mu.Lock()
	defer mu.Unlock()
	if len(got) != 1 || got[0] != "hello" {
		t.Errorf("the consumer got %q", got)
	}
}
