package prototest

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fileloft/fileloft/tus"
)

// locationRows are CR1 and CR2.
var locationRows = []row{
	{"CR1 POST with a length", testCR1},
	{"CR1 Location from the Host", testCR1Host},
	{"CR1 Location from the public URL", testCR1BaseURL},
	{"CR1 Location behind a trusted proxy", testCR1Proxy},
	{"CR1 Location from the platform", testCR1Origin},
	{"CR2 POST of nothing", testCR2},
}

// creationRows are CR3 to CR6 and CR8.
var creationRows = []row{
	{"CR3 larger than the maximum", testCR3},
	{"CR3 bytes past the maximum with a deferred length", testCR3Deferred},
	{"CR3 parts whose sum is larger than the maximum", testCR3Concat},
	{"CR4 no length, two, or a bad one", testCR4},
	{"CR5 metadata", testCR5},
	{"CR6 POST with a body", testCR6},
	{"CR6 a body that does not count", testCR6Ignored},
	{"CR6 nothing is made of a bad request", testCR6Refused},
	{"CR8 an error after creation", testCR8},
}

func testCR1(t *testing.T, x *suite) {
	s := x.with(t, tus.Options{EnableExpiration: true, ExpireAfter: time.Hour})
	seen := map[string]bool{}
	for _, n := range []string{"1", "5", "1048576", "9223372036854775807"} {
		a := s.post(t, nil, "Upload-Length", n).want(t, 201)
		url := s.location(t, a)
		expires(t, a)
		if seen[url] {
			t.Errorf("two uploads at %s", url)
		}
		seen[url] = true
		if len(id(url)) < 22 { // 128 bits in base64
			t.Errorf("the id %s is guessable", id(url))
		}
		s.head(t, url).header(t, "Upload-Length", n).header(t, "Upload-Offset", "0")
	}
	std := x.std()
	std.post(t, nil, "Upload-Length", "1").want(t, 201).header(t, "Upload-Expires", "")
}

// locate creates an upload and returns its Location less the id.
func (s *Server) locate(t *testing.T, headers ...string) string {
	t.Helper()
	a := s.post(t, nil, append(headers, "Upload-Length", "5")...).want(t, 201)
	loc := a.Header.Get("Location")
	i := strings.LastIndexByte(loc, '/') + 1
	if err := tus.ID(loc[i:]).Validate(); err != nil {
		t.Fatalf("Location %q: %v", loc, err)
	}
	s.head(t, s.URL+loc[i:])
	return loc[:i]
}

// forwarded is what a client may claim and only a trusted proxy may say.
var forwarded = []string{
	"X-Forwarded-Proto", "https", "X-Forwarded-Host", "evil.example", "Forwarded", "for=192.0.2.1;host=evil.example;proto=https",
	"X-Forwarded-Prefix", "/evil", "X-Forwarded-Port", "666",
}

func testCR1Host(t *testing.T, x *suite) {
	s := x.std()
	if got := s.locate(t); got != s.URL {
		t.Errorf("Location below %s, want %s", got, s.URL)
	}
	if got := s.locate(t, forwarded...); got != s.URL {
		t.Errorf("Location below %s, want %s: forwarded headers are believed", got, s.URL)
	}
	need(t, s.Caps.Raw, "Host of the client's choice")
	if got := s.locate(t, "Host", "files.example:8443"); got != "http://files.example:8443/files/" {
		t.Errorf("Location below %s", got)
	}
}

func testCR1BaseURL(t *testing.T, x *suite) {
	for _, base := range []string{"https://up.example", "https://up.example/"} {
		s := x.with(t, tus.Options{BaseURL: base, BehindProxy: true})
		if got := s.locate(t, forwarded...); got != "https://up.example/files/" {
			t.Errorf("Location below %s", got)
		}
	}
	s := x.with(t, tus.Options{BaseURL: "https://up.example:8443/api/v1"})
	if got := s.locate(t); got != "https://up.example:8443/api/v1/files/" {
		t.Errorf("Location below %s", got)
	}
}

func testCR1Proxy(t *testing.T, x *suite) {
	s := x.with(t, tus.Options{BehindProxy: true})
	need(t, s.Caps.Raw, "headers of a proxy of our own")
	if got := s.locate(t); got != s.URL {
		t.Errorf("Location below %s, want %s", got, s.URL)
	}
	for _, c := range []struct {
		want    string
		headers []string
	}{
		{"https://up.example/files/", []string{"X-Forwarded-Proto", "https", "X-Forwarded-Host", "up.example"}},
		{"https://up.example:8443/files/", []string{"X-Forwarded-Proto", "https", "X-Forwarded-Host", "up.example:8443"}},
		{"https://up.example:8443/files/", []string{"X-Forwarded-Proto", "https", "X-Forwarded-Host", "up.example", "X-Forwarded-Port", "8443"}},
		{"https://up.example/files/", []string{"X-Forwarded-Proto", "https", "X-Forwarded-Host", "up.example", "X-Forwarded-Port", "443"}},
		{"https://up.example/pre/files/", []string{"X-Forwarded-Proto", "https", "X-Forwarded-Host", "up.example", "X-Forwarded-Prefix", "/pre"}},
		{"https://up.example/files/", []string{"Forwarded", "for=192.0.2.1;host=up.example;proto=https"}},
		{"https://up.example:8443/files/", []string{"Forwarded", `proto=https; Host="up.example:8443"`}},
		{"https://up.example/files/", []string{"Forwarded", "host=up.example;proto=https, host=inner.example;proto=http"}},
		{"https://up.example/files/", []string{"X-Forwarded-Proto", "https, http", "X-Forwarded-Host", "up.example, inner.example"}},
	} {
		if got := s.locate(t, c.headers...); got != c.want {
			t.Errorf("with %q: Location below %s, want %s", c.headers, got, c.want)
		}
	}
	for _, junk := range [][]string{
		{"X-Forwarded-Proto", "javascript", "X-Forwarded-Host", "up.example"},
		{"X-Forwarded-Host", "up.example/path?"},
		{"X-Forwarded-Host", "a b<script>"},
		{"Forwarded", `host="`},
	} {
		got := s.locate(t, junk...)
		if strings.ContainsAny(got, "?<> \"") || strings.HasPrefix(got, "javascript") || strings.Contains(got, "path") {
			t.Errorf("with %q: Location below %s", junk, got)
		}
	}
}

func testCR1Origin(t *testing.T, x *suite) {
	origin := "https://gateway.example/prod"
	s := x.with(t, tus.Options{Origin: func(*http.Request) string { return origin }})
	need(t, s.Caps.Functions, "hooks of the test's own")
	if got := s.locate(t); got != "https://gateway.example/prod/files/" {
		t.Errorf("Location below %s", got)
	}
	origin = ""
	if got := s.locate(t); got != s.URL {
		t.Errorf("Location below %s, want %s", got, s.URL)
	}
}

func testCR2(t *testing.T, x *suite) {
	var rec recorder
	s := x.with(t, tus.Options{Hooks: rec.hooks(tus.Created | tus.Finished)})
	check := func(url string) {
		t.Helper()
		s.holds(t, url, nil)
		s.patch(t, url, 0, nil).want(t, 204)
		if s.Caps.Functions {
			rec.once(t, id(url), tus.Created)
			rec.once(t, id(url), tus.Finished)
		}
	}
	check(s.create(t, 0))
	check(s.location(t, s.post(t, nil, "Upload-Length", "0", "Content-Type", octets).want(t, 201)))
	deferred := s.create(t, -1)
	s.patch(t, deferred, 0, nil, "Upload-Length", "0").want(t, 204)
	check(deferred)
	s.post(t, "x", "Upload-Length", "0", "Content-Type", octets).want(t, 413).header(t, "Location", "")
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
	s := x.with(t, tus.Options{IdleTimeout: 300 * time.Millisecond})
	need(t, s.Caps.Streaming, "bodies that arrive in part")
	want := data(1000)
	for _, half := range []bool{false, true} { // a body that stalls, and one that is cut
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
