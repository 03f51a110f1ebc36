package faults

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Signatures cover the method, the target, the host and headers: they arrive as they were sent, and so does the answer.
func TestWhatIsPassedOnIsAsItWasSent(t *testing.T) {
	for _, v := range versions {
		t.Run(v.name, func(t *testing.T) {
			b := newBackend(t)
			p := newProxy(t, b.URL, Options{Service: v.service})
			body := data(300_000)
			req, _ := http.NewRequest(http.MethodPost, p.URL()+"/a%2Fb//c%20d;e=%27f'?x&y=%2B+&x=", io.MultiReader(bytes.NewReader(body)))
			req.Host = "bucket.example.com"
			req.Trailer = http.Header{"X-Checksum": nil}
			req.Header = http.Header{"User-Agent": {""}, "Te": {"trailers"}, "X-Empty": {""}, "X-Twice": {"a", "b"}, "Authorization": {"AWS4 x"}}
			req.Body = &atEnd{req.Body, func() { req.Trailer.Set("X-Checksum", "crc") }}
			resp, err := newClient(t, v.http2).Do(req)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(resp.Body)
			if err != nil || string(got) != answer || resp.StatusCode != 200 {
				t.Errorf("answered %d with %d bytes, %v", resp.StatusCode, len(got), err)
			}
			if d := cmp.Diff(http.Header{"X-Sum": {"2000"}, "X-Late": {"yes"}}, resp.Trailer); d != "" {
				t.Errorf("the answer's trailers (-want +got):\n%s", d)
			}
			direct, err := newClient(t, v.http2).Post(b.URL, "", nil)
			if err != nil {
				t.Fatal(err)
			}
			direct.Body.Close()
			if d := cmp.Diff(direct.Header, resp.Header); d != "" || resp.ContentLength != direct.ContentLength {
				t.Errorf("%d bytes are said to come, without the proxy %d; headers (-without +with):\n%s", resp.ContentLength, direct.ContentLength, d)
			}
			a := b.arrived(t, 2)[0]
			if a.err != nil || !bytes.Equal(a.body, body) {
				t.Errorf("%d bytes arrived of %d, %v", len(a.body), len(body), a.err)
			}
			want := http.Header{"Te": {"trailers"}, "X-Empty": {""}, "X-Twice": {"a", "b"}, "Authorization": {"AWS4 x"}}
			if d := cmp.Diff(want, a.Header); d != "" {
				t.Errorf("headers (-want +got):\n%s", d)
			}
			if d := cmp.Diff(http.Header{"X-Checksum": {"crc"}}, a.Trailer); d != "" {
				t.Errorf("trailers (-want +got):\n%s", d)
			}
			if a.RequestURI != "/a%2Fb//c%20d;e=%27f'?x&y=%2B+&x=" || a.Host != "bucket.example.com" || a.ContentLength != -1 {
				t.Errorf("arrived as %s at %s, of %d bytes", a.RequestURI, a.Host, a.ContentLength)
			}
		})
	}
}

// atEnd is a body that does something before its end.
type atEnd struct {
	io.ReadCloser
	do func()
}

func (b *atEnd) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		b.do()
	}
	return n, err
}

// atStart is a body that tells when it is read from. Its end may be read only after the answer.
type atStart struct {
	io.Reader
	read *atomic.Bool
}

func (b *atStart) Read(p []byte) (int, error) {
	b.read.Store(true)
	return b.Reader.Read(p)
}

// A server that refuses without leave to send is heard before the body is sent.
func TestAnExpectationIsTheServersToMeet(t *testing.T) {
	for _, status := range []int{403, 200} {
		var got []byte
		p := newProxy(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
			if status == 200 {
				got, _ = io.ReadAll(r.Body)
			}
			w.WriteHeader(status)
		}), Options{Service: "s3"})
		var sent atomic.Bool
		req, _ := http.NewRequest(http.MethodPut, p.URL(), &atStart{strings.NewReader("hello"), &sent})
		req.ContentLength = 5
		req.Header.Set("Expect", "100-continue")
		resp, err := newClient(t, false).Do(req)
		if err != nil || resp.StatusCode != status {
			t.Fatalf("%v, %v", resp, err)
		}
		resp.Body.Close()
		if want := map[int]string{200: "hello"}[status]; sent.Load() != (status == 200) || string(got) != want {
			t.Errorf("%d: the body was sent: %v; %q arrived", status, sent.Load(), got)
		}
	}
}

// What is sent comes through before there is more, in both directions: nothing is gathered.
func TestBodiesStream(t *testing.T) {
	for _, v := range versions {
		there, more := make(chan string), make(chan bool)
		srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			b := make([]byte, 5)
			_, _ = io.ReadFull(r.Body, b)
			there <- string(b)
			_, _ = io.Copy(io.Discard, r.Body)
			for range 2 {
				_, _ = io.WriteString(w, "bytes")
				_ = http.NewResponseController(w).Flush()
				<-more
			}
		}))
		srv.Config.Protocols = spoken()
		srv.Start()
		t.Cleanup(srv.Close)
		p := newProxy(t, srv.URL, Options{Service: v.service})
		body, sender := io.Pipe()
		go func() {
			_, _ = io.WriteString(sender, "first")
			if got := <-there; got != "first" {
				t.Errorf("%q arrived", got)
			}
			_ = sender.Close()
		}()
		resp, err := newClient(t, v.http2).Post(p.URL(), "", body)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			b := make([]byte, 5)
			if _, err := io.ReadFull(resp.Body, b); err != nil || string(b) != "bytes" {
				t.Errorf("%q, %v", b, err)
			}
			more <- true
		}
		resp.Body.Close()
	}
}

// What happens to a request follows from the seed and its number.
func TestTheSameSeedDealsTheSame(t *testing.T) {
	t.Parallel()
	b := newBackend(t)
	run := func(seed uint64, calm int) (got []string) {
		var told record
		odds := map[Kind]float64{Unavailable: 0.2, Reset: 0.2, Lost: 0.2, Lied: 0.1}
		p := newProxy(t, b.URL, Options{Service: "s3", Seed: seed, Odds: odds, Observe: told.add})
		for i := range 60 {
			if i < calm {
				p.Calm()
			} else {
				p.Resume()
			}
			ask(newClient(t, false), "PUT", p.URL(), []byte("hello"))
			what := ""
			for _, e := range told.take() {
				what += string(e.Kind)
			}
			got = append(got, what)
		}
		return got
	}
	one := run(1, 0)
	if d := cmp.Diff(one, run(1, 0)); d != "" {
		t.Errorf("once more (-once +again):\n%s", d)
	}
	calm := run(1, 30)
	if d := cmp.Diff(one[30:], calm[30:]); d != "" || strings.Join(calm[:30], "") != "" {
		t.Errorf("after a calm of 30, %q (-without +with):\n%s", calm[:30], d)
	}
	if slices.Equal(one, run(2, 0)) {
		t.Error("another seed brings the same")
	}
}

func TestOddsAreMet(t *testing.T) {
	o := Options{Odds: map[Kind]float64{Reset: 0.1, Lied: 0.3, Twice: 0.05}}
	found := map[Kind]int{}
	for n := range uint64(100_000) {
		k, _ := o.deal(n)
		found[k]++
	}
	for k, want := range map[Kind]int{Reset: 10_000, Lied: 30_000, Twice: 5_000, "": 55_000, Cut: 0} {
		if d := found[k] - want; d < -1000 || d > 1000 || want == 0 && d != 0 {
			t.Errorf("%s came %d times, want about %d", k, found[k], want)
		}
	}
}

// Close does not wait for what is held, and leaves no file.
func TestCloseDropsWhatIsHeld(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	b := newBackend(t)
	held := make(chan bool, 1)
	p := newProxy(t, b.URL, Options{Service: "s3", Odds: always(Stall), Stall: time.Hour, Observe: func(Event) { held <- true }})
	got := make(chan string)
	go func() { got <- ask(newClient(t, false), "PUT", p.URL(), data(2*inMemory)) }()
	<-held
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := p.Drain(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Drain: %v", err)
	}
	p.Close()
	if got := <-got; got != "nothing" {
		t.Errorf("the client has %s", got)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 || len(b.arrived(t, 0)) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for _, tt := range []struct {
		target string
		opt    Options
		want   string
	}{
		{"https://127.0.0.1:1", Options{Service: "s3"}, "want http://host:port"},
		{"127.0.0.1:1", Options{Service: "s3"}, "proxy for"},
		{"http://127.0.0.1:1/a", Options{Service: "s3"}, "want http://host:port"},
		{"http://127.0.0.1:1", Options{}, "is none of"},
		{"http://127.0.0.1:1", Options{Service: "s3", Odds: always("rest")}, "is none of"},
		{"http://127.0.0.1:1", Options{Service: "s3", Odds: map[Kind]float64{Reset: -1}}, "odds of reset"},
		{"http://127.0.0.1:1", Options{Service: "s3", Odds: map[Kind]float64{Reset: 0.6, Lost: 0.6}}, "add up"},
		{"http://127.0.0.1:1", Options{Service: "s3", Stall: -1}, "stall"},
	} {
		p, err := New(tt.target, tt.opt)
		if err == nil {
			p.Close()
		}
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s, %+v: %v, want %q", tt.target, tt.opt, err, tt.want)
		}
	}
}
