package prototest

import (
	"net/http"
	"testing"
	"time"

	"github.com/fileloft/fileloft/tus"
)

// deferRows are CR7.
var deferRows = []row{
	{"CR7 deferred length", testCR7, false},
	{"CR7 declarations that do not fit", testCR7Bad, false},
	{"CR7 a length that was never deferred", testCR7Known, false},
}

func testCR7(t *testing.T, x *suite) {
	s := x.std()
	want := data(100)
	url := s.create(t, -1)
	unknownLength := func() {
		t.Helper()
		s.head(t, url).header(t, "Upload-Defer-Length", "1").header(t, "Upload-Length", "")
	}
	unknownLength()
	s.patch(t, url, 0, want[:30]).want(t, 204).header(t, "Upload-Offset", "30")
	unknownLength()
	s.do(t, http.MethodGet, url, nil).want(t, 400)
	s.patch(t, url, 30, want[30:60], "Upload-Length", "100").want(t, 204) // with bytes
	s.head(t, url).header(t, "Upload-Defer-Length", "").header(t, "Upload-Length", "100").header(t, "Upload-Offset", "60")
	s.patch(t, url, 60, want[60:80], "Upload-Length", "100").want(t, 204) // repeated
	s.patch(t, url, 80, want[80:]).want(t, 204)
	s.holds(t, url, want)

	url = s.create(t, -1)
	s.patch(t, url, 0, want).want(t, 204)
	unknownLength()
	s.patch(t, url, 100, nil, "Upload-Length", "100").want(t, 204).header(t, "Upload-Offset", "100") // equal to the offset
	s.holds(t, url, want)

	url = s.create(t, -1)
	s.patch(t, url, 0, nil, "Upload-Length", "100").want(t, 204) // before the first byte
	s.head(t, url).header(t, "Upload-Length", "100").header(t, "Upload-Defer-Length", "")
	s.patch(t, url, 0, want).want(t, 204)
	s.holds(t, url, want)
}

func testCR7Bad(t *testing.T, x *suite) {
	s := x.std()
	for _, bad := range []string{"0", "2", "true", "01", "\x00", "1,1"} {
		s.post(t, nil, "Upload-Defer-Length", bad).want(t, 400).header(t, "Location", "")
		s.post(t, nil, "Upload-Defer-Length", bad, "Upload-Length", "5").want(t, 400)
	}
	want := data(100)
	url := s.create(t, -1)
	s.patch(t, url, 0, want[:60]).want(t, 204)
	s.patch(t, url, 60, nil, "Upload-Length", "59").want(t, 400) // smaller than the offset
	s.head(t, url).header(t, "Upload-Defer-Length", "1")
	s.patch(t, url, 60, want[60:], "Upload-Length", "80").want(t, 413) // smaller than what comes with it
	s.head(t, url).header(t, "Upload-Offset", "60")
	s.patch(t, url, 0, nil, "Upload-Length", "100").want(t, 409) // at another offset
	s.finishWith(t, url, want)
	s.patch(t, url, 100, nil, "Upload-Length", "101").want(t, 400)
	s.holds(t, url, want)

	url = s.create(t, -1)
	s.patch(t, url, 0, want[:50], "Upload-Length", "100").want(t, 204)
	for _, other := range []string{"99", "101", "50", "0"} {
		s.patch(t, url, 50, nil, "Upload-Length", other).want(t, 400)
		s.patch(t, url, 50, want[50:], "Upload-Length", other).want(t, 400)
		s.head(t, url).header(t, "Upload-Length", "100").header(t, "Upload-Offset", "50")
	}
	off := x.with(t, tus.Options{DisableDeferLength: true})
	off.post(t, nil, "Upload-Defer-Length", "1").want(t, 400)
}

// finishWith sends the rest of an upload of deferred length, together with that length unless it stuck before.
func (s *Server) finishWith(t testing.TB, url string, want []byte) {
	t.Helper()
	a := s.head(t, url)
	off := a.offset(t)
	if a.Header.Get("Upload-Defer-Length") == "" && a.Header.Get("Upload-Length") != "100" {
		t.Fatalf("%s: a refused PATCH declared the length %s", a.what, a.Header.Get("Upload-Length"))
	}
	s.patch(t, url, off, want[off:], "Upload-Length", "100").want(t, 204)
}

func testCR7Known(t *testing.T, x *suite) {
	s := x.std()
	url := s.create(t, 10)
	s.patch(t, url, 0, "hello", "Upload-Length", "10").want(t, 204)
	s.patch(t, url, 5, "world", "Upload-Length", "11").want(t, 400)
	s.at(t, url, 5)
	s.patch(t, url, 5, "world").want(t, 204)
	s.holds(t, url, []byte("helloworld"))
}

// expires returns the time in Upload-Expires, which must be an IMF-fixdate.
func expires(t testing.TB, a *answer) time.Time {
	t.Helper()
	v := a.Header.Get("Upload-Expires")
	at, err := time.Parse(http.TimeFormat, v)
	if err != nil {
		t.Errorf("%s: %d with Upload-Expires %q", a.what, a.Status, v)
	}
	return at
}
