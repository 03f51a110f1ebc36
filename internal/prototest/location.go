package prototest

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/fileloft/fileloft/tus"
)

// locationRows are CR1 and CR2.
var locationRows = []row{
	{"CR1 POST with a length", testCR1, false},
	{"CR1 Location from the Host", testCR1Host, false},
	{"CR1 Location from the public URL", testCR1BaseURL, false},
	{"CR1 Location behind a trusted proxy", testCR1Proxy, false},
	{"CR1 Location from the platform", testCR1Origin, false},
	{"CR2 POST of nothing", testCR2, false},
}

func testCR1(t *testing.T, x *suite) {
	s := x.with(t, tus.Options{EnableExpiration: true, ExpireAfter: time.Hour})
	seen := map[string]bool{}
	for _, n := range []string{"1", "5", "1048576", "1099511627776"} {
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

// proxied has every form in which a trusted proxy may say where the client reached it.
var proxied = []struct {
	want    string
	headers []string
}{
	{"https://up.example/files/", []string{"X-Forwarded-Proto", "https", "X-Forwarded-Host", "up.example"}},
	{"https://up.example/files/", []string{"X-Forwarded-Proto", "HTTPS", "X-Forwarded-Host", "up.example"}},
	{"https://up.example:8443/files/", []string{"X-Forwarded-Proto", "https", "X-Forwarded-Host", "up.example:8443"}},
	{"https://up.example:8443/files/", []string{"X-Forwarded-Proto", "https", "X-Forwarded-Host", "up.example", "X-Forwarded-Port", "8443"}},
	{"https://up.example:8443/files/", []string{"X-Forwarded-Proto", "https", "X-Forwarded-Host", "up.example:8443", "X-Forwarded-Port", "443"}},
	{"https://up.example/files/", []string{"X-Forwarded-Proto", "https", "X-Forwarded-Host", "up.example", "X-Forwarded-Port", "443"}},
	{"http://up.example/files/", []string{"X-Forwarded-Host", "up.example", "X-Forwarded-Port", "80"}},
	{"https://up.example:80/files/", []string{"X-Forwarded-Proto", "https", "X-Forwarded-Host", "up.example", "X-Forwarded-Port", "80"}},
	{"http://up.example/files/", []string{"X-Forwarded-Host", "up.example", "X-Forwarded-Port", "65536"}},
	{"https://up.example:8443/files/", []string{"X-Forwarded-Proto", "https", "X-Forwarded-Host", "up.example", "X-Forwarded-Port", "8443, 80"}},
	{"https://[2001:db8::1]/files/", []string{"X-Forwarded-Proto", "https", "X-Forwarded-Host", "[2001:db8::1]", "X-Forwarded-Port", "443"}},
	{"https://[2001:db8::1]:8443/files/", []string{"X-Forwarded-Proto", "https", "X-Forwarded-Host", "[2001:db8::1]", "X-Forwarded-Port", "8443"}},
	{"https://[2001:db8::1]:8443/files/", []string{"X-Forwarded-Proto", "https", "X-Forwarded-Host", "[2001:db8::1]:8443", "X-Forwarded-Port", "443"}},
	{"https://up.example/pre/files/", []string{"X-Forwarded-Proto", "https", "X-Forwarded-Host", "up.example", "X-Forwarded-Prefix", "/pre"}},
	{"https://up.example/pre/two/files/", []string{"X-Forwarded-Proto", "https", "X-Forwarded-Host", "up.example", "X-Forwarded-Prefix", "/pre/two/"}},
	{"https://up.example/files/", []string{"X-Forwarded-Proto", "https, http", "X-Forwarded-Host", "up.example, inner.example"}},

	{"https://up.example/files/", []string{"Forwarded", "for=192.0.2.1;host=up.example;proto=https"}},
	{"https://up.example:8443/files/", []string{"Forwarded", `proto=https; Host="up.example:8443"`}},
	{"https://up.example:8443/files/", []string{"Forwarded", `PROTO="https";HOST=up.example:8443`}},
	{"https://up.example/files/", []string{"Forwarded", "host=up.example;proto=https, host=inner.example;proto=http"}},
	{"https://up.example/files/", []string{"Forwarded", `for="[2001:db8:cafe::17]:4711";host=up.example;proto=https;by=203.0.113.43`}},
	{"https://[2001:db8::1]:8443/files/", []string{"Forwarded", `host="[2001:db8::1]:8443";proto=https`}},
	{"https://up.example/files/", []string{"Forwarded", `for="_a,b;host=evil.example";host=up.example;proto=https , for=10.0.0.1`}},
	{"https://up.example/files/", []string{"Forwarded", `for="\"host=evil.example";host="up.e\xample";proto=https`}},
	{"https://up.example/pre/files/", []string{"Forwarded", "host=up.example;proto=https", "X-Forwarded-Prefix", "/pre"}},
	{ // both: the standard's goes first, for what it says
		"https://up.example/files/",
		[]string{"Forwarded", "host=up.example;proto=https", "X-Forwarded-Host", "old.example", "X-Forwarded-Proto", "http", "X-Forwarded-Port", "81"},
	},
	{"https://up.example/files/", []string{"Forwarded", "for=192.0.2.1;host=up.example", "X-Forwarded-Proto", "https", "X-Forwarded-Port", "443"}},
	{"https://up.example/files/", []string{"Forwarded", "for=192.0.2.1;proto=https", "X-Forwarded-Host", "up.example"}},
}

func testCR1Proxy(t *testing.T, x *suite) {
	s := x.with(t, tus.Options{BehindProxy: true})
	need(t, s.Caps.Raw, "headers of a proxy of our own")
	if got := s.locate(t); got != s.URL {
		t.Errorf("Location below %s, want %s", got, s.URL)
	}
	for _, c := range proxied {
		if got := s.locate(t, c.headers...); got != c.want {
			t.Errorf("with %q: Location below %s, want %s", c.headers, got, c.want)
		}
	}
	for _, junk := range [][]string{
		{"X-Forwarded-Proto", "javascript", "X-Forwarded-Host", "up.example"},
		{"X-Forwarded-Host", "up.example/path?"},
		{"X-Forwarded-Host", "a b<script>"},
		{"Forwarded", `host="`},
		{"Forwarded", `for="x, host=path?`},
		{"Forwarded", `host="path?\"<>"`},
		{"X-Forwarded-Prefix", "//path"},
		{"X-Forwarded-Prefix", "path"},
		{"X-Forwarded-Prefix", "/path?x"},
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
