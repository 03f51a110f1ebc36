package prototest

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"hash"
	"hash/crc32"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fileloft/fileloft/tus"
)

// checksumRows are K1 to K4.
var checksumRows = []row{
	{"K1 the algorithms are advertised", testK1, false},
	{"K2 checksum on PATCH", testK2, false},
	{"K2 malformed checksums", testK2Malformed, false},
	{"K2 bytes count only once they are checked", testK2Uncounted, false},
	{"K2 switched off", testK2Off, false},
	{"K3 checksum on POST", testK3, false},
	{"K4 checksum in the trailer", testK4, false},
	{"K4 trailers that do not hold", testK4Bad, false},
}

var algorithms = map[string]func() hash.Hash{
	"sha1": sha1.New, "sha256": sha256.New, "sha512": sha512.New, "md5": md5.New, "crc32": func() hash.Hash { return crc32.NewIEEE() },
}

// checksum returns the value of Upload-Checksum for b.
func checksum(algorithm string, b []byte) string {
	h := algorithms[algorithm]()
	_, _ = h.Write(b)
	return algorithm + " " + base64.StdEncoding.EncodeToString(h.Sum(nil))
}

func testK1(t *testing.T, x *suite) {
	s := x.std()
	a := s.do(t, "OPTIONS", s.URL, nil)
	got := map[string]bool{}
	for name := range strings.SplitSeq(a.Header.Get("Tus-Checksum-Algorithm"), ",") {
		got[name] = true
	}
	for name := range algorithms {
		if !got[name] {
			t.Errorf("Tus-Checksum-Algorithm %q lacks %s", a.Header.Get("Tus-Checksum-Algorithm"), name)
		}
	}
	if len(got) != len(algorithms) {
		t.Errorf("Tus-Checksum-Algorithm %q", a.Header.Get("Tus-Checksum-Algorithm"))
	}
}

func testK2(t *testing.T, x *suite) {
	s := x.std()
	want := data(100_000)
	for name := range algorithms {
		url := s.create(t, int64(len(want)))
		s.patch(t, url, 0, want[:400], "Upload-Checksum", checksum(name, want[:400])).want(t, 204).header(t, "Upload-Offset", "400")
		for _, body := range []any{want[400:], strings.NewReader(string(want[400:]))} {
			s.patch(t, url, 400, body, "Upload-Checksum", checksum(name, want[401:])).want(t, 460)
			s.at(t, url, 400)
		}
		s.patch(t, url, 400, nil, "Upload-Checksum", checksum(name, nil)).want(t, 204)
		s.patch(t, url, 400, nil, "Upload-Checksum", checksum(name, want)).want(t, 460)
		s.at(t, url, 400)
		s.patch(t, url, 400, want[400:], "Upload-Checksum", checksum(name, want[400:])).want(t, 204)
		s.patch(t, url, int64(len(want)), nil, "Upload-Checksum", checksum(name, nil)).want(t, 204)
		s.patch(t, url, int64(len(want)), nil, "Upload-Checksum", checksum(name, want)).want(t, 460)
		s.holds(t, url, want)
	}
}

func testK2Malformed(t *testing.T, x *suite) {
	s := x.std()
	url := s.create(t, 5)
	right := checksum("sha1", []byte("hello"))
	for _, bad := range []string{
		"sha3 " + strings.Fields(right)[1], "sha1", "sha1 ", "sha1 !!!", "sha1 YQ==", "sha256 " + strings.Fields(right)[1], "\x00", right + " x",
		right + "," + right, strings.Fields(right)[1], "sha1:" + strings.Fields(right)[1], "sha1 " + strings.TrimRight(strings.Fields(right)[1], "="),
		"nonsense YQ==", "crc32 YQ==",
	} {
		s.patch(t, url, 0, "hello", "Upload-Checksum", bad).want(t, 400)
		s.at(t, url, 0)
		s.post(t, "hello", "Upload-Length", "5", "Content-Type", octets, "Upload-Checksum", bad).want(t, 400).header(t, "Location", "")
	}
	if !s.Caps.OneValue {
		s.patch(t, url, 0, "hello", "Upload-Checksum", right, "Upload-Checksum", checksum("sha1", nil)).want(t, 400)
	}
	s.patch(t, url, 0, "hello", "Upload-Checksum", right).want(t, 204)
	s.holds(t, url, []byte("hello"))
}

// testK2Uncounted lets a checked body stand still after many checkpoints: nothing of it may be seen, and nothing kept.
func testK2Uncounted(t *testing.T, x *suite) {
	s := x.with(t, tus.Options{CheckpointBytes: 1000, CheckpointEvery: 10 * time.Millisecond})
	need(t, s.Caps.Streaming, "bodies that arrive in part")
	want := data(100_000)
	url := s.create(t, int64(len(want)))
	c := s.dial(t)
	c.beginPatch(t, url, 0, int64(len(want)), "Upload-Checksum", checksum("sha256", want))
	for i := 0; i < 50_000; i += 10_000 {
		c.send(t, string(want[i:i+10_000]))
		time.Sleep(20 * time.Millisecond)
		s.at(t, url, 0)
	}
	_ = c.Close()
	s.patch(t, url, 0, want[1:], "Upload-Checksum", checksum("sha256", want)).want(t, 460)
	s.at(t, url, 0)
	s.patch(t, url, 0, want, "Upload-Checksum", checksum("sha256", want)).want(t, 204)
	s.holds(t, url, want)
}

func testK2Off(t *testing.T, x *suite) {
	s := x.with(t, tus.Options{DisableChecksum: true})
	a := s.do(t, "OPTIONS", s.URL, nil).header(t, "Tus-Checksum-Algorithm", "")
	if e := extensions(a); e["checksum"] || e["checksum-trailer"] {
		t.Errorf("checksum is advertised and switched off")
	}
	url := s.create(t, 5)
	s.patch(t, url, 0, "hello", "Upload-Checksum", checksum("sha1", []byte("hello"))).want(t, 204, 400)
}

func testK3(t *testing.T, x *suite) {
	s := x.std()
	want := data(1000)
	for name := range algorithms {
		for _, n := range []int{400, 1000} {
			h := []string{"Upload-Length", "1000", "Content-Type", octets}
			a := s.post(t, want[:n], append(h, "Upload-Checksum", checksum(name, want[:n]))...).want(t, 201)
			url := s.location(t, a.header(t, "Upload-Offset", strconv.Itoa(n)))
			s.finish(t, url, want)
			s.holds(t, url, want)
			a = s.post(t, want[:n], append(h, "Upload-Checksum", checksum(name, want[1:n]))...).want(t, 460)
			if loc := a.Header.Get("Location"); loc != "" {
				s.at(t, loc, 0)
			}
		}
	}
}

// trailing sends a chunked request whose checksum comes in the trailer.
func (s *Server) trailing(t testing.TB, method, url string, body []byte, sum string, headers ...string) *answer {
	t.Helper()
	req, err := newRequest(method, url, strings.NewReader(string(body)), headers...)
	if err != nil {
		t.Fatal(err)
	}
	req.Body = http.NoBody
	req.GetBody = nil
	req.ContentLength = -1
	req.Trailer = http.Header{"Upload-Checksum": []string{sum}}
	req.Body = readCloser{strings.NewReader(string(body))}
	a, err := s.roundTrip(req)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	a.check(t, method)
	return a
}

type readCloser struct{ *strings.Reader }

func (readCloser) Close() error { return nil }

func testK4(t *testing.T, x *suite) {
	s := x.std()
	need(t, s.Caps.Trailers, "trailers")
	want := data(100_000)
	for name := range algorithms {
		url := s.create(t, int64(len(want)))
		s.trailing(t, "PATCH", url, want[:400], checksum(name, want[:400]), patchHeaders(0, nil)...).want(t, 204).header(t, "Upload-Offset", "400")
		s.trailing(t, "PATCH", url, want[400:], checksum(name, want[401:]), patchHeaders(400, nil)...).want(t, 460)
		s.at(t, url, 400)
		s.trailing(t, "PATCH", url, want[400:], checksum(name, want[400:]), patchHeaders(400, nil)...).want(t, 204)
		s.holds(t, url, want)

		h := []string{"Upload-Length", strconv.Itoa(len(want)), "Content-Type", octets}
		a := s.trailing(t, "POST", s.URL, want, checksum(name, want), h...).want(t, 201)
		s.holds(t, s.location(t, a), want)
		a = s.trailing(t, "POST", s.URL, want, checksum(name, want[1:]), h...).want(t, 460)
		if loc := a.Header.Get("Location"); loc != "" {
			s.at(t, loc, 0)
		}
	}
}

// testK4Bad announces trailers that are missing, malformed or cut off: what arrived was never vouched for.
func testK4Bad(t *testing.T, x *suite) {
	s := x.std()
	need(t, s.Caps.Trailers, "trailers")
	url := s.create(t, 5)
	for _, tail := range []string{
		"0\r\n\r\n",
		"0\r\nUpload-Checksum: nonsense YQ==\r\n\r\n",
		"0\r\nUpload-Checksum: sha1\r\n\r\n",
		"0\r\nUpload-Checksum: sha1 YQ==\r\n\r\n",
		"0\r\nX-Other: 1\r\n\r\n",
	} {
		c := s.dial(t)
		c.beginPatch(t, url, 0, -1, "Trailer", "Upload-Checksum")
		c.send(t, fmt.Sprintf("%x\r\n%s\r\n%s", 5, "hello", tail))
		c.answer(t, "PATCH").want(t, 400, 460)
		s.at(t, url, 0)
	}
	c := s.dial(t)
	c.beginPatch(t, url, 0, -1, "Trailer", "Upload-Checksum")
	c.send(t, fmt.Sprintf("%x\r\n%s\r\n0\r\nUpload-Chec", 5, "hello"))
	c.halfClose(t)
	c.ends(t)
	s.at(t, url, 0)
	s.patch(t, url, 0, "hello").want(t, 204)
}
