package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// dial opens a connection of its own and sends the beginning of a request.
func dial(t *testing.T, s *server, begin string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil { // a server that waits for ever fails the test
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, begin); err != nil {
		t.Fatal(err)
	}
	return conn
}

// hangsUp waits for the end of a connection. It returns what came before it, and how long it took.
func hangsUp(t *testing.T, conn net.Conn) (text string, took time.Duration) {
	t.Helper()
	begin := time.Now()
	b, err := io.ReadAll(conn)
	if errors.As(err, new(interface{ Timeout() bool })) {
		t.Fatalf("the server does not hang up; it said %q", b)
	}
	return string(b), time.Since(begin)
}

func TestTimeoutsOfConnections(t *testing.T) {
	if testing.Short() {
		t.Skip("it waits for seconds")
	}
	t.Parallel()
	s := serve(t, command(t, []string{
		"FILELOFT_DATA_DIR=d", "FILELOFT_HEADER_TIMEOUT=1", "FILELOFT_KEEP_ALIVE_TIMEOUT=2s", "FILELOFT_BODY_TIMEOUT=1s", "FILELOFT_ENABLE_H2C=1",
	}))
	within := func(t *testing.T, took, least time.Duration) {
		t.Helper()
		if took < least || took > least+20*time.Second {
			t.Errorf("after %v, want %v", took, least)
		}
	}
	t.Run("FILELOFT_HEADER_TIMEOUT", func(t *testing.T) {
		t.Parallel()
		_, took := hangsUp(t, dial(t, s, "HEAD /files/ HTTP/1.1\r\nHost:"))
		within(t, took, 900*time.Millisecond)
	})
	t.Run("FILELOFT_HEADER_TIMEOUT, not a byte", func(t *testing.T) {
		t.Parallel()
		_, took := hangsUp(t, dial(t, s, ""))
		within(t, took, 900*time.Millisecond)
	})
	t.Run("FILELOFT_KEEP_ALIVE_TIMEOUT", func(t *testing.T) {
		t.Parallel()
		text, took := hangsUp(t, dial(t, s, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"))
		if !strings.HasPrefix(text, "HTTP/1.1 200 ") {
			t.Errorf("%q", text)
		}
		within(t, took, 1900*time.Millisecond)
	})
	t.Run("FILELOFT_KEEP_ALIVE_TIMEOUT by HTTP/2", func(t *testing.T) {
		t.Parallel()
		ended := make(chan struct{})
		client := clientWith(t, 2, nil)
		client.Transport.(*http.Transport).DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
			c, err := new(net.Dialer).DialContext(ctx, network, addr)
			return &watched{Conn: c, ended: ended}, err
		}
		begin := time.Now()
		requestBy(t, client, http.MethodGet, s.url+"/healthz", nil)
		select {
		case <-ended:
			within(t, time.Since(begin), 1900*time.Millisecond)
		case <-time.After(time.Minute):
			t.Error("the server does not hang up")
		}
	})
	for major := 1; major <= 2; major++ {
		t.Run(fmt.Sprintf("FILELOFT_BODY_TIMEOUT by HTTP/%d", major), func(t *testing.T) {
			t.Parallel()
			by := *s
			by.t, by.client = t, clientWith(t, major, nil)
			path := create(t, &by, 100)
			f := by.patchSlowly(path, 100, []byte("0123456789"))
			select {
			case resp := <-f.answer:
				if resp == nil || resp.StatusCode != http.StatusRequestTimeout || !strings.HasPrefix(f.text, "stalled-body") {
					t.Errorf("%v %q %v", resp, f.text, f.err)
				}
			case <-time.After(time.Minute):
				t.Fatal("the body is waited for for ever")
			}
			if got := by.offset(path); got != 10 {
				t.Errorf("offset %d, want the 10 that had arrived", got)
			}
		})
	}
}

// watched tells when the other side has ended a connection.
type watched struct {
	net.Conn
	ended chan struct{}
	told  bool
}

func (w *watched) Read(p []byte) (int, error) { // by one goroutine
	n, err := w.Conn.Read(p)
	if err != nil && !w.told {
		w.told = true
		close(w.ended)
	}
	return n, err
}

// Headers within the limits come through, whatever their number; what goes beyond is refused with 431 before anything is made of it.
func TestTheSizeOfHeadersIsLimited(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		env    []string
		header func() http.Header
		status int
	}{
		{"the largest metadata by default", nil, headerOf("Upload-Metadata", metadataOf(8<<10)), http.StatusCreated},
		{"metadata of a byte more", nil, headerOf("Upload-Metadata", metadataOf(8<<10)+",a"), http.StatusBadRequest},
		{"FILELOFT_MAX_METADATA", []string{"FILELOFT_MAX_METADATA=256KiB"}, headerOf("Upload-Metadata", metadataOf(256<<10)), http.StatusCreated},
		{"another header beyond all limits", nil, headerOf("X-Large", strings.Repeat("x", 64<<10)), http.StatusRequestHeaderFieldsTooLarge},
		{
			"a list of parts without concatenation",
			[]string{"FILELOFT_MAX_PARTS=100000"},
			headerOf("Upload-Concat", "final;"+strings.Repeat(" /files/x", 10_000)), http.StatusRequestHeaderFieldsTooLarge,
		},
		{
			"a list of as many parts as there may be",
			[]string{"FILELOFT_ENABLE_CONCATENATION=1", "FILELOFT_MAX_PARTS=1000"},
			headerOf("Upload-Concat", "final;"+strings.Repeat(" https://uploads.example.com/files/"+strings.Repeat("x", 22), 1000)),
			http.StatusNotFound, // none of them is there
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, command(t, append(tt.env, "FILELOFT_DATA_DIR=d", "FILELOFT_ENABLE_H2C=1")))
			for major := 1; major <= 2; major++ {
				r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/files/", http.NoBody)
				if err != nil {
					t.Fatal(err)
				}
				r.Header = tt.header()
				r.Header.Set("Tus-Resumable", "1.0.0")
				if r.Header.Get("Upload-Concat") == "" {
					r.Header.Set("Upload-Length", "1")
				}
				resp, err := clientWith(t, major, nil).Do(r)
				if major == 2 && tt.status == http.StatusRequestHeaderFieldsTooLarge && err != nil {
					continue // the client knows the limit from the server's settings and does not even send it
				}
				if err != nil {
					t.Fatal(err)
				}
				b, _ := io.ReadAll(resp.Body)
				if _ = resp.Body.Close(); resp.StatusCode != tt.status {
					t.Errorf("HTTP/%d: %s %s, want %d", major, resp.Status, b, tt.status)
				}
			}
		})
	}
}

func headerOf(name, value string) func() http.Header {
	return func() http.Header { return http.Header{name: {value}} }
}

// metadataOf returns metadata of n bytes, a multiple of 4.
func metadataOf(n int) string { return "key " + strings.Repeat("YWFh", n/4-1) }

// An endless header ends when its limit is reached, not when the client does.
func TestAnEndlessHeaderIsCutOff(t *testing.T) {
	t.Parallel()
	s := serve(t, command(t, []string{"FILELOFT_DATA_DIR=d"}))
	conn := dial(t, s, "POST /files/ HTTP/1.1\r\nHost: x\r\n")
	go func() {
		for line := []byte("X-More: " + strings.Repeat("x", 1000) + "\r\n"); ; {
			if _, err := conn.Write(line); err != nil {
				return
			}
		}
	}()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _ = resp.Body.Close(); resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Error(resp.Status)
	}
}
