package faults

import (
	"crypto/rand"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// An arrival is what a plain server saw of a request.
type arrival struct {
	*http.Request
	body []byte
	err  error // of reading the body
	at   time.Time
}

// A backend is a plain server that keeps what arrives. It answers with 2000 bytes and two trailers, or to a PUT with the size of its
// body and no trailers.
type backend struct {
	*httptest.Server
	mu   sync.Mutex
	seen []arrival
	busy int
}

var answer = strings.Repeat("answer, ", 250)

func newBackend(t *testing.T) *backend {
	b := &backend{}
	b.Server = httptest.NewUnstartedServer(b)
	b.Config.Protocols = spoken()
	b.Start()
	t.Cleanup(b.Close)
	return b
}

func spoken() *http.Protocols {
	p := new(http.Protocols)
	p.SetHTTP1(true)
	p.SetUnencryptedHTTP2(true)
	return p
}

func (b *backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	b.busy++
	b.mu.Unlock()
	a := arrival{Request: r, at: time.Now()}
	a.body, a.err = io.ReadAll(r.Body)
	w.Header()["Content-Type"], w.Header()["Date"] = nil, nil
	if r.Method == http.MethodPut {
		w.Header().Set("Content-Length", "2000")
	} else {
		w.Header().Set("Trailer", "X-Sum")
	}
	_, _ = io.WriteString(w, answer)
	if r.Method != http.MethodPut {
		w.Header().Set("X-Sum", "2000")
		w.Header().Set(http.TrailerPrefix+"X-Late", "yes")
	}
	b.mu.Lock()
	b.busy--
	b.seen = append(b.seen, a)
	b.mu.Unlock()
}

// arrived returns what arrived since the last time. A request may still be on its way when its client has an error: it waits for n.
func (b *backend) arrived(t *testing.T, n int) (seen []arrival) {
	t.Helper()
	for late := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		b.mu.Lock()
		if b.busy == 0 && len(b.seen) >= n {
			seen, b.seen = b.seen, nil
			b.mu.Unlock()
			return seen
		}
		b.mu.Unlock()
		if time.Now().After(late) {
			t.Fatalf("%d requests arrived, want %d", len(b.seen), n)
		}
	}
}

// versions are the two that are spoken, each with a service that is spoken to so.
var versions = []struct {
	name, service string
	http2         bool
}{{"HTTP1", "s3", false}, {"HTTP2", byGRPC, true}}

// newClient returns a client that opens a connection for each request of HTTP/1: on an old one it would repeat what fails.
func newClient(t *testing.T, http2 bool) *http.Client {
	tr := &http.Transport{DisableKeepAlives: !http2, DisableCompression: true, Protocols: new(http.Protocols), ExpectContinueTimeout: time.Minute}
	tr.Protocols.SetHTTP1(!http2)
	tr.Protocols.SetUnencryptedHTTP2(http2)
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

func newProxy(t *testing.T, target string, opt Options) *Proxy {
	t.Helper()
	p, err := New(target, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func always(k Kind) map[Kind]float64 { return map[Kind]float64{k: 1} }

func data(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}

// serve starts a server, and returns its URL.
func serve(t *testing.T, h http.HandlerFunc) string {
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// record keeps what a proxy tells.
type record struct {
	mu     sync.Mutex
	events []Event
}

func (r *record) add(e Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
}

// take returns what was told since the last time.
func (r *record) take() (events []Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	events, r.events = r.events, nil
	return events
}
