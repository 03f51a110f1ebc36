package app

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a listener whose connections are in memory, so that a test's clock can be virtual.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func newPipes() pipes { return pipes{make(chan net.Conn), make(chan struct{})} }

func (p pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p pipes) Close() error { close(p.closed); return nil } // panics if it is closed again

func (p pipes) Addr() net.Addr { return &net.TCPAddr{} }

// dial returns a connection that the server has accepted.
func (p pipes) dial(t *testing.T) net.Conn {
	client, server := net.Pipe()
	t.Cleanup(func() { _ = client.Close() })
	p.conns <- server
	return client
}

// startInBubble serves an App by a virtual clock.
func startInBubble(t *testing.T, ln net.Listener, env ...string) (stop context.CancelFunc, ended <-chan error) {
	t.Helper()
	c, err := Load(append(Env{"FILELOFT_SWEEP_INTERVAL=0", "FILELOFT_SHUTDOWN_TIMEOUT=1h", "FILELOFT_HEADER_TIMEOUT=1h"}, env...), nil)
	if err != nil {
		t.Fatal(err)
	}
	a, err := New(c, nothing{}, nothing{}, &Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.Serve(ctx, ln) }()
	synctest.Wait()
	return stop, done
}

// healthz asks for it on conn.
func healthz(conn net.Conn) (*http.Response, error) {
	if _, err := fmt.Fprint(conn, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		return nil, err
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return nil, err
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp, nil
}

// A client has connected, its request is on the way, and the server stops.
func TestWhoHasConnectedIsAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln := newPipes()
		stop, ended := startInBubble(t, ln)
		first, second := ln.dial(t), ln.dial(t)
		stop()
		for _, conn := range []net.Conn{first, second} {
			time.Sleep(2 * time.Second)
			resp, err := healthz(conn)
			if err != nil || resp.StatusCode != http.StatusOK || !resp.Close {
				t.Errorf("the answer is %v %v, want 200 and Connection: close", resp, err)
			}
		}
		start := time.Now()
		if err := <-ended; err != nil || time.Since(start) > time.Second {
			t.Errorf("when all have been answered, the server ends after %s: %v", time.Since(start), err)
		}
	})
}

// Browsers open connections that they may never use.
func TestWhoSaysNothingIsNotWaitedForForLong(t *testing.T) {
	for name, tt := range map[string]struct{ before, atMost time.Duration }{
		"just connected":            {0, patience + 2*time.Second}, // net/http counts in whole seconds
		"connected some time ago":   {3 * time.Second, patience - 1*time.Second},
		"connected a long time ago": {time.Minute, 100 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ln := newPipes()
				stop, ended := startInBubble(t, ln)
				ln.dial(t)
				time.Sleep(tt.before)
				start := time.Now()
				stop()
				if err := <-ended; err != nil || time.Since(start) > tt.atMost {
					t.Errorf("the server ends after %s, want at most %s: %v", time.Since(start), tt.atMost, err)
				}
			})
		})
	}
}

func TestWhoHangsUpIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln := newPipes()
		stop, ended := startInBubble(t, ln)
		conn := ln.dial(t)
		stop()
		time.Sleep(time.Second)
		start := time.Now()
		_ = conn.Close()
		if err := <-ended; err != nil || time.Since(start) > 100*time.Millisecond {
			t.Errorf("the server ends %s after its client: %v", time.Since(start), err)
		}
	})
}

// The shutdown timeout is the shorter one.
func TestNewcomersHaveNoMoreTimeThanTheServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln := newPipes()
		stop, ended := startInBubble(t, ln, "FILELOFT_SHUTDOWN_TIMEOUT=2s")
		ln.dial(t)
		start := time.Now()
		stop()
		<-ended
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("%s", took)
		}
	})
}

// In HTTP/2 a connection is idle, not new, from the end of its handshake on.
func TestWhoHasConnectedByHTTP2IsAnswered(t *testing.T) {
	for _, withTLS := range []bool{true, false} {
		t.Run(fmt.Sprintf("TLS %v", withTLS), func(t *testing.T) {
			cert := httptest.NewUnstartedServer(nil)
			cert.StartTLS() // for its certificate only
			defer cert.Close()
			synctest.Test(t, func(t *testing.T) {
				inner := newPipes()
				var ln net.Listener = inner
				if withTLS {
					ln = tls.NewListener(inner, &tls.Config{Certificates: cert.TLS.Certificates, NextProtos: []string{"h2"}})
				}
				stop, ended := startInBubble(t, ln, "FILELOFT_ENABLE_H2C=true")
				dial := func(context.Context, string, string) (net.Conn, error) { return inner.dial(t), nil }
				p := new(http.Protocols)
				p.SetHTTP2(withTLS)
				p.SetUnencryptedHTTP2(!withTLS)
				tr := &http.Transport{DialContext: dial, Protocols: p, TLSClientConfig: &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}}}
				cc, err := tr.NewClientConn(t.Context(), map[bool]string{true: "https", false: "http"}[withTLS], "x:1")
				if err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				stop()
				time.Sleep(time.Second)
				req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, map[bool]string{true: "https", false: "http"}[withTLS]+"://x:1/healthz", nil)
				resp, err := cc.RoundTrip(req)
				if err != nil || resp.StatusCode != http.StatusOK || resp.ProtoMajor != 2 {
					t.Errorf("the answer is %v %v", resp, err)
				} else {
					_ = resp.Body.Close()
				}
				if err := <-ended; err != nil {
					t.Error(err)
				}
				_ = cc.Close()
			})
		})
	}
}
