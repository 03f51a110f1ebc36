package prototest

import (
	"context"
	"fmt"
	"hash/crc32"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fileloft/fileloft/tus"
)

// bugRows are bugs that other servers had. Those of one store are in storetest; those that need a faulty store or a crash
// are in this package's own tests and in e2e.
var bugRows = []row{
	{"BUG an overlapping retry stored a range twice", testBugOverlap, false},
	{"BUG last answer lost", testBugLastAnswer, true},
	{"BUG an acknowledged offset went back", testBugOffsetBack, false},
	{"BUG zero-byte objects from small files", testBugSmall, false},
	{"BUG part number 10,001", testBugManyParts, false},
	{"BUG unequal parts", testBugUnequal, false},
	{"BUG a final concat overwritten", testBugFinalOverwritten, false},
	{"BUG finish hook fired three times or never", testBugFinishHook, false},
	{"BUG CORS headers on errors of every kind", testBugCORS, false},
	{"BUG memory of the body's announced size", testBugAnnounced, true},
}

func crc32c(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

// testBugOverlap retries a PATCH whose first try still hangs, at the same and at overlapping places.
func testBugOverlap(t *testing.T, x *suite) {
	s := x.std()
	need(t, s.Caps.Streaming, "bodies that arrive in part")
	want := data(300_000)
	for _, sent := range []int{1, 100_000, 299_999} {
		url := s.create(t, int64(len(want)))
		c := s.stall(t, url, want, sent)
		a := s.patch(t, url, 0, want[:200_000]).want(t, 204, 409)
		_, _ = c.Write(want[sent:]) // the first try wakes up
		off := a.offset(t)
		if now := s.head(t, url).offset(t); now < off {
			t.Errorf("offset %d was acknowledged, now it is %d", off, now)
		}
		s.finish(t, url, want)
		_ = c.Close()
		s.holds(t, url, want)
	}
}

// testBugLastAnswer throws away the answer to the last PATCH: HEAD must then say "done" if and only if the object is there.
func testBugLastAnswer(t *testing.T, x *suite) {
	s := x.std()
	need(t, s.Caps.Streaming, "bodies that arrive in part")
	want := data(10_000)
	for range 20 {
		url := s.create(t, int64(len(want)))
		leave := func(off int64) {
			c := s.dial(t)
			c.beginPatch(t, url, off, int64(len(want))-off)
			c.send(t, string(want[off:]))
			_ = c.Close()
		}
		leave(0)
		begin := time.Now()
		eventually(t, "the last PATCH to be done", func() error {
			off := s.head(t, url).offset(t) // never a 404
			if off != int64(len(want)) {
				// A host in between may have dropped the request of who left, instead of passing it on: he comes back, as clients do.
				if s.Caps.NoHalfClose && time.Since(begin) > time.Second {
					leave(off)
					begin = time.Now()
				}
				return fmt.Errorf("offset %d", off)
			}
			s.holds(t, url, want)
			return nil
		})
		s.patch(t, url, int64(len(want)), nil).want(t, 204)
		s.holds(t, url, want)
	}
}

func testBugOffsetBack(t *testing.T, x *suite) {
	s := x.with(t, tus.Options{CheckpointBytes: 3000})
	need(t, s.Caps.Streaming, "bodies that arrive in part")
	want := data(100_000)
	url := s.create(t, int64(len(want)))
	seen := int64(0)
	for seen < int64(len(want)) {
		c := s.dial(t)
		c.beginPatch(t, url, seen, int64(len(want))-seen)
		cut := min(int64(len(want)), seen+1+seen%9973+500)
		c.send(t, string(want[seen:cut]))
		if seen%2 == 0 {
			_ = c.Close()
		}
		off := s.head(t, url).offset(t)
		if off < seen {
			t.Fatalf("offset %d, after %d was seen", off, seen)
		}
		a := s.patch(t, url, off, nil).want(t, 204, 409) // cancels the other, or finds it done
		off = a.offset(t)
		if off < seen || off > cut {
			t.Fatalf("offset %d, after %d was seen and up to %d sent", off, seen, cut)
		}
		_ = c.Close()
		if off == seen { // nothing got through: send a little in peace
			end := min(int64(len(want)), seen+777)
			if b := s.patch(t, url, off, want[off:end]); b.Status == 204 || b.Status == 409 {
				off = b.offset(t)
			}
		}
		seen = off
	}
	s.holds(t, url, want)
}

func testBugSmall(t *testing.T, x *suite) {
	s := x.std()
	for n := range 20 {
		want := data(n)
		s.holds(t, s.upload(t, want), want)
		url := s.location(t, s.post(t, want, "Upload-Length", strconv.Itoa(n), "Content-Type", octets).want(t, 201))
		s.holds(t, url, want)
		url = s.create(t, -1)
		s.patch(t, url, 0, want).want(t, 204)
		s.patch(t, url, int64(n), nil, "Upload-Length", strconv.Itoa(n)).want(t, 204)
		s.holds(t, url, want)
	}
}

// testBugManyParts has more PATCHes than an object in S3 has parts.
func testBugManyParts(t *testing.T, x *suite) {
	if testing.Short() {
		t.Skip("10,050 requests are too many for -short")
	}
	s := x.std()
	const n = 10_050
	need(t, s.Caps.Requests == 0 || s.Caps.Requests > n, "time for so many requests")
	want := data(n)
	url := s.create(t, n)
	for i := range want {
		s.patch(t, url, int64(i), want[i:i+1]).want(t, 204)
	}
	s.holds(t, url, want)
}

func testBugUnequal(t *testing.T, x *suite) {
	s := x.std()
	want := data(3 << 20)
	for seed := range 5 {
		url := s.create(t, int64(len(want)))
		for off, i := 0, seed; off < len(want); i++ {
			end := min(len(want), off+[]int{1, 300_000, 5, 1 << 20, 77_777, 0, 1 << 19}[i%7])
			s.patch(t, url, int64(off), want[off:end]).want(t, 204)
			off = end
		}
		s.holds(t, url, want)
	}
}

func testBugFinalOverwritten(t *testing.T, x *suite) {
	s := x.std()
	want := data(2000)
	parts := []string{s.partial(t, want[:1500]), s.partial(t, want[1500:])}
	url := s.location(t, s.final(t, parts).want(t, 201))
	for range 3 {
		s.holds(t, url, want)
		s.patch(t, url, 2000, nil).want(t, 403)
		for _, p := range parts {
			s.patch(t, p, s.head(t, p).offset(t), nil).want(t, 204)
		}
		if s.Sweep != nil {
			s.sweep(t)
		}
	}
	s.holds(t, url, want)
}

func testBugFinishHook(t *testing.T, x *suite) {
	var rec recorder
	s := x.hooked(t, rec.hooks(tus.Finished))
	want := data(1000)
	ways := map[string]func() string{
		"PATCH": func() string { return s.upload(t, want) },
		"POST with body": func() string {
			return s.location(t, s.post(t, want, "Upload-Length", "1000", "Content-Type", octets).want(t, 201))
		},
		"chunked": func() string {
			url := s.create(t, 1000)
			s.patch(t, url, 0, strings.NewReader(string(want))).want(t, 204)
			return url
		},
		"length declared last": func() string {
			url := s.create(t, -1)
			s.patch(t, url, 0, want).want(t, 204)
			s.patch(t, url, 1000, nil, "Upload-Length", "1000").want(t, 204)
			return url
		},
		"final": func() string { return s.location(t, s.final(t, []string{s.partial(t, want)}).want(t, 201)) },
		"checked": func() string {
			url := s.create(t, 1000)
			s.patch(t, url, 0, want, "Upload-Checksum", checksum("md5", want))
			return url
		},
	}
	for way, make := range ways {
		url := make()
		s.holds(t, url, want)
		s.patch(t, url, 1000, nil)
		s.patch(t, url, 0, want)
		s.sweep(t)
		if n := len(rec.of(id(url), tus.Finished)); n != 1 {
			t.Errorf("%s: %d finished events", way, n)
		}
	}
}

func testBugCORS(t *testing.T, x *suite) {
	s := x.hooked(t, tus.Hooks{
		PreCreate: func(_ context.Context, c *tus.Creation) error {
			switch c.Header.Get("X-Do") {
			case "panic":
				panic("secret-detail")
			case "reject":
				return &tus.Rejection{Status: 418}
			}
			return nil
		},
	})
	for do, status := range map[string]int{"panic": 500, "reject": 418} {
		s.post(t, nil, "Upload-Length", "5", "X-Do", do, "Origin", "https://app.example").want(t, status).
			header(t, "Access-Control-Allow-Origin", "*")
	}
	s.create(t, 5) // it lives
}

// testBugAnnounced announces bodies of an absurd size, and sends little: the announcement must cost nothing.
func testBugAnnounced(t *testing.T, x *suite) {
	s := x.std()
	need(t, s.Caps.Streaming, "bodies that arrive in part")
	need(t, s.Caps.takes(1<<62), "bodies of any size")
	size := min(1<<62, unlimited(t, s.do(t, "OPTIONS", s.URL, nil)))
	for range 50 {
		url := s.create(t, size)
		c := s.dial(t)
		c.beginPatch(t, url, 0, size)
		c.send(t, "hello")
		_ = c.Close()
		s.reaches(t, url, 5)
		s.do(t, http.MethodDelete, url, nil).want(t, 204)
	}
}
