package prototest

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/fileloft/fileloft/tus"
)

// concatRows are N1 and N2.
var concatRows = []row{
	{"N1 partial and final", testN1, false},
	{"N1 what a final upload shows", testN1Shows, false},
	{"N1 ways to name a part", testN1Names, false},
	{"N1 no completion hook for partials", testN1Hooks, false},
	{"N2 bad lists", testN2, false},
	{"N2 unknown and unfit sources", testN2Sources, false},
	{"N2 lengths", testN2Length, false},
	{"N2 a source twice", testN2Twice, false},
	{"N2 switched off", testN2Off, false},
}

// partial uploads b as a finished part.
func (s *Server) partial(t testing.TB, b []byte, headers ...string) string {
	t.Helper()
	return s.upload(t, b, append(headers, "Upload-Concat", "partial")...)
}

// final joins parts and returns the answer.
func (s *Server) final(t testing.TB, parts []string, headers ...string) *answer {
	t.Helper()
	return s.post(t, nil, append(headers, "Upload-Concat", "final;"+strings.Join(parts, " "))...)
}

func testN1(t *testing.T, x *suite) {
	s := x.std()
	for _, sizes := range [][]int{{5}, {1, 1}, {3, 0, 5}, {0}, {0, 0}, {100_000, 1, 70_000}, {1, 200_000}, {7, 6, 5, 4, 3, 2, 1}} {
		var parts []string
		var want []byte
		for i, n := range sizes {
			b := data(n + i)[i:]
			parts = append(parts, s.partial(t, b))
			want = append(want, b...)
		}
		url := s.location(t, s.final(t, parts).want(t, 201))
		s.holds(t, url, want)
		for i, p := range parts {
			s.head(t, p).header(t, "Upload-Concat", "partial").header(t, "Upload-Length", strconv.Itoa(sizes[i]))
		}
		var back []byte // the other way round
		for i := range parts {
			j := len(parts) - 1 - i
			back = append(back, data(sizes[j] + j)[j:]...)
		}
		reversed := make([]string, len(parts))
		for i := range parts {
			reversed[i] = parts[len(parts)-1-i]
		}
		s.holds(t, s.location(t, s.final(t, reversed).want(t, 201)), back)
	}
}

func testN1Shows(t *testing.T, x *suite) {
	s := x.std()
	a := s.partial(t, []byte("hello "), "Upload-Metadata", "from YQ==")
	b := s.partial(t, []byte("world"), "Upload-Metadata", "from Yg==")
	value := "final;" + a + " " + b
	url := s.location(t, s.final(t, []string{a, b}, "Upload-Metadata", "own eA==").want(t, 201))
	shows := func() {
		t.Helper()
		s.head(t, url).header(t, "Upload-Concat", value).header(t, "Upload-Metadata", "own eA==").
			header(t, "Upload-Length", "11").header(t, "Upload-Offset", "11")
	}
	shows()
	for _, off := range []int64{0, 11} {
		s.patch(t, url, off, "xxx").want(t, 403)
		s.patch(t, url, off, nil).want(t, 403)
	}
	shows()
	s.holds(t, url, []byte("hello world"))
	bare := s.location(t, s.final(t, []string{a, b}).want(t, 201))
	s.head(t, bare).header(t, "Upload-Metadata", "")
}

func testN1Names(t *testing.T, x *suite) {
	s := x.std()
	a, b := s.partial(t, []byte("hello ")), s.partial(t, []byte("world"))
	path := func(url string) string { return "/files/" + string(id(url)) }
	for _, value := range []string{
		"final;" + path(a) + " " + path(b),
		"final;" + a + " " + path(b),
		"final; " + a + " " + b,
		"final;" + a + "  " + b,
		"final;" + a + "/ " + b,
		"final;https://other.example" + path(a) + " " + b, // the same server under another name
	} {
		url := s.location(t, s.post(t, nil, "Upload-Concat", value).want(t, 201))
		s.head(t, url).header(t, "Upload-Concat", value)
		s.holds(t, url, []byte("hello world"))
	}
}

func testN1Hooks(t *testing.T, x *suite) {
	var rec recorder
	s := x.with(t, tus.Options{Hooks: rec.hooks(tus.Created | tus.Finished | tus.Terminated)})
	need(t, s.Caps.Functions, "hooks of the test's own")
	a, b := s.partial(t, []byte("hello ")), s.partial(t, []byte("world"))
	url := s.location(t, s.final(t, []string{a, b}).want(t, 201))
	s.head(t, url)
	rec.once(t, id(url), tus.Finished)
	rec.none(t, id(a), tus.Finished)
	rec.none(t, id(b), tus.Finished)
	if e := rec.of(id(url), tus.Finished)[0]; e.Upload.Length != 11 || e.Upload.Concat.Role != tus.Final {
		t.Errorf("finished event of %+v", e.Upload)
	}
}

func testN2(t *testing.T, x *suite) {
	s := x.with(t, tus.Options{MaxParts: 3})
	a := s.partial(t, []byte("hello"))
	for _, bad := range []string{
		"final", "final;", "final; ", "final ;" + a, "FINAL;" + a, "finally;" + a, "final:" + a, "junk", "\x00", "partial;" + a, "partial ", "partial,final;" + a,
		"final;" + s.URL, "final;/files/", "final;/other/" + string(id(a)), "final;" + string(id(a)) + "/..", "final;/files/../files/" + string(id(a)),
		"final;" + a + "?x=1", "final;" + a + "#x", "final;" + a + "," + a, "final;" + a + " j*nk", "final;%zz", "final;://",
		"final;/files/a/b", "final;/files/..", "final;/files/.", "final;/files/%2e%2e%2fx", "final;/files/a%20b", "final;/files/a;b",
		"final;" + strings.Repeat(a+" ", 4), // more than the cap
	} {
		if bad == "partial " { // the space is cut off on its way
			continue
		}
		if a := s.post(t, nil, "Upload-Concat", bad).header(t, "Location", ""); a.Status != 400 {
			t.Errorf("Upload-Concat %q: %d %s", bad, a.Status, a.Body)
		}
	}
	s.post(t, nil, "Upload-Concat", "partial").want(t, 400) // no length
	if !s.Caps.OneValue {
		s.post(t, nil, "Upload-Concat", "partial", "Upload-Concat", "final;"+a, "Upload-Length", "5").want(t, 400)
	}
	s.holds(t, s.location(t, s.final(t, []string{a, a, a}).want(t, 201)), []byte("hellohellohello"))
}

func testN2Sources(t *testing.T, x *suite) {
	s := x.std()
	a := s.partial(t, []byte("hello"))
	whole := s.upload(t, []byte("whole"))
	final := s.location(t, s.final(t, []string{a}).want(t, 201))
	gone := s.partial(t, []byte("gone"))
	s.do(t, "DELETE", gone, nil).want(t, 204)
	s.final(t, []string{a, s.URL + unknown}).want(t, 404).header(t, "Location", "")
	s.final(t, []string{gone, a}).want(t, 404).header(t, "Location", "")
	s.final(t, []string{whole}).want(t, 400).header(t, "Location", "")
	s.final(t, []string{a, whole}).want(t, 400)
	s.final(t, []string{a, final}).want(t, 400)
	s.holds(t, whole, []byte("whole"))

	var rec recorder
	s = x.hooked(t, rec.hooks(tus.Terminated))
	half := s.partial(t, []byte("half"))
	rec.failing(true)
	s.do(t, "DELETE", half, nil).want(t, 204) // its record stays until somebody has been told
	s.final(t, []string{half}).want(t, 404).header(t, "Location", "")
}

func testN2Length(t *testing.T, x *suite) {
	s := x.std()
	a, b := s.partial(t, []byte("hello ")), s.partial(t, []byte("world"))
	s.final(t, []string{a, b}, "Upload-Length", "12").want(t, 400).header(t, "Location", "")
	s.final(t, []string{a, b}, "Upload-Length", "0").want(t, 400)
	s.final(t, []string{a, b}, "Upload-Length", "x").want(t, 400)
	s.holds(t, s.location(t, s.final(t, []string{a, b}, "Upload-Length", "11").want(t, 201)), []byte("hello world"))
}

func testN2Twice(t *testing.T, x *suite) {
	s := x.std()
	want := data(50_000)
	a := s.partial(t, want)
	url := s.location(t, s.final(t, []string{a, a, a}).want(t, 201))
	s.holds(t, url, bytes.Repeat(want, 3))
	s.holds(t, s.location(t, s.final(t, []string{a}).want(t, 201)), want)
}

func testN2Off(t *testing.T, x *suite) {
	s := x.bare(t, tus.Options{})
	got := extensions(s.do(t, "OPTIONS", s.URL, nil))
	if got["concatenation"] || got["concatenation-unfinished"] {
		t.Error("concatenation is advertised and switched off")
	}
	s.post(t, nil, "Upload-Concat", "final;/files/"+unknown).want(t, http.StatusBadRequest).header(t, "Location", "")

	s = x.with(t, tus.Options{DisableUnfinishedConcat: true})
	if got := extensions(s.do(t, "OPTIONS", s.URL, nil)); !got["concatenation"] || got["concatenation-unfinished"] {
		t.Errorf("Tus-Extension %v", got)
	}
	a, b := s.partial(t, []byte("hello ")), s.create(t, 5, "Upload-Concat", "partial")
	s.final(t, []string{a, b}).want(t, http.StatusBadRequest).header(t, "Location", "")
	s.patch(t, b, 0, "world").want(t, 204)
	s.holds(t, s.location(t, s.final(t, []string{a, b}).want(t, 201)), []byte("hello world"))
}
