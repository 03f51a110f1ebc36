package app

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/fileloft/fileloft/tus"
)

// stuck is a State that never answers before it is let go.
type stuck struct {
	tus.State
	asked   chan struct{}
	release chan struct{}
}

func (s stuck) Load(context.Context, tus.ID) (tus.Upload, error) {
	s.asked <- struct{}{}
	<-s.release
	return tus.Upload{}, tus.ErrNotFound
}

// start serves an App over state on a port of its own.
func start(t *testing.T, state tus.State, env ...string) (addr string, stop context.CancelFunc, ended <-chan error) {
	t.Helper()
	c, err := Load(append(Env{"FILELOFT_SWEEP_INTERVAL=0"}, env...), nil)
	if err != nil {
		t.Fatal(err)
	}
	a, err := New(c, state, nothing{}, &Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	t.Cleanup(stop)
	done := make(chan error, 1)
	go func() { done <- a.Serve(ctx, ln) }()
	return ln.Addr().String(), stop, done
}

// head asks for an upload on a connection of its own and leaves the answer there.
func head(t *testing.T, addr string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	fmt.Fprintf(conn, "HEAD /files/%s HTTP/1.1\r\nHost: x\r\nTus-Resumable: 1.0.0\r\n\r\n", strings.Repeat("a", 22))
	return conn
}

func TestAServerAtRestStopsAtOnce(t *testing.T) {
	_, stop, ended := start(t, nothing{}, "FILELOFT_SHUTDOWN_TIMEOUT=1h")
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestRequestsAtWorkAreAnsweredBeforeTheServerStops(t *testing.T) {
	s := stuck{asked: make(chan struct{}, 1), release: make(chan struct{})}
	addr, stop, ended := start(t, s, "FILELOFT_SHUTDOWN_TIMEOUT=1h")
	conn := head(t, addr)
	<-s.asked
	stop()
	// Once new connections are refused, the shutdown is under way.
	for {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			break
		}
		_ = c.Close()
	}
	select {
	case err := <-ended:
		t.Fatalf("the server ended with a request at work: %v", err)
	default:
	}
	close(s.release)
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil || !strings.Contains(line, " 404 ") {
		t.Errorf("%q %v", line, err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestARequestThatDoesNotEndIsCutOffWhenTheTimeIsOver(t *testing.T) {
	s := stuck{asked: make(chan struct{}, 1), release: make(chan struct{})}
	defer close(s.release)
	addr, stop, ended := start(t, s, "FILELOFT_SHUTDOWN_TIMEOUT=0")
	head(t, addr)
	<-s.asked
	stop()
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "cut off") {
		t.Errorf("the server says %v", err)
	}
}

// Upload-Metadata within its limit must never run into the server's limit on all headers.
func TestHeadersHaveRoomForTheLargestMetadata(t *testing.T) {
	for _, size := range []string{"1", "8KiB", "512KiB"} {
		c, err := Load(Env{"FILELOFT_MAX_METADATA=" + size}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := (&App{cfg: c, log: slog.Default()}).server().MaxHeaderBytes; int64(got) < c.MaxMetadata+8<<10 {
			t.Errorf("%s: %d bytes of headers", size, got)
		}
	}
}

// The same holds for a final upload of as many parts as one may have, each under a long URL.
func TestHeadersHaveRoomForTheLongestListOfParts(t *testing.T) {
	c, err := Load(Env{"FILELOFT_ENABLE_CONCATENATION=true", "FILELOFT_MAX_PARTS=1000"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	list := strings.Repeat(" https://uploads.some-company.example.com/api/v1/files/"+strings.Repeat("x", 128), 1000)
	if got := (&App{cfg: c, log: slog.Default()}).server().MaxHeaderBytes; got < len(list) {
		t.Errorf("%d bytes of headers for %d of Upload-Concat", got, len(list))
	}
}

func TestHTTP2WithoutTLSIsASwitch(t *testing.T) {
	for _, on := range []bool{false, true} {
		addr, _, _ := start(t, stuck{}, fmt.Sprintf("FILELOFT_ENABLE_H2C=%v", on))
		for major := 1; major <= 2; major++ {
			p := new(http.Protocols)
			p.SetHTTP1(major == 1)
			p.SetUnencryptedHTTP2(major == 2)
			client := &http.Client{Transport: &http.Transport{Protocols: p}}
			resp, err := client.Get("http://" + addr + "/healthz")
			if err == nil {
				_ = resp.Body.Close()
			}
			works := err == nil && resp.StatusCode == http.StatusOK && resp.ProtoMajor == major
			if want := major == 1 || on; works != want {
				t.Errorf("h2c %v: HTTP/%d works %v, want %v (%v)", on, major, works, want, err)
			}
			client.CloseIdleConnections()
		}
	}
}

func TestASlowHeaderIsNotWaitedForForEver(t *testing.T) {
	addr, _, _ := start(t, nothing{}, "FILELOFT_HEADER_TIMEOUT=1")
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	fmt.Fprint(conn, "HEAD /files/ HTTP/1.1\r\nHost:")
	var answer bytes.Buffer
	if _, err := answer.ReadFrom(conn); err != nil { // ends only when the server hangs up
		t.Errorf("%q %v", &answer, err)
	}
}
