package prototest

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fileloft/fileloft/tus"
)

// bodyRows are the core rows about bodies that do not arrive as announced, and errors in general.
var bodyRows = []row{
	{"C10 connection cut in mid-body", testC10, true},
	{"C10 connection cut in mid-chunk", testC10Chunked, true},
	{"C11 stalled body", testC11, true},
	{"C11 slow body", testC11Slow, true},
	{"C13 PATCH of nothing", testC13, false},
	{"C14 body longer than what is missing", testC14, false},
	{"C14 body larger than the platform takes", testMaxChunk, false},
	{"C18 connections are kept", testKeepAlive, false},
	{"C18 errors have a code and keep the inside to themselves", testC18, false},
	{"C18 bad requests on the wire", testC18Wire, false},
}

func testC10(t *testing.T, x *suite) {
	s := x.std()
	need(t, s.Caps.Streaming, "bodies that arrive in part")
	want := data(1000)
	for _, sent := range []int{0, 1, 400, 999} {
		for _, half := range []bool{false, true} {
			url := s.create(t, 1000)
			c := s.dial(t)
			c.beginPatch(t, url, 0, 1000)
			c.send(t, string(want[:sent]))
			if half {
				c.halfClose(t)
			} else {
				_ = c.Close()
			}
			s.reaches(t, url, int64(sent))
			s.finish(t, url, want) // with patience: the cut request may come to be served only now
			s.holds(t, url, want)
		}
	}
}

// reaches waits until the upload stands at off, which it must not pass.
func (s *Server) reaches(t testing.TB, url string, off int64) {
	t.Helper()
	eventually(t, fmt.Sprintf("offset %d", off), func() error {
		got := s.head(t, url).offset(t)
		if got > off {
			t.Fatalf("HEAD %s: offset %d, but only %d bytes were sent", url, got, off)
		}
		if got != off {
			return fmt.Errorf("offset %d", got)
		}
		return nil
	})
}

func testC10Chunked(t *testing.T, x *suite) {
	s := x.std()
	need(t, s.Caps.Streaming, "bodies that arrive in part")
	want := data(1000)
	for _, tail := range []string{"", "\r\n", "\r\n100\r\nabc", "\r\nzz\r\n"} {
		url := s.create(t, 1000)
		c := s.dial(t)
		c.beginPatch(t, url, 0, -1)
		c.send(t, fmt.Sprintf("%x\r\n%s%s", 400, want[:400], strings.ReplaceAll(tail, "abc", string(want[400:403]))))
		_ = c.Close()
		sent := int64(400)
		if strings.Contains(tail, "abc") {
			sent = 403
		}
		s.reaches(t, url, sent)
		s.finish(t, url, want)
		s.holds(t, url, want)
	}
}

func testC11(t *testing.T, x *suite) {
	s := x.with(t, tus.Options{IdleTimeout: 200 * time.Millisecond})
	need(t, s.Caps.Streaming, "bodies that arrive in part")
	want := data(1000)
	for _, n := range []int64{1000, -1} {
		url := s.create(t, 1000)
		c := s.dial(t)
		c.beginPatch(t, url, 0, n)
		if n < 0 {
			c.send(t, fmt.Sprintf("%x\r\n", 400))
		}
		c.send(t, string(want[:400]))
		c.ends(t)
		s.reaches(t, url, 400)
		s.patch(t, url, 400, want[400:]).want(t, 204)
		s.holds(t, url, want)
	}
	url := s.create(t, 1000)
	c := s.dial(t)
	c.beginPatch(t, url, 0, 1000) // not one byte
	c.ends(t)
	s.patch(t, url, 0, want).want(t, 204)
	s.holds(t, url, want)
}

// testC11Slow sends for longer than IdleTimeout, but never stands still for that long.
func testC11Slow(t *testing.T, x *suite) {
	if testing.Short() {
		t.Skip("it is as slow as it says")
	}
	s := x.with(t, tus.Options{IdleTimeout: 1500 * time.Millisecond})
	need(t, s.Caps.Streaming, "bodies that arrive in part")
	want := data(10)
	url := s.create(t, 10)
	c := s.dial(t)
	c.beginPatch(t, url, 0, 10)
	for i := range want {
		time.Sleep(200 * time.Millisecond)
		c.send(t, string(want[i:i+1]))
	}
	c.answer(t, http.MethodPatch).want(t, 204).header(t, "Upload-Offset", "10")
	s.holds(t, url, want)
}

func testC13(t *testing.T, x *suite) {
	s := x.std()
	url := s.create(t, 5)
	empty := func(off int64) {
		t.Helper()
		want := fmt.Sprint(off)
		s.patch(t, url, off, nil).want(t, 204).header(t, "Upload-Offset", want)
		s.patch(t, url, off, strings.NewReader("")).want(t, 204).header(t, "Upload-Offset", want)
		s.at(t, url, off)
	}
	empty(0)
	s.patch(t, url, 0, "he").want(t, 204)
	empty(2)
	s.patch(t, url, 2, "llo").want(t, 204)
	empty(5)
	s.patch(t, url, 5, "!").want(t, 413)
	s.patch(t, url, 5, strings.NewReader("!")).want(t, 413)
	s.holds(t, url, []byte("hello"))

	url = s.create(t, 0)
	empty(0)
	s.patch(t, url, 0, "!").want(t, 413)
	s.holds(t, url, nil)
}

func testC14(t *testing.T, x *suite) {
	s := x.std()
	want := data(1000)
	url := s.create(t, 1000)
	for _, at := range []int64{0, 400, 999} {
		if at > 0 {
			off := s.head(t, url).offset(t)
			s.patch(t, url, off, want[off:at]).want(t, 204)
		}
		for _, over := range []int{1, 100, 500_000} {
			long := append(append([]byte(nil), want[at:]...), data(over)...)
			s.patch(t, url, at, long).want(t, 413)
			s.at(t, url, at)
			a, err := s.try("PATCH", url, strings.NewReader(string(long)), patchHeaders(at, nil)...)
			if err == nil {
				a.check(t, "PATCH")
				a.want(t, 413)
			} else if s.Caps.Raw { // a gateway may close the connection on a client that goes on sending
				t.Error(err)
			}
			s.at(t, url, at)
		}
	}
	s.patch(t, url, 999, want[999:]).want(t, 204)
	s.holds(t, url, want)
}

func testMaxChunk(t *testing.T, x *suite) {
	s := x.with(t, tus.Options{MaxChunk: 1000, MaxSize: 5000})
	const limit = "max-size=5000, max-append-size=1000"
	s.do(t, "OPTIONS", s.URL, nil).want(t, 204).header(t, "Upload-Limit", limit)
	s.post(t, nil, "Upload-Length", "5001").want(t, 413).header(t, "Upload-Limit", limit)
	want := data(1500)
	url := s.create(t, 1500)
	a := s.patch(t, url, 0, want).want(t, 413).header(t, "Upload-Limit", limit)
	if !strings.Contains(string(a.Body), "1000") {
		t.Errorf("%s: %q does not name the size of a chunk", a.what, a.Body)
	}
	s.at(t, url, 0)
	if free := x.std(); free.Caps.MaxBody == 0 {
		a := free.do(t, "OPTIONS", free.URL, nil).want(t, 204)
		limit := "" // or what the store can hold
		if most := unlimited(t, a); most < 1<<63-1 {
			limit = "max-size=" + strconv.FormatInt(most, 10)
		}
		a.header(t, "Upload-Limit", limit)
	}
	a = s.post(t, want, "Upload-Length", "1500", "Content-Type", octets).want(t, 413).header(t, "Location", "")
	if !strings.Contains(string(a.Body), "1000") {
		t.Errorf("%s: %q does not name the size of a chunk", a.what, a.Body)
	}
	s.patch(t, url, 0, want[:1000]).want(t, 204)
	s.patch(t, url, 1000, want[1000:]).want(t, 204)
	s.holds(t, url, want)
}

// testKeepAlive sends several requests on one connection, in both forms of a body.
func testKeepAlive(t *testing.T, x *suite) {
	s := x.std()
	url := s.create(t, 20)
	c := s.dial(t)
	for off := int64(0); off < 20; off += 10 {
		c.beginPatch(t, url, off, 5)
		c.send(t, "hello")
		c.answer(t, "PATCH").want(t, 204).header(t, "Connection", "")
		c.beginPatch(t, url, off+5, -1)
		c.send(t, "5\r\nworld\r\n0\r\n\r\n")
		c.answer(t, "PATCH").want(t, 204).header(t, "Connection", "")
		c.beginPatch(t, url, off+7, 0)
		c.answer(t, "PATCH").want(t, 409).header(t, "Connection", "")
	}
	s.holds(t, url, []byte("helloworldhelloworld"))
}

func testC18(t *testing.T, x *suite) {
	s := x.std()
	url := s.create(t, 5)
	// The form of the answer is checked by do. The same mistake has the same code, another has another.
	code := func(a *answer) string { c, _, _ := strings.Cut(string(a.Body), ":"); return c }
	conflict := code(s.patch(t, url, 3, "x").want(t, 409))
	if again := code(s.patch(t, url, 4, "yy").want(t, 409)); again != conflict {
		t.Errorf("one mistake, two codes: %q, %q", conflict, again)
	}
	if other := code(s.do(t, "PATCH", url, "x", "Upload-Offset", "0").want(t, 415)); other == conflict {
		t.Errorf("two mistakes, one code: %q", other)
	}
	ids := map[string]bool{}
	for range 5 {
		ids[s.patch(t, url, 3, "x").want(t, 409).Header.Get("X-Request-ID")] = true
	}
	if len(ids) != 5 {
		t.Errorf("5 requests have %d ids: %v", len(ids), ids)
	}
	for _, bad := range []string{"%00", "a%0a", "..%2f..%2fetc%2fpasswd", "%2e%2e", "a%5cb", "%ff%fe", "a;b", "a%20b", strings.Repeat("a", 129)} {
		s.do(t, "HEAD", s.URL+bad, nil).want(t, 400, 404)
		s.do(t, "GET", s.URL+bad, nil).want(t, 400, 404)
		s.patch(t, s.URL+bad, 0, "x").want(t, 400, 404)
		s.do(t, "DELETE", s.URL+bad, nil).want(t, 400, 404)
	}
}

// testC18Wire sends what HTTP itself forbids. The answer is net/http's or the gateway's; what counts is that the
// upload is unharmed and the server lives.
func testC18Wire(t *testing.T, x *suite) {
	s := x.std()
	want := data(100)
	url := s.create(t, 100)
	target := url[strings.Index(url, "//")+2:]
	host, path, _ := strings.Cut(target, "/")
	for _, request := range []string{
		"PATCH /%s HTTP/1.1\r\nHost: %s\r\nTus-Resumable: 1.0.0\r\nContent-Type: " + octets + "\r\nUpload-Offset: 0\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
		"PATCH /%s HTTP/1.1\r\nHost: %s\r\nTus-Resumable: 1.0.0\r\nContent-Type: " + octets + "\r\nUpload-Offset: 0\r\nContent-Length: -5\r\n\r\nhello",
		"PATCH /%s HTTP/1.1\r\nHost: %s\r\nTus-Resumable: 1.0.0\r\nContent-Type: " + octets + "\r\nUpload-Offset: 0\r\nTransfer-Encoding: gzip, chunked\r\n\r\nhello",
		"PATCH /%s HTTP/1.1\r\nHost: %s\r\nTus-Resumable: 1.0.0\r\nContent-Type: " + octets + "\r\nUpload-Offset: 0\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n",
		"PATCH /%s HTTP/1.1\r\nHost: %s\r\nTus-Resumable: 1.0.0\r\nTus-Resumable: 0.2.2\r\nContent-Type: text/plain\r\nUpload-Offset: 0\r\nContent-Length: 5\r\n\r\nhello",
		"PATCH /%s HTTP/1.1\r\nHost: %s\r\nTus-Resumable: 1.0.0\r\nContent-Type: " + octets + "\r\nUpload-Offset: 0\r\nUpload-Offset: 7\r\nContent-Length: 5\r\n\r\nhello",
		"BREW\r\n\r\n",
	} {
		c := s.dial(t)
		if strings.Contains(request, "%s") {
			request = fmt.Sprintf(request, path, host)
		}
		c.what = request
		c.send(t, request)
		c.halfClose(t)
		if a, err := c.read("PATCH"); err == nil && (a.Status < 400 || a.Status >= 500) && a.Status != http.StatusNotImplemented {
			t.Errorf("%q is answered by %d", request, a.Status)
		}
		c.ends(t)
		s.at(t, url, 0)
	}
	s.patch(t, url, 0, want).want(t, 204)
	s.holds(t, url, want)
}
