package prototest

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fileloft/fileloft/tus"
)

// creationRows are CR3 to CR6 and CR8.
var creationRows = []row{
	{"CR3 larger than the maximum", testCR3, false},
	{"CR3 bytes past the maximum with a deferred length", testCR3Deferred, false},
	{"CR3 parts whose sum is larger than the maximum", testCR3Concat, false},
	{"CR4 no length, two, or a bad one", testCR4, false},
	{"CR5 metadata", testCR5, false},
	{"CR6 POST with a body", testCR6, false},
	{"CR6 a body that does not count", testCR6Ignored, false},
	{"CR6 nothing is made of a bad request", testCR6Refused, false},
	{"CR8 an error after creation", testCR8, true},
}

func testCR3(t *testing.T, x *suite) {
	s := x.with(t, tus.Options{MaxSize: 100})
	s.post(t, nil, "Upload-Length", "101").want(t, 413).header(t, "Location", "")
	s.post(t, nil, "Upload-Length", "9223372036854775807").want(t, 413)
	s.post(t, data(101), "Upload-Length", "101", "Content-Type", octets).want(t, 413).header(t, "Location", "")
	s.holds(t, s.upload(t, data(100)), data(100))
}

func testCR3Deferred(t *testing.T, x *suite) {
	s := x.with(t, tus.Options{MaxSize: 100})
	url := s.create(t, -1)
	s.patch(t, url, 0, data(100)[:60]).want(t, 204)
	s.patch(t, url, 60, nil, "Upload-Length", "101").want(t, 413)
	s.at(t, url, 60)
	s.head(t, url).header(t, "Upload-Defer-Length", "1")
	s.patch(t, url, 60, data(41)).want(t, 413)
	s.at(t, url, 60)
	s.patch(t, url, 60, strings.NewReader(string(data(41)))).want(t, 413)
	s.at(t, url, 60)
	s.patch(t, url, 60, data(100)[60:], "Upload-Length", "100").want(t, 204)
	s.holds(t, url, data(100))
	s.post(t, data(101), "Upload-Defer-Length", "1", "Content-Type", octets).want(t, 413)
}

func testCR3Concat(t *testing.T, x *suite) {
	s := x.with(t, tus.Options{MaxSize: 100})
	a := s.upload(t, data(60), "Upload-Concat", "partial")
	b := s.upload(t, data(41), "Upload-Concat", "partial")
	s.post(t, nil, "Upload-Concat", "final;"+a+" "+b).want(t, 413).header(t, "Location", "")
	s.post(t, nil, "Upload-Concat", "final;"+a+" "+a).want(t, 413)
	s.location(t, s.post(t, nil, "Upload-Concat", "final;"+a).want(t, 201))
}

func testCR4(t *testing.T, x *suite) {
	s := x.std()
	for _, h := range [][]string{
		{},
		{"Content-Type", octets},
		{"Upload-Length", "5", "Upload-Defer-Length", "1"},
		{"Upload-Length", "0", "Upload-Defer-Length", "1"},
		{"Upload-Length", "-1"},
		{"Upload-Length", "five"},
		{"Upload-Length", "5", "Upload-Length", "6"},
		{"Upload-Offset", "5"},
		{"Upload-Length", "x", "Upload-Defer-Length", "1"},
	} {
		if s.Caps.OneValue && len(h) == 4 && h[0] == h[2] {
			continue
		}
		s.post(t, nil, h...).want(t, 400).header(t, "Location", "")
	}
}

func testCR5(t *testing.T, x *suite) {
	s := x.with(t, tus.Options{MaxMetadata: 1000})
	for _, good := range []string{
		"filename d29ybGQ=", "key", "a,b,c", "a YQ==,b,c Yw==", "empty ,filename YQ==", "A YQ==,a YQ==", "a-b.c/d;e=f YQ==",
		"filename 5pel5pys6Kqe", "name " + strings.Repeat("AAAA", 248), "!#$%&'()*+-./:;<=>?@[]^_`{|}~ YQ==",
	} {
		url := s.create(t, 5, "Upload-Metadata", good)
		s.head(t, url).header(t, "Upload-Metadata", good)
	}
	for _, bad := range []string{
		",", "a,,b", "a YQ==,", ",a", "a YQ==,a YQ==", "a,a", "a !!!!", "a YQ", "a YQ=", "a YQ==YQ==", "a YQ== b", "ä YQ==", "a\tYQ==",
		"a _-8=", "a YQ==;b", "name " + strings.Repeat("AAAA", 249),
	} {
		s.post(t, nil, "Upload-Length", "5", "Upload-Metadata", bad).want(t, 400).header(t, "Location", "")
	}
	a := s.post(t, nil, "Upload-Length", "5", "Upload-Metadata", "\x00").want(t, 201) // a common Go client sends it
	s.head(t, s.location(t, a)).header(t, "Upload-Metadata", "")
	big := "name " + strings.Repeat("AAAA", 2000) // within the default limit of 8 KiB
	std := x.std()
	std.head(t, std.create(t, 5, "Upload-Metadata", big)).header(t, "Upload-Metadata", big)
	std.post(t, nil, "Upload-Length", "5", "Upload-Metadata", "name "+strings.Repeat("AAAA", 2048)).want(t, 400)
}

func testCR6(t *testing.T, x *suite) {
	s := x.std()
	want := data(1000)
	for _, n := range []int{1, 400, 999, 1000} {
		for _, chunked := range []bool{false, true} {
			var body any = want[:n]
			if chunked {
				body = strings.NewReader(string(want[:n]))
			}
			a := s.post(t, body, "Upload-Length", "1000", "Content-Type", octets, "Upload-Metadata", "a YQ==").want(t, 201)
			url := s.location(t, a.header(t, "Upload-Offset", strconv.Itoa(n)))
			s.head(t, url).header(t, "Upload-Metadata", "a YQ==")
			s.at(t, url, int64(n))
			if n < 1000 {
				s.patch(t, url, int64(n), want[n:]).want(t, 204)
			}
			s.holds(t, url, want)
		}
	}
	a := s.post(t, want[:7], "Upload-Defer-Length", "1", "Content-Type", octets).want(t, 201).header(t, "Upload-Offset", "7")
	url := s.location(t, a)
	s.patch(t, url, 7, want[7:], "Upload-Length", "1000").want(t, 204)
	s.holds(t, url, want)
}

func testCR6Ignored(t *testing.T, x *suite) {
	s := x.std()
	for _, ct := range []string{"", "text/plain", "application/json", "application/x-www-form-urlencoded"} {
		url := s.location(t, s.post(t, "hello", "Upload-Length", "5", "Content-Type", ct).want(t, 201))
		s.at(t, url, 0)
		s.patch(t, url, 0, "HELLO").want(t, 204)
		s.holds(t, url, []byte("HELLO"))
	}
	url := s.location(t, s.post(t, nil, "Upload-Length", "5", "Content-Type", octets).want(t, 201))
	s.at(t, url, 0)
	s.post(t, strings.NewReader(""), "Upload-Length", "5", "Content-Type", octets).want(t, 201)
}

// testCR6Refused knows what was made by the events, which tell of every record.
func testCR6Refused(t *testing.T, x *suite) {
	var rec recorder
	s := x.with(t, tus.Options{Hooks: rec.hooks(tus.Created), MaxSize: 1000, MaxMetadata: 100})
	need(t, s.Caps.Functions, "hooks of the test's own")
	for _, c := range []struct {
		status  int
		body    any
		headers []string
	}{
		{413, data(6), []string{"Upload-Length", "5"}},
		{413, data(1001), []string{"Upload-Defer-Length", "1"}},
		{413, "hello", []string{"Upload-Length", "1001"}},
		{400, "hello", nil},
		{400, "hello", []string{"Upload-Length", "5", "Upload-Metadata", "a !"}},
		{400, "hello", []string{"Upload-Length", "5", "Upload-Checksum", "nonsense YQ=="}},
		{400, "hello", []string{"Upload-Length", "5", "Upload-Concat", "nonsense"}},
		{412, "hello", []string{"Upload-Length", "5", "Tus-Resumable", "0.1"}},
	} {
		s.post(t, c.body, append(c.headers, "Content-Type", octets)...).want(t, c.status).header(t, "Location", "")
	}
	if n := len(rec.all()); n > 0 {
		t.Errorf("%d uploads were made", n)
	}
	off := x.with(t, tus.Options{DisableCreationWithUpload: true})
	url := off.location(t, off.post(t, "hello", "Upload-Length", "5", "Content-Type", octets).want(t, 201))
	off.at(t, url, 0)
}

func testCR8(t *testing.T, x *suite) {
	s := x.with(t, tus.Options{IdleTimeout: 200 * time.Millisecond})
	need(t, s.Caps.Streaming, "bodies that arrive in part")
	want := data(1000)
	for _, half := range []bool{false, true} { // a body that stalls, and one that is cut
		if half && s.Caps.NoHalfClose {
			continue
		}
		c := s.dial(t)
		c.begin(t, "POST", s.URL, "Content-Type", octets, "Upload-Length", "1000", "Content-Length", "1000")
		c.send(t, string(want[:400]))
		if half {
			c.halfClose(t)
		}
		a := c.answer(t, "POST").want(t, 201)
		off := a.offset(t)
		url := s.location(t, a)
		if off > 400 {
			t.Errorf("half %v: offset %d of 400 bytes sent", half, off)
		}
		s.at(t, url, off)
		s.patch(t, url, off, want[off:]).want(t, 204)
		s.holds(t, url, want)
	}
	c := s.dial(t) // one byte too many of unknown number: found out after creation
	c.begin(t, "POST", s.URL, "Content-Type", octets, "Upload-Length", "5", "Transfer-Encoding", "chunked")
	c.send(t, fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", 6, "hello!"))
	if a := c.answer(t, "POST").want(t, 201, 413); a.Status == 201 {
		s.at(t, s.location(t, a), a.offset(t))
	}
}

// grace is longer than what a sweep leaves to whoever may still be at work on an upload.
const grace = 2 * time.Minute

// sweep runs the sweeper, when nobody can be at work any more.
func (s *Server) sweep(t testing.TB) tus.SweepReport {
	t.Helper()
	need(t, s.Sweep != nil, "sweeper that a test can call")
	if s.Caps.Functions {
		s.forward(grace)
	}
	r, err := s.Sweep(context.Background())
	if err != nil {
		t.Fatalf("Sweep: %v", err)
	}
	return r
}
