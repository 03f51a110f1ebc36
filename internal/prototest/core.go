package prototest

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fileloft/fileloft/tus"
)

// unknown is a well-formed id that no upload has.
const unknown = "AAAAAAAAAAAAAAAAAAAAAAAA"

// coreRows are C1 to C9: what is asked and answered in heads.
var coreRows = []row{
	{"C1 Tus-Resumable and CORS headers on every answer", testC1, false},
	{"C2 another version of the protocol", testC2, false},
	{"C3 OPTIONS", testC3, false},
	{"C4 HEAD tells all", testC4, false},
	{"C5 unknown uploads", testC5, false},
	{"C6 PATCH at the right offset", testC6, false},
	{"C7 PATCH with another content type", testC7, false},
	{"C8 PATCH at another offset", testC8, false},
	{"C9 numbers are digits only", testC9, false},
	{"C12 method override", testC12, false},
	{"C16 other methods", testC16, false},
	{"C17 slashes", testC17, false},
}

func testC1(t *testing.T, x *suite) {
	s := x.std()
	url := s.create(t, 5)
	for _, c := range []struct {
		method, url string
		headers     []string
		status      []int
	}{
		{"POST", s.URL, []string{"Upload-Length", "3"}, []int{201}},
		{"POST", s.URL, nil, []int{400}},
		{"POST", s.URL, []string{"Tus-Resumable", ""}, []int{412}},
		{"HEAD", url, nil, []int{200}},
		{"HEAD", s.URL + unknown, nil, []int{404}},
		{"PATCH", url, []string{"Upload-Offset", "0"}, []int{415}},
		{"PATCH", url, []string{"Upload-Offset", "3", "Content-Type", octets}, []int{409}},
		{"PATCH", url, []string{"Upload-Offset", "0", "Content-Type", octets}, []int{204}},
		{"PUT", url, nil, []int{405}},
		{"GET", url, nil, []int{400}},
		{"GET", s.URL + unknown, nil, []int{404}},
		{"GET", s.URL + "..%2fx", nil, []int{400, 404}},
		{"DELETE", s.URL + unknown, nil, []int{404}},
		{"DELETE", url, nil, []int{204}},
	} {
		// do itself checks Tus-Resumable and the form of errors.
		a := s.do(t, c.method, c.url, nil, append(c.headers, "Origin", "https://app.example")...).want(t, c.status...)
		if got := a.Header.Get("Access-Control-Allow-Origin"); got != "*" {
			t.Errorf("%s: %d with Access-Control-Allow-Origin %q", a.what, a.Status, got)
		}
		expose := strings.ToLower(a.Header.Get("Access-Control-Expose-Headers"))
		for _, h := range []string{"upload-offset", "location", "upload-length", "tus-resumable", "upload-metadata", "upload-expires", "x-request-id"} {
			if !strings.Contains(expose, h) {
				t.Errorf("%s: %d does not expose %s: %q", a.what, a.Status, h, expose)
			}
		}
	}
}

func testC2(t *testing.T, x *suite) {
	s := x.std()
	url := s.create(t, 5)
	for _, version := range []string{"", "0.2.2", "1.0.1", "1", "2.0.0", "x"} {
		for _, method := range []string{"POST", "HEAD", "PATCH", "DELETE"} {
			target := url
			headers := []string{"Tus-Resumable", version, "Content-Type", octets, "Upload-Offset", "0"}
			if method == "POST" {
				target = s.URL
				headers = append(headers, "Upload-Length", "5")
			}
			var body any
			if method == "PATCH" {
				body = "hello"
			}
			a := s.do(t, method, target, body, headers...).want(t, 412).header(t, "Tus-Version", "1.0.0").header(t, "Location", "")
			if method == "HEAD" {
				a.header(t, "Upload-Length", "")
			}
			s.at(t, url, 0)
		}
	}
	done := s.upload(t, data(9))
	s.do(t, "GET", done, nil, "Tus-Resumable", "").want(t, 200)
}

func testC3(t *testing.T, x *suite) {
	s := x.with(t, tus.Options{MaxSize: 12345, EnableExpiration: true, NoTrailers: !x.std().Caps.Trailers})
	for _, version := range []string{"", "0.1", "1.0.0"} {
		for _, url := range []string{s.URL, s.URL + unknown} {
			a := s.do(t, "OPTIONS", url, nil, "Tus-Resumable", version).want(t, 204)
			a.header(t, "Tus-Version", "1.0.0").header(t, "Tus-Max-Size", "12345")
			got := extensions(a)
			for _, e := range []string{
				"creation", "creation-with-upload", "creation-defer-length", "checksum", "termination",
				"concatenation", "concatenation-unfinished", "expiration",
			} {
				if !got[e] {
					t.Errorf("OPTIONS %s: Tus-Extension %v lacks %s", url, got, e)
				}
			}
			if got["checksum-trailer"] != s.Caps.Trailers {
				t.Errorf("OPTIONS %s: checksum-trailer is advertised: %v; the platform hands trailers over: %v", url,
					got["checksum-trailer"], s.Caps.Trailers)
			}
		}
	}
	unlimited(t, x.std().do(t, "OPTIONS", x.std().URL, nil).want(t, 204))

	none := x.bare(t, tus.Options{
		DisableCreation: true, DisableCreationWithUpload: true, DisableDeferLength: true, DisableChecksum: true, DisableTermination: true,
	})
	none.do(t, "OPTIONS", none.URL, nil, "Tus-Resumable", "").want(t, 204).
		header(t, "Tus-Extension", "").header(t, "Tus-Checksum-Algorithm", "").header(t, "Tus-Version", "1.0.0")
}

// extensions is the set that an answer to OPTIONS names.
func extensions(a *answer) map[string]bool {
	set := map[string]bool{}
	for e := range strings.SplitSeq(a.Header.Get("Tus-Extension"), ",") {
		if e = strings.TrimSpace(e); e != "" {
			set[e] = true
		}
	}
	return set
}

func testC4(t *testing.T, x *suite) {
	s := x.with(t, tus.Options{EnableExpiration: true, ExpireAfter: time.Hour})
	const metadata = "filename d29ybGRfZG9taW5hdGlvbl9wbGFuLnBkZg==,is_confidential"
	url := s.create(t, 10, "Upload-Metadata", metadata)
	for _, off := range []int64{0, 4, 10} {
		if off > 0 {
			s.patch(t, url, s.head(t, url).offset(t), data(10)[s.head(t, url).offset(t):off]).want(t, 204)
		}
		a := s.head(t, url).header(t, "Upload-Offset", strconv.FormatInt(off, 10)).header(t, "Upload-Length", "10").
			header(t, "Upload-Defer-Length", "").header(t, "Upload-Metadata", metadata).header(t, "Upload-Concat", "")
		if cc := a.Header.Get("Cache-Control"); !strings.Contains(cc, "no-store") {
			t.Errorf("%s: Cache-Control %q, want no-store", a.what, cc)
		}
		if off < 10 {
			expires(t, a)
		}
	}
	url = s.create(t, -1, "Upload-Concat", "partial")
	s.head(t, url).header(t, "Upload-Defer-Length", "1").header(t, "Upload-Length", "").header(t, "Upload-Offset", "0").
		header(t, "Upload-Concat", "partial").header(t, "Upload-Metadata", "")
}

func testC5(t *testing.T, x *suite) {
	s := x.std()
	for _, url := range []string{s.URL + unknown, s.URL + "a", s.URL + strings.Repeat("a", 128)} {
		s.do(t, "HEAD", url, nil).want(t, 404).header(t, "Upload-Offset", "")
		s.patch(t, url, 0, "hello").want(t, 404).header(t, "Upload-Offset", "")
		s.do(t, "DELETE", url, nil).want(t, 404).header(t, "Upload-Offset", "")
	}
}

func testC6(t *testing.T, x *suite) {
	s := x.std()
	for _, n := range []int{1, 2, 100, 5000, 300_000} {
		want := data(n)
		url := s.create(t, int64(n))
		for off := 0; off < n; {
			end := min(n, off+max(1, n/3))
			s.patch(t, url, int64(off), want[off:end]).want(t, 204).header(t, "Upload-Offset", strconv.Itoa(end))
			s.at(t, url, int64(end))
			off = end
		}
		s.holds(t, url, want)
	}
	url := s.create(t, 11)
	s.patch(t, url, 0, strings.NewReader("hello")).want(t, 204).header(t, "Upload-Offset", "5") // chunked
	s.patch(t, url, 5, strings.NewReader(" world")).want(t, 204).header(t, "Upload-Offset", "11")
	s.holds(t, url, []byte("hello world"))
}

func testC7(t *testing.T, x *suite) {
	s := x.std()
	url := s.create(t, 5)
	for _, ct := range []string{"", "application/octet-stream", "text/plain", "application/offset", "\x00"} {
		s.do(t, "PATCH", url, "hello", "Upload-Offset", "0", "Content-Type", ct).want(t, 415)
		s.at(t, url, 0)
	}
}

func testC8(t *testing.T, x *suite) {
	s := x.std()
	want := data(10)
	url := s.create(t, 10)
	for _, at := range []int64{0, 6, 10} {
		if at > 0 {
			off := s.head(t, url).offset(t)
			s.patch(t, url, off, want[off:at]).want(t, 204)
		}
		for _, wrong := range []int64{0, 1, 5, 7, 9, 10, 11, 1 << 40} {
			if wrong == at {
				continue
			}
			s.patch(t, url, wrong, "xx").want(t, 409).header(t, "Upload-Offset", strconv.FormatInt(at, 10))
			s.patch(t, url, wrong, nil).want(t, 409).header(t, "Upload-Offset", strconv.FormatInt(at, 10))
			s.at(t, url, at)
		}
	}
	s.holds(t, url, want)
}

// badNumbers are what is not a number of bytes.
var badNumbers = []string{
	"+5", "-5", "-0", "5a", "a", "0x5", "5.0", "1e0", "5,5", "5 5", "9223372036854775808", "99999999999999999999", "18446744073709551621",
	"\x00", "٥", "５", "_5", "5_0",
}

func testC9(t *testing.T, x *suite) {
	s := x.std()
	url := s.create(t, 10)
	s.patch(t, url, 0, "hello").want(t, 204)
	for _, bad := range append([]string{""}, badNumbers...) {
		s.do(t, "PATCH", url, "xxxxx", "Content-Type", octets, "Upload-Offset", bad).want(t, 400)
		s.at(t, url, 5)
		s.post(t, nil, "Upload-Length", bad).want(t, 400).header(t, "Location", "")
	}
	if !s.Caps.OneValue {
		s.do(t, "PATCH", url, "xxxxx", "Content-Type", octets, "Upload-Offset", "5", "Upload-Offset", "0").want(t, 400)
	}
	s.at(t, url, 5)
	deferred := s.create(t, -1)
	for _, bad := range badNumbers {
		s.patch(t, deferred, 0, nil, "Upload-Length", bad).want(t, 400)
		s.head(t, deferred).header(t, "Upload-Defer-Length", "1").header(t, "Upload-Length", "")
	}
	most := unlimited(t, s.do(t, "OPTIONS", s.URL, nil))
	s.create(t, most)
	if most < 1<<63-1 {
		s.post(t, nil, "Upload-Length", strconv.FormatInt(most+1, 10)).want(t, 413)
	}
}

func testC12(t *testing.T, x *suite) {
	s := x.std()
	url := s.create(t, 5)
	const key = "X-HTTP-Method-Override"
	for _, method := range []string{"POST", "PUT", "GET", "PATCH", "DELETE"} {
		a := s.do(t, method, url, nil, key, "HEAD")
		if a.want(t, 200).header(t, "Upload-Offset", "0"); len(a.Body) > 0 {
			t.Errorf("%s: an answer to HEAD with a body", a.what)
		}
	}
	s.do(t, "POST", url, "he", key, "PATCH", "Content-Type", octets, "Upload-Offset", "0").want(t, 204).header(t, "Upload-Offset", "2")
	s.do(t, "PUT", url, "llo", key, "PATCH", "Content-Type", octets, "Upload-Offset", "2").want(t, 204).header(t, "Upload-Offset", "5")
	s.holds(t, url, []byte("hello"))
	s.do(t, "POST", url, nil, key, "GET", "Tus-Resumable", "").want(t, 200)
	s.do(t, "GET", url, nil, key, "DELETE", "Tus-Resumable", "").want(t, 412) // the override's rules hold
	s.do(t, "POST", url, nil, key, "DELETE").want(t, 204)
	s.gone(t, url)
	s.location(t, s.do(t, "PUT", s.URL, nil, key, "POST", "Upload-Length", "5").want(t, 201))
	s.do(t, "POST", s.URL, nil, key, "OPTIONS").want(t, 204).header(t, "Tus-Version", "1.0.0")
	s.do(t, "POST", s.URL, nil, key, "BREW").want(t, 405)
}

func testC16(t *testing.T, x *suite) {
	s := x.std()
	url := s.create(t, 5)
	for _, c := range []struct{ method, url, allow string }{
		{"PUT", url, "PATCH"},
		{"POST", url, "PATCH"},
		{"BREW", url, "PATCH"},
		{"PUT", s.URL, "POST"},
		{"BREW", s.URL, "POST"},
	} {
		if s.Caps.OwnMethods && c.method == "BREW" {
			continue
		}
		a := s.do(t, c.method, c.url, nil).want(t, http.StatusMethodNotAllowed)
		if allow := a.Header.Get("Allow"); !strings.Contains(allow, c.allow) || !strings.Contains(allow, "OPTIONS") {
			t.Errorf("%s: Allow %q lacks %s or OPTIONS", a.what, allow, c.allow)
		}
	}
	s.at(t, url, 0)
}

func testC17(t *testing.T, x *suite) {
	s := x.std()
	url := s.create(t, 5)
	s.do(t, "HEAD", url+"/", nil).want(t, 200).header(t, "Upload-Offset", "0")
	s.patch(t, url+"/", 0, "hello").want(t, 204).header(t, "Upload-Offset", "5")
	s.do(t, "GET", url+"/", nil).want(t, 200)
	s.do(t, "DELETE", url+"/", nil).want(t, 204)
	base := strings.TrimSuffix(s.URL, "/")
	s.location(t, s.do(t, "POST", base, nil, "Upload-Length", "3").want(t, 201))
	s.do(t, "OPTIONS", base, nil).want(t, 204).header(t, "Tus-Version", "1.0.0")
}
