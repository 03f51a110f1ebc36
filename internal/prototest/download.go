package prototest

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"mime"
	"net/http"
	"strings"
	"testing"

	"github.com/fileloft/fileloft/tus"
)

// downloadRows are the section on downloads, and Repr-Digest.
var downloadRows = []row{
	{"D GET of a finished upload", testGet, false},
	{"D ranges", testGetRange, false},
	{"D conditional requests", testGetConditional, false},
	{"D Content-Disposition and Content-Type", testGetDisposition, false},
	{"D names that try to break out", testGetNames, false},
	{"D unfinished, unknown, deleted, switched off", testGetRefused, false},
	{"D Repr-Digest", testReprDigest, false},
}

// named makes a finished upload with a name and a type, as the common browser clients give them.
func (s *Server) named(t testing.TB, b []byte, name, typ string) string {
	t.Helper()
	enc := func(v string) string { return base64.StdEncoding.EncodeToString([]byte(v)) }
	return s.upload(t, b, "Upload-Metadata", "filename "+enc(name)+",filetype "+enc(typ))
}

func testGet(t *testing.T, x *suite) {
	s := x.std()
	for _, n := range []int{0, 1, 1000, 3 << 20} {
		if s.Caps.MaxBody > 0 && int64(n) > s.Caps.MaxBody {
			continue
		}
		want := data(n)
		url := s.upload(t, want)
		a := s.do(t, "GET", url, nil, "Tus-Resumable", "").want(t, 200)
		if string(a.Body) != string(want) {
			t.Fatalf("GET: %s", difference(a.Body, want))
		}
		if a.Header.Get("X-Redirected") != "" {
			continue
		}
		a.header(t, "Content-Length", fmt.Sprint(n)).header(t, "X-Content-Type-Options", "nosniff").header(t, "Accept-Ranges", "bytes")
		if a.Header.Get("ETag") == "" {
			t.Errorf("%s: no ETag", a.what)
		}
	}
}

func testGetRange(t *testing.T, x *suite) {
	s := x.std()
	want := data(10_000)
	url := s.upload(t, want)
	for _, c := range []struct {
		asked    string
		from, to int
	}{
		{"bytes=0-0", 0, 1},
		{"bytes=0-99", 0, 100},
		{"bytes=100-", 100, 10_000},
		{"bytes=-10", 9_990, 10_000},
		{"bytes=9999-", 9_999, 10_000},
		{"bytes=5000-20000", 5000, 10_000},
		{"bytes=-20000", 0, 10_000},
		{"bytes=0-9999", 0, 10_000},
	} {
		if s.Caps.PlainRanges && strings.HasPrefix(c.asked, "bytes=-") {
			continue
		}
		a := s.do(t, "GET", url, nil, "Range", c.asked)
		if a.want(t, 206); string(a.Body) != string(want[c.from:c.to]) {
			t.Errorf("%s: %s", c.asked, difference(a.Body, want[c.from:c.to]))
		}
		a.header(t, "Content-Range", fmt.Sprintf("bytes %d-%d/10000", c.from, c.to-1))
	}
	if s.Caps.PlainRanges {
		return
	}
	for _, none := range []string{"bytes=10000-", "bytes=20000-30000"} {
		a, err := s.try("GET", url, nil, "Range", none)
		if err != nil || a.Status != 416 {
			t.Errorf("%s: %v, %v, want 416", none, a, err)
		}
	}
	for _, odd := range []string{"lines=1-2", "bytes=a-b", "bytes=5-2"} { // may be ignored or refused
		if a, err := s.try("GET", url, nil, "Range", odd); err != nil || (a.Status != 200 && a.Status != 416) {
			t.Errorf("%s: %v, %v", odd, a, err)
		}
	}
	if a := s.do(t, "GET", url, nil, "Range", "bytes=0-9,100-109"); a.Status == 206 {
		if typ, _, _ := mime.ParseMediaType(a.Header.Get("Content-Type")); typ != "multipart/byteranges" {
			t.Errorf("two ranges: 206 %s", a.Header.Get("Content-Type"))
		}
	} else if a.want(t, 200); string(a.Body) != string(want) {
		t.Errorf("two ranges: %s", difference(a.Body, want))
	}
}

func testGetConditional(t *testing.T, x *suite) {
	s := x.std()
	want := data(1000)
	url := s.upload(t, want)
	a := s.do(t, "GET", url, nil).want(t, 200)
	if a.Header.Get("X-Redirected") != "" {
		t.Skip("the store answers")
	}
	tag := a.Header.Get("ETag")
	if again := s.do(t, "GET", url, nil).Header.Get("ETag"); again != tag || tag == "" {
		t.Fatalf("ETag %q, then %q", tag, again)
	}
	if other := s.do(t, "GET", s.upload(t, data(999)), nil).Header.Get("ETag"); other == tag {
		t.Errorf("two uploads with the ETag %q", tag)
	}
	if b := s.do(t, "GET", url, nil, "If-None-Match", tag).want(t, 304); len(b.Body) > 0 {
		t.Error("304 with a body")
	}
	s.do(t, "GET", url, nil, "If-None-Match", `"other"`).want(t, 200)
	s.do(t, "GET", url, nil, "If-Match", tag).want(t, 200)
	if a, err := s.try("GET", url, nil, "If-Match", `"other"`); err != nil || a.Status != 412 {
		t.Errorf("If-Match of another: %v, %v, want 412", a, err)
	}
	s.do(t, "GET", url, nil, "If-Range", tag, "Range", "bytes=1-2").want(t, 206)
	s.do(t, "GET", url, nil, "If-Range", `"other"`, "Range", "bytes=1-2").want(t, 200)
}

func testGetDisposition(t *testing.T, x *suite) {
	s := x.std()
	for _, c := range []struct{ name, typ, wantType, disposition string }{
		{"a.png", "image/png", "image/png", "inline"},
		{"a.jpg", "image/jpeg", "image/jpeg", "inline"},
		{"a.html", "text/html", "text/html", "attachment"},
		{"a.svg", "image/svg+xml", "image/svg+xml", "attachment"},
		{"a.js", "text/javascript", "text/javascript", "attachment"},
		{"a.xml", "application/xml", "application/xml", "attachment"},
		{"a.zip", "application/zip", "application/zip", "attachment"},
		{"a.bin", "nonsense", "application/octet-stream", "attachment"},
		{"a.bin", "", "application/octet-stream", "attachment"},
		{"a.bin", "text/html\r\nX-Evil: 1", "application/octet-stream", "attachment"},
		{"a b.zip", "application/zip", "application/zip", "attachment"},
		{`a"b.zip`, "application/zip", "application/zip", "attachment"},
		{"日本語 é.zip", "application/zip", "application/zip", "attachment"},
		{"50%;a=b.zip", "application/zip", "application/zip", "attachment"},
	} {
		a := s.do(t, "GET", s.named(t, []byte("hello"), c.name, c.typ), nil).want(t, 200)
		if typ, _, err := mime.ParseMediaType(a.Header.Get("Content-Type")); err != nil || typ != c.wantType {
			t.Errorf("%q: Content-Type %q, want %s", c.typ, a.Header.Get("Content-Type"), c.wantType)
		}
		value := a.Header.Get("Content-Disposition")
		kind, params, err := mime.ParseMediaType(value)
		if err != nil || kind != c.disposition || params["filename"] != c.name {
			t.Errorf("%q, %s: Content-Disposition %q: %s %q, %v, want %s", c.name, c.typ, value, kind, params["filename"], err, c.disposition)
		}
		a.header(t, "X-Evil", "")
		if a.Header.Get("X-Redirected") == "" { // a store sends no such header of ours
			a.header(t, "X-Content-Type-Options", "nosniff")
		}
	}
	a := s.do(t, "GET", s.upload(t, []byte("hello")), nil).want(t, 200)
	if ct := a.Header.Get("Content-Type"); ct != "application/octet-stream" || !strings.HasPrefix(a.Header.Get("Content-Disposition"), "attachment") {
		t.Errorf("nothing known: %q, %q", ct, a.Header.Get("Content-Disposition"))
	}
}

func testGetNames(t *testing.T, x *suite) {
	s := x.std()
	for _, name := range []string{
		"a\r\nX-Evil: 1", "a\nb", "a\x00b", "../../etc/passwd", `..\..\x`, "\"; filename=evil.exe", "a\x7f", "\xff\xfe", strings.Repeat("n", 3000), "\u202egpj.exe",
	} {
		a := s.do(t, "GET", s.named(t, []byte("hello"), name, "text/html"), nil).want(t, 200).header(t, "X-Evil", "")
		kind, params, err := mime.ParseMediaType(a.Header.Get("Content-Disposition"))
		if err != nil || kind != "attachment" || params["filename"] == "evil.exe" || strings.ContainsAny(params["filename"], "\r\n\x00") {
			t.Errorf("%q: Content-Disposition %q, %v", name, a.Header.Get("Content-Disposition"), err)
		}
	}
}

func testGetRefused(t *testing.T, x *suite) {
	s := x.std()
	url := s.create(t, 5)
	s.do(t, "GET", url, nil).want(t, 400)
	s.patch(t, url, 0, "hell").want(t, 204)
	s.do(t, "GET", url, nil).want(t, 400)
	s.patch(t, url, 4, "o").want(t, 204)
	s.do(t, "GET", url, nil).want(t, 200)
	s.do(t, "DELETE", url, nil).want(t, 204)
	s.do(t, "GET", url, nil).want(t, 404, 410)
	s.do(t, "GET", s.URL+unknown, nil).want(t, 404)
	off := x.bare(t, tus.Options{})
	url = off.create(t, 0)
	a := off.do(t, "GET", url, nil).want(t, http.StatusMethodNotAllowed)
	if allow := a.Header.Get("Allow"); strings.Contains(allow, "GET") || !strings.Contains(allow, "HEAD") {
		t.Errorf("Allow %q where downloads are off", allow)
	}
}

func testReprDigest(t *testing.T, x *suite) {
	s := x.with(t, tus.Options{SHA256: true})
	want := data(50_000)
	sum := sha256.Sum256(want)
	digest := "sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":"
	url := s.create(t, int64(len(want)))
	for off := 0; off < len(want); off += 10_000 {
		s.head(t, url).header(t, "Repr-Digest", "") // of the whole, once there is one
		s.patch(t, url, int64(off), want[off:off+10_000]).want(t, 204)
	}
	for _, method := range []string{"HEAD", "GET"} {
		a := s.do(t, method, url, nil).want(t, 200)
		if got := a.Header.Get("Repr-Digest"); !strings.Contains(got, digest) && a.Header.Get("X-Redirected") == "" {
			t.Errorf("%s: Repr-Digest %q lacks %s", a.what, got, digest)
		}
	}
	s.holds(t, url, want)
}
