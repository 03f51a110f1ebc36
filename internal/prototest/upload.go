package prototest

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/fileloft/fileloft/tus"
)

// post sends a POST to the collection.
func (s *Server) post(t testing.TB, body any, headers ...string) *answer {
	t.Helper()
	return s.do(t, http.MethodPost, s.URL, body, headers...)
}

// create makes an upload of n bytes, of deferred length if n < 0, and returns its URL.
func (s *Server) create(t testing.TB, n int64, headers ...string) string {
	t.Helper()
	if n < 0 {
		headers = append(headers, "Upload-Defer-Length", "1")
	} else {
		headers = append(headers, "Upload-Length", strconv.FormatInt(n, 10))
	}
	return s.location(t, s.post(t, nil, headers...).want(t, 201))
}

// location returns the URL of a fresh upload, checked to be a usable one.
func (s *Server) location(t testing.TB, a *answer) string {
	t.Helper()
	loc := a.Header.Get("Location")
	if !strings.HasPrefix(loc, s.URL) || tus.ID(strings.TrimPrefix(loc, s.URL)).Validate() != nil {
		t.Fatalf("%s: Location %q is not an upload below %s", a.what, loc, s.URL)
	}
	return loc
}

// id returns the id in an upload's URL.
func id(url string) tus.ID {
	return tus.ID(url[strings.LastIndexByte(url, '/')+1:])
}

// patch sends bytes.
func (s *Server) patch(t testing.TB, url string, off int64, body any, headers ...string) *answer {
	t.Helper()
	return s.do(t, http.MethodPatch, url, body, patchHeaders(off, headers)...)
}

func patchHeaders(off int64, headers []string) []string {
	return append([]string{"Content-Type", octets, "Upload-Offset", strconv.FormatInt(off, 10)}, headers...)
}

// head asks for the state of an upload that exists.
func (s *Server) head(t testing.TB, url string) *answer {
	t.Helper()
	return s.do(t, http.MethodHead, url, nil).want(t, 200)
}

// at fails the test unless the upload stands at off.
func (s *Server) at(t testing.TB, url string, off int64) {
	t.Helper()
	if got := s.head(t, url).offset(t); got != off {
		t.Errorf("HEAD %s: offset %d, want %d", url, got, off)
	}
}

// upload makes a finished upload of data and returns its URL.
func (s *Server) upload(t testing.TB, data []byte, headers ...string) string {
	t.Helper()
	url := s.create(t, int64(len(data)), headers...)
	if len(data) > 0 {
		s.patch(t, url, 0, data).want(t, 204).header(t, "Upload-Offset", strconv.Itoa(len(data)))
	}
	return url
}

// holds fails the test unless the upload is finished and its object is want, byte for byte.
func (s *Server) holds(t testing.TB, url string, want []byte) {
	t.Helper()
	n := strconv.Itoa(len(want))
	s.head(t, url).header(t, "Upload-Offset", n).header(t, "Upload-Length", n)
	got, err := s.object(t, url)
	if err != nil {
		t.Fatalf("object of %s: %v", url, err)
	}
	if !bytes.Equal(got, want) {
		t.Fatalf("object of %s: %s", url, difference(got, want))
	}
}

func (s *Server) object(t testing.TB, url string) ([]byte, error) {
	t.Helper()
	if s.Object != nil {
		return s.Object(id(url))
	}
	a := s.do(t, http.MethodGet, url, nil)
	if a.Status != 200 {
		return nil, fmt.Errorf("GET: status %d: %s", a.Status, a.Body)
	}
	return a.Body, nil
}

// gone fails the test if the upload can still be reached, or if anything of it is left behind.
func (s *Server) gone(t testing.TB, url string) {
	t.Helper()
	s.do(t, http.MethodHead, url, nil).want(t, 404, 410).header(t, "Upload-Offset", "")
	if s.Leftovers == nil {
		return
	}
	left, err := s.Leftovers(id(url))
	if err != nil || len(left) > 0 {
		t.Errorf("left of %s: %v, %v", url, left, err)
	}
}

// finish brings an upload to its end like a client that retries: it asks where the upload stands and sends the rest.
func (s *Server) finish(t testing.TB, url string, data []byte) {
	t.Helper()
	eventually(t, "finishing "+url, func() error {
		a, err := s.try(http.MethodHead, url, nil)
		if err != nil || a.Status != 200 {
			return fmt.Errorf("HEAD: %v, %v", a, err)
		}
		off := a.offset(t)
		if off == int64(len(data)) {
			return nil
		}
		a, err = s.try(http.MethodPatch, url, data[off:], patchHeaders(off, nil)...)
		if err == nil && a.Status == 204 && a.offset(t) == int64(len(data)) {
			return nil
		}
		return fmt.Errorf("PATCH at %d: %v, %v", off, a, err)
	})
}
