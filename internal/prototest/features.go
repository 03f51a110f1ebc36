package prototest

import (
	"encoding/base64"
	"path"
	"strconv"
	"strings"
	"testing"

	"github.com/fileloft/fileloft/tus"
)

// featureRows are what the Rust fileloft's own tests assert (FEATURES, section E).
var featureRows = []row{
	{"E-POST creates", testFeaturePost, false},
	{"E-PATCH appends", testFeaturePatch, false},
	{"E-PATCH checksum", testFeatureChecksum, false},
	{"E-HEAD", testFeatureHead, false},
	{"E-DELETE", testFeatureDelete, false},
	{"E-OPTIONS", testFeatureOptions, false},
	{"E-OPTIONS switches", testFeatureSwitches, false},
}

func testFeaturePost(t *testing.T, x *suite) {
	s := x.with(t, tus.Options{MaxSize: 1000})
	url := s.location(t, s.post(t, nil, "Upload-Length", "100").want(t, 201))
	s.at(t, url, 0)
	s.post(t, nil, "Upload-Length", "100", "Tus-Resumable", "").want(t, 412)
	s.post(t, nil).want(t, 400)
	s.post(t, nil, "Upload-Length", "1001").want(t, 413)
	s.holds(t, s.location(t, s.post(t, nil, "Upload-Length", "0").want(t, 201)), nil)
	a := s.post(t, "hello", "Upload-Length", "100", "Content-Type", octets).want(t, 201).header(t, "Upload-Offset", "5")
	s.at(t, s.location(t, a), 5)
	a = s.post(t, nil, "Upload-Length", "100", "Upload-Metadata", "filename dGVzdC50eHQ=").want(t, 201)
	s.head(t, s.location(t, a)).header(t, "Upload-Metadata", "filename dGVzdC50eHQ=")
	off := x.bare(t, tus.Options{DisableCreation: true})
	off.post(t, nil, "Upload-Length", "100").want(t, 404)
}

func testFeaturePatch(t *testing.T, x *suite) {
	s := x.std()
	want := data(100)
	url := s.create(t, 100)
	s.patch(t, url, 0, want).want(t, 204).header(t, "Upload-Offset", "100") // whole in one
	s.holds(t, url, want)
	url = s.create(t, 100)
	s.patch(t, url, 0, want[:30]).want(t, 204).header(t, "Upload-Offset", "30")
	s.patch(t, url, 0, want[30:]).want(t, 409)
	s.patch(t, url, 30, want[30:], "Tus-Resumable", "").want(t, 412)
	s.do(t, "PATCH", url, want[30:], "Upload-Offset", "30", "Content-Type", "text/plain").want(t, 415)
	s.at(t, url, 30)
	s.patch(t, url, 30, want[30:]).want(t, 204).header(t, "Upload-Offset", "100")
	s.holds(t, url, want)
	s.patch(t, s.URL+unknown, 0, want).want(t, 404)
}

func testFeatureChecksum(t *testing.T, x *suite) {
	s := x.std()
	want := []byte("hello world")
	url := s.create(t, 11)
	s.patch(t, url, 0, want, "Upload-Checksum", checksum("sha1", want[1:])).want(t, 460)
	s.at(t, url, 0)
	s.patch(t, url, 0, want, "Upload-Checksum", checksum("sha1", want)).want(t, 204).header(t, "Upload-Offset", "11")
	s.holds(t, url, want)
}

func testFeatureHead(t *testing.T, x *suite) {
	s := x.std()
	url := s.create(t, 100)
	s.at(t, url, 0)
	s.patch(t, url, 0, data(40)).want(t, 204)
	s.at(t, url, 40)
	s.do(t, "HEAD", s.URL+unknown, nil).want(t, 404)
	s.do(t, "HEAD", url, nil, "Tus-Resumable", "").want(t, 412)
}

func testFeatureDelete(t *testing.T, x *suite) {
	s := x.std()
	url := s.upload(t, data(100))
	s.do(t, "DELETE", url, nil).want(t, 204)
	s.gone(t, url)
	s.do(t, "DELETE", url, nil).want(t, 404)
	s.do(t, "DELETE", s.URL+unknown, nil).want(t, 404)
	off := x.bare(t, tus.Options{DisableTermination: true})
	url = off.create(t, 5)
	off.do(t, "DELETE", url, nil).want(t, 404)
	off.at(t, url, 0)
}

// unlimited returns the size of the largest upload, and fails the test if it is not the store's own limit, which is in TiB, or none.
func unlimited(t testing.TB, a *answer) int64 {
	t.Helper()
	text := a.Header.Get("Tus-Max-Size")
	if text == "" {
		return 1<<63 - 1
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 1<<40 {
		t.Errorf("Tus-Max-Size: %s, without any such setting", text)
	}
	return n
}

func testFeatureOptions(t *testing.T, x *suite) {
	s := x.bare(t, tus.Options{})
	a := s.do(t, "OPTIONS", s.URL, nil, "Tus-Resumable", "").want(t, 204).header(t, "Tus-Version", "1.0.0")
	unlimited(t, a)
	got := extensions(a)
	for _, e := range []string{"creation", "creation-with-upload", "creation-defer-length", "checksum", "termination"} {
		if !got[e] {
			t.Errorf("Tus-Extension %v lacks the default %s", got, e)
		}
	}
	for _, e := range []string{"expiration", "concatenation", "concatenation-unfinished"} {
		if got[e] {
			t.Errorf("Tus-Extension %v has %s, which is off by default", got, e)
		}
	}
	if !strings.Contains(a.Header.Get("Tus-Checksum-Algorithm"), "sha1") {
		t.Errorf("Tus-Checksum-Algorithm %q", a.Header.Get("Tus-Checksum-Algorithm"))
	}
	s = x.bare(t, tus.Options{MaxSize: 77})
	s.do(t, "OPTIONS", s.URL, nil).want(t, 204).header(t, "Tus-Max-Size", "77")
}

// testFeatureSwitches switches each extension by itself and looks for that one difference.
func testFeatureSwitches(t *testing.T, x *suite) {
	for name, c := range map[string]struct {
		opt tus.Options
		on  bool
	}{
		"creation":              {tus.Options{DisableCreation: true}, false},
		"creation-with-upload":  {tus.Options{DisableCreationWithUpload: true}, false},
		"creation-defer-length": {tus.Options{DisableDeferLength: true}, false},
		"checksum":              {tus.Options{DisableChecksum: true}, false},
		"checksum-trailer":      {tus.Options{NoTrailers: true}, false},
		"termination":           {tus.Options{DisableTermination: true}, false},
		"expiration":            {tus.Options{EnableExpiration: true}, true},
		"concatenation":         {tus.Options{EnableConcatenation: true}, true},
	} {
		s := x.bare(t, c.opt)
		if c.opt.NoTrailers && !s.Caps.Functions && s.Caps.Trailers {
			continue // no setting switches them off
		}
		if got := extensions(s.do(t, "OPTIONS", s.URL, nil).want(t, 204)); got[name] != c.on {
			t.Errorf("%s: Tus-Extension %v", name, got)
		}
	}
}

// featureRows2 are the rest of section E but CORS.
var featureRows2 = []row{
	{"E-GET", testFeatureGet, false},
	{"E-Expiration", testE1Expired, false},
	{"E-Concatenation", testFeatureConcat, false},
	{"E-Concatenation clean-up", testN3Cleanup, false},
	{"E-Hooks", testFeatureHooks, false},
	{"E-Security malformed ids", testFeatureIDs, false},
	{"E-Units metadata", testFeatureMetadata, false},
}

func testFeatureGet(t *testing.T, x *suite) {
	testGetRefused(t, x)
	s := x.std()
	want := data(5 << 20)
	url := s.create(t, int64(len(want)))
	for off := 0; off < len(want); off += 1 << 20 {
		s.patch(t, url, int64(off), want[off:off+1<<20]).want(t, 204)
	}
	if a := s.do(t, "GET", url, nil).want(t, 200); string(a.Body) != string(want) {
		t.Error(difference(a.Body, want))
	}
	a := s.do(t, "GET", s.named(t, []byte("hello"), "x.txt", "text/plain"), nil).want(t, 200)
	if !strings.Contains(a.Header.Get("Content-Disposition"), "x.txt") || !strings.HasPrefix(a.Header.Get("Content-Type"), "text/plain") {
		t.Errorf("%q, %q", a.Header.Get("Content-Disposition"), a.Header.Get("Content-Type"))
	}
}

func testFeatureConcat(t *testing.T, x *suite) {
	s := x.std()
	a, b := s.partial(t, []byte("hello ")), s.partial(t, []byte("world"))
	url := s.location(t, s.final(t, []string{a, b}).want(t, 201))
	s.holds(t, url, []byte("hello world"))
	s.patch(t, url, 11, "x").want(t, 403)
	s.holds(t, s.location(t, s.final(t, []string{b, a}).want(t, 201)), []byte("worldhello "))
}

func testFeatureHooks(t *testing.T, x *suite) {
	testEvents(t, x)
	testPreCreate(t, x)
	testPreCreateRejects(t, x)
	testPreFinish(t, x)
}

func testFeatureIDs(t *testing.T, x *suite) {
	s := x.std()
	for _, bad := range []string{"..%2fx", "../x", "a/b", "a/b/c", "", ".", "..", "a%20b", "%20", "..%5cx", "a%00", "%2e%2e/", "a.b"} {
		if s.Caps.Tidies && path.Clean("/"+bad) != "/"+bad {
			continue
		}
		for _, method := range []string{"HEAD", "PATCH", "DELETE", "GET"} {
			c := s.rawRequest(t, method, s.URL+bad)
			statuses := []int{400, 404}
			if bad == "" || bad == "." { // the collection itself
				statuses = append(statuses, 405)
			}
			c.want(t, statuses...)
		}
		if bad != "" {
			s.post(t, nil, "Upload-Concat", "final;/files/"+bad).want(t, 400).header(t, "Location", "")
		}
	}
}

// rawRequest asks with a path that no client would send without tidying it up.
func (s *Server) rawRequest(t testing.TB, method, target string) *answer {
	t.Helper()
	c := s.dial(t)
	h := []string{"Connection", "close"}
	if method == "PATCH" {
		h = append(h, "Content-Type", octets, "Upload-Offset", "0", "Content-Length", "0")
	}
	c.begin(t, method, target, h...)
	return c.answer(t, method)
}

func testFeatureMetadata(t *testing.T, _ *suite) {
	enc := func(v string) string { return base64.StdEncoding.EncodeToString([]byte(v)) }
	for header, want := range map[string]map[string]string{
		"":                        {},
		"filename " + enc("a"):    {"filename": "a"},
		"flag":                    {"flag": ""},
		"a " + enc("1") + ",flag": {"a": "1", "flag": ""},
		"a " + enc("1") + ",b " + enc("ü,=") + ",c": {"a": "1", "b": "ü,=", "c": ""},
	} {
		got, err := tus.ParseMetadata(header)
		if err != nil || len(got) != len(want) {
			t.Errorf("%q: %v, %v", header, got, err)
		}
		for k, v := range want {
			if got[k] != v {
				t.Errorf("%q: %s is %q, want %q", header, k, got[k], v)
			}
		}
	}
	for _, bad := range []string{",", "a !", "a YQ==,a", " ,b"} {
		if got, err := tus.ParseMetadata(bad); err == nil {
			t.Errorf("%q: %v", bad, got)
		}
	}
}
