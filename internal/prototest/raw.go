package prototest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// A conn is a bare connection, for requests that a decent HTTP client cannot send.
type conn struct {
	net.Conn
	br   *bufio.Reader
	what string
}

// dial opens a connection that is closed when t ends at the latest.
func (s *Server) dial(t testing.TB) *conn {
	t.Helper()
	need(t, s.Caps.Raw, "raw connections")
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience / 2))
	return &conn{Conn: c, br: bufio.NewReader(c)}
}

// begin sends the head of a request. The headers come in pairs and are sent as they are.
func (c *conn) begin(t testing.TB, method, target string, headers ...string) {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	c.what = method + " " + target
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\nTus-Resumable: 1.0.0\r\n", method, u.RequestURI(), u.Host)
	for i := 0; i < len(headers); i += 2 {
		fmt.Fprintf(&b, "%s: %s\r\n", headers[i], headers[i+1])
	}
	b.WriteString("\r\n")
	c.send(t, b.String())
}

// beginPatch sends the head of a PATCH whose body has n bytes, or is chunked if n < 0.
func (c *conn) beginPatch(t testing.TB, target string, off, n int64, headers ...string) {
	t.Helper()
	h := []string{"Content-Type", octets, "Upload-Offset", fmt.Sprint(off)}
	if n < 0 {
		h = append(h, "Transfer-Encoding", "chunked")
	} else {
		h = append(h, "Content-Length", fmt.Sprint(n))
	}
	c.begin(t, http.MethodPatch, target, append(h, headers...)...)
}

func (c *conn) send(t testing.TB, s string) {
	t.Helper()
	if _, err := io.WriteString(c, s); err != nil {
		t.Fatalf("%s: send: %v", c.what, err)
	}
}

// halfClose ends the client's side of the connection, so that the server reads an end where more was announced.
func (c *conn) halfClose(t testing.TB) {
	t.Helper()
	if err := c.Conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
}

// read reads one answer; method is the request's.
func (c *conn) read(method string) (*answer, error) {
	resp, err := http.ReadResponse(c.br, &http.Request{Method: method})
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.Close {
		resp.Header.Set("Connection", "close") // which http.ReadResponse has taken out
	}
	b, err := io.ReadAll(resp.Body)
	return &answer{what: c.what, Status: resp.StatusCode, Header: resp.Header, Body: b}, err
}

// answer reads one answer that must come, and checks what holds for all answers.
func (c *conn) answer(t testing.TB, method string) *answer {
	t.Helper()
	a, err := c.read(method)
	if err != nil {
		t.Fatalf("%s: no answer: %v", c.what, err)
	}
	a.check(t, method)
	return a
}

// ends fails the test unless the server closes the connection, whatever it says before.
func (c *conn) ends(t testing.TB) {
	t.Helper()
	_, err := io.Copy(io.Discard, c.br)
	var ne net.Error
	if errors.As(err, &ne) && ne.Timeout() {
		t.Errorf("%s: the server keeps the connection open", c.what)
	}
}
