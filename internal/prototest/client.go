package prototest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

const octets = "application/offset+octet-stream"

// ownClient is for servers without a client. http.DefaultClient is not: httptest.Server.Close, in a test beside this one, takes idle
// connections from it, and a request that has just been given such a connection fails.
var ownClient = &http.Client{Transport: http.DefaultTransport.(*http.Transport).Clone()}

// errorForm is what every error's body looks like: a stable code in kebab-case, and one sentence.
var errorForm = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*: [^\n]+\n$`)

// internals are words that only the inside of a server would write.
var internals = regexp.MustCompile(`(?i)goroutine|panic|\.go:\d|sqlite|SQL|errno|no such file|/tmp/|stack|0x[0-9a-f]{6}|secret-detail`)

// An answer is a response, read to its end.
type answer struct {
	what   string // the request, for messages
	Status int
	Header http.Header
	Body   []byte
}

// do sends a request and checks what holds for all answers. body is nil, a string, a []byte, or an io.Reader that is
// sent chunked. The headers come in pairs; Tus-Resumable is set unless given, and an empty value leaves a header out.
func (s *Server) do(t testing.TB, method, url string, body any, headers ...string) *answer {
	t.Helper()
	a, err := s.try(method, url, body, headers...)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	a.check(t, method)
	return a
}

// try is do without the checks, for requests that may fail on the way.
func (s *Server) try(method, url string, body any, headers ...string) (*answer, error) {
	req, err := newRequest(method, url, body, headers...)
	if err != nil {
		return nil, err
	}
	return s.roundTrip(req)
}

func newRequest(method, url string, body any, headers ...string) (*http.Request, error) {
	var r io.Reader
	switch b := body.(type) {
	case string:
		r = strings.NewReader(b)
	case []byte:
		r = bytes.NewReader(b)
	case io.Reader:
		r = struct{ io.Reader }{b} // hides the length, so that the client sends chunks
	}
	req, err := http.NewRequest(method, url, r)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Tus-Resumable", "1.0.0")
	for i := 0; i < len(headers); i += 2 {
		key, value := http.CanonicalHeaderKey(headers[i]), headers[i+1]
		switch {
		case key == "Host":
			req.Host = value
		case value == "":
			req.Header.Del(key)
		case key == "Tus-Resumable":
			req.Header.Set(key, value)
		default:
			req.Header.Add(key, strings.TrimPrefix(value, "\x00")) // "\x00" sends an empty value
		}
	}
	return req, nil
}

func (s *Server) roundTrip(req *http.Request) (*answer, error) {
	client := s.Client
	if client == nil {
		client = ownClient
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	a := &answer{what: req.Method + " " + req.URL.String(), Status: resp.StatusCode, Header: resp.Header, Body: b}
	if resp.Request.URL.String() != req.URL.String() {
		a.Header.Set("X-Redirected", "1") // by the signed URL of a store: the headers are the store's
	}
	return a, err
}

// check holds an answer to what all answers have in common (C1, C18).
func (a *answer) check(t testing.TB, method string) {
	t.Helper()
	if method != http.MethodOptions && a.Header.Get("X-Redirected") == "" {
		if got := a.Header.Get("Tus-Resumable"); got != "1.0.0" {
			t.Errorf("%s: %d with Tus-Resumable %q, want 1.0.0", a.what, a.Status, got)
		}
	}
	if a.Status < 400 {
		return
	}
	if a.Header.Get("X-Request-ID") == "" {
		t.Errorf("%s: error %d without X-Request-ID", a.what, a.Status)
	}
	if method == http.MethodHead {
		return
	}
	if ct := a.Header.Get("Content-Type"); !strings.HasPrefix(ct, "text/plain") {
		t.Errorf("%s: error %d with Content-Type %q, want text/plain", a.what, a.Status, ct)
	}
	if !errorForm.Match(a.Body) {
		t.Errorf("%s: error %d says %q, want \"code: sentence\\n\"", a.what, a.Status, a.Body)
	}
	if internals.Match(a.Body) {
		t.Errorf("%s: error %d shows the inside of the server: %q", a.what, a.Status, a.Body)
	}
}

// want fails the test unless the answer has one of these statuses.
func (a *answer) want(t testing.TB, statuses ...int) *answer {
	t.Helper()
	for _, s := range statuses {
		if a.Status == s {
			return a
		}
	}
	t.Fatalf("%s: status %d, want %v; headers %v, body %q", a.what, a.Status, statuses, a.Header, a.Body)
	return nil
}

// header fails the test unless the answer has this header; an empty value means that it must be absent.
func (a *answer) header(t testing.TB, key, value string) *answer {
	t.Helper()
	if got := a.Header.Get(key); got != value || (value == "" && len(a.Header.Values(key)) > 0) {
		t.Errorf("%s: %d with %s %q, want %q", a.what, a.Status, key, a.Header.Values(key), value)
	}
	return a
}

// offset returns the Upload-Offset that the answer carries.
func (a *answer) offset(t testing.TB) int64 {
	t.Helper()
	n, err := strconv.ParseInt(a.Header.Get("Upload-Offset"), 10, 64)
	if err != nil {
		t.Fatalf("%s: %d with Upload-Offset %q", a.what, a.Status, a.Header.Values("Upload-Offset"))
	}
	return n
}

// patience bounds every wait for something that must happen, with much room for a slow machine.
const patience = 30 * time.Second

// eventually repeats f until it succeeds.
func eventually(t testing.TB, what string, f func() error) {
	t.Helper()
	err := errors.New("not tried")
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if err = f(); err == nil {
			return
		}
	}
	t.Fatalf("%s: %v", what, err)
}

// data returns n bytes that differ from place to place.
func data(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{byte(n), byte(n >> 8), 7}).Read(b)
	return b
}

// difference says where two byte strings part.
func difference(got, want []byte) string {
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			return fmt.Sprintf("%d bytes, want %d; the first difference is at %d", len(got), len(want), i)
		}
	}
	return fmt.Sprintf("%d bytes, want %d; one is the beginning of the other", len(got), len(want))
}
