package badinput

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"path"
	"strconv"
	"strings"
	"testing"
	"time"
)

// An answer is what came back, read to its end.
type answer struct {
	status int
	header http.Header
	body   string
}

func (a answer) String() string { return fmt.Sprintf("%d %q", a.status, a.body) }

// ordinary is the client of those who mean no harm: a connection for each request, so that none is spoiled by an earlier one.
var ordinary = &http.Client{
	Timeout:       patience,
	Transport:     &http.Transport{DisableKeepAlives: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// try sends one tus request. Header is a list of names and values.
func (s *server) try(method, path string, body io.Reader, header ...string) (answer, error) {
	r, err := http.NewRequest(method, "http://"+s.addr+path, body)
	if err != nil {
		return answer{}, err
	}
	r.Header.Set("Tus-Resumable", "1.0.0")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := ordinary.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, string(b)}, err
}

func (s *server) do(method, path string, body io.Reader, header ...string) answer {
	s.t.Helper()
	a, err := s.try(method, path, body, header...)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	return a
}

// tryCreate asks for an upload of n bytes and returns its path.
func (s *server) tryCreate(n int64) (string, answer, error) {
	a, err := s.try(http.MethodPost, "/files/", nil, "Upload-Length", strconv.FormatInt(n, 10))
	if err != nil || a.status != http.StatusCreated {
		return "", a, err
	}
	return "/files/" + path.Base(a.header.Get("Location")), a, nil
}

func (s *server) create(n int64) string {
	s.t.Helper()
	at, a, err := s.tryCreate(n)
	if err != nil || at == "" {
		s.t.Fatalf("create: %v %v", a, err)
	}
	return at
}

// patch sends bytes at an offset.
func (s *server) patch(at string, offset int64, b []byte) answer {
	s.t.Helper()
	return s.do(http.MethodPatch, at, bytes.NewReader(b), "Upload-Offset", strconv.FormatInt(offset, 10), "Content-Type", octets)
}

const octets = "application/offset+octet-stream"

// offset asks by HEAD.
func (s *server) offset(at string) int64 {
	s.t.Helper()
	a := s.do(http.MethodHead, at, nil)
	n, err := strconv.ParseInt(a.header.Get("Upload-Offset"), 10, 64)
	if a.status != http.StatusOK || err != nil {
		s.t.Fatalf("HEAD: %v, offset %q", a, a.header.Get("Upload-Offset"))
	}
	return n
}

// resume sends the rest of an upload from where HEAD says, and checks the whole.
func (s *server) resume(at string, data []byte) {
	s.t.Helper()
	off := s.offset(at)
	if a := s.patch(at, off, data[off:]); a.status != http.StatusNoContent {
		s.t.Fatalf("the rest, from %d: %v", off, a)
	}
	s.holds(at, data)
}

// holds downloads an upload and compares it.
func (s *server) holds(at string, data []byte) {
	s.t.Helper()
	a := s.do(http.MethodGet, at, nil)
	if a.status == http.StatusTemporaryRedirect || a.status == http.StatusFound || a.status == http.StatusSeeOther {
		resp, err := ordinary.Get(a.header.Get("Location"))
		if err != nil {
			s.t.Fatal(err)
		}
		b, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil {
			s.t.Fatal(err)
		}
		a = answer{resp.StatusCode, resp.Header, string(b)}
	}
	if a.status != http.StatusOK || sum([]byte(a.body)) != sum(data) {
		s.t.Fatalf("the object is not what was sent: %d, %d bytes, want %d", a.status, len(a.body), len(data))
	}
}

// whole is the life of an ordinary upload. It returns an error instead of failing the test, for other goroutines.
func (s *server) whole(data []byte) error {
	at, a, err := s.tryCreate(int64(len(data)))
	if err != nil || at == "" {
		return fmt.Errorf("create: %v %w", a, err)
	}
	half := len(data) / 2
	for _, p := range [][2]int{{0, half}, {half, len(data)}} {
		a, err = s.try(http.MethodPatch, at, bytes.NewReader(data[p[0]:p[1]]), "Upload-Offset", strconv.Itoa(p[0]), "Content-Type", octets)
		if err != nil || a.status != http.StatusNoContent {
			return fmt.Errorf("PATCH at %d: %v %w", p[0], a, err)
		}
		a, err = s.try(http.MethodHead, at, nil)
		if got := a.header.Get("Upload-Offset"); err != nil || got != strconv.Itoa(p[1]) {
			return fmt.Errorf("HEAD: offset %q, want %d: %v %w", got, p[1], a, err)
		}
	}
	a, err = s.try(http.MethodGet, at, nil)
	if err != nil || a.status != http.StatusOK || sum([]byte(a.body)) != sum(data) {
		return fmt.Errorf("GET: %d, %d bytes of %d %w", a.status, len(a.body), len(data), err)
	}
	return nil
}

// unharmed fails the test unless an ordinary upload works.
func (s *server) unharmed() {
	s.t.Helper()
	s.lives()
	if err := s.whole(random(300_000)); err != nil {
		s.t.Fatalf("an ordinary upload afterwards: %v", err)
	}
}

// within waits for something to come true.
func within(t testing.TB, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it does not come true: %s", what)
		}
	}
}

// says fails the test unless an answer has one of the statuses and begins with one of the codes, which are words with bars between them.
func says(t testing.TB, a answer, codes string, statuses ...int) {
	t.Helper()
	for _, st := range statuses {
		code, _, _ := strings.Cut(a.body, ":")
		if a.status == st && (codes == "" || strings.Contains("|"+codes+"|", "|"+code+"|")) {
			return
		}
	}
	t.Errorf("%v, want %v with %q", a, statuses, codes)
}

func sum(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}
