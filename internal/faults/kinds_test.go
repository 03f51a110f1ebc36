package faults

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Each kind is at a plain client and at a plain server what its comment says.
func TestKinds(t *testing.T) {
	t.Parallel()
	const size = 100_000
	for _, tt := range []struct {
		kind     Kind
		method   string
		arrivals int
		whole    bool   // the body arrives so
		client   string // what it has: answer, busy, nothing (an error before a status) or part (an error after it)
		counts   Kind   // if another
	}{
		{Unavailable, "PUT", 0, false, "busy", ""},
		{Reset, "PUT", 0, false, "nothing", ""},
		{Cut, "PUT", 1, false, "nothing", ""},
		{Cut, "GET", 0, false, "nothing", Reset},
		{Lost, "PUT", 1, true, "nothing", ""},
		{Lied, "PUT", 1, true, "busy", ""},
		{Truncated, "PUT", 1, true, "part", ""},
		{Truncated, "POST", 1, true, "part", ""},
		{Truncated, "HEAD", 1, true, "nothing", Lost},
		{Twice, "PUT", 2, true, "answer", ""},
		{Twice, "GET", 2, true, "answer", ""},
		{Twice, "POST", 1, true, "answer", "none"},
		{"", "PUT", 1, true, "answer", "none"},
	} {
		for _, v := range versions {
			t.Run(fmt.Sprintf("%s/%s/%s", v.name, tt.kind, tt.method), func(t *testing.T) {
				t.Parallel()
				b := newBackend(t)
				for seed := range uint64(4) {
					var told record
					p := newProxy(t, b.URL, Options{
						Service: v.service, Seed: seed, Odds: map[Kind]float64{tt.kind: 1}, Observe: told.add,
					}.orNone())
					body := data(size)
					if tt.method == "GET" || tt.method == "HEAD" {
						body = nil
					}
					if got := ask(newClient(t, v.http2), tt.method, p.URL()+"/x", body); got != tt.client {
						t.Errorf("the client has %s, want %s", got, tt.client)
					}
					seen := b.arrived(t, tt.arrivals)
					for _, a := range seen {
						whole := a.err == nil && bytes.Equal(a.body, body)
						if whole != tt.whole || !bytes.HasPrefix(body, a.body) {
							t.Errorf("%d bytes arrived of %d, %v", len(a.body), len(body), a.err)
						}
					}
					kind := tt.kind
					if tt.counts != "" {
						kind = tt.counts
					}
					n, done := p.Counts()
					events := told.take()
					want := map[Kind]int{kind: 1}
					delete(want, "none")
					if n != 1 || !maps.Equal(done, want) || len(events) != len(want) {
						t.Errorf("%d requests, %v and %v, want %v", n, done, events, want)
					}
					status := map[bool]int{true: 200}[tt.whole] // nothing else is waited for
					if len(events) == 1 && events[0] != (Event{Request: 1, Kind: kind, Method: tt.method, Target: "/x", Status: status}) {
						t.Errorf("told of %+v", events[0])
					}
					if len(seen) != tt.arrivals {
						t.Errorf("%d arrived, want %d", len(seen), tt.arrivals)
					}
				}
			})
		}
	}
}

// orNone takes out the odds of no kind.
func (o Options) orNone() Options {
	delete(o.Odds, "")
	return o
}

// ask says what a client has of a request.
func ask(c *http.Client, method, url string, body []byte) string {
	return askUntil(context.Background(), c, method, url, body)
}

func askUntil(ctx context.Context, c *http.Client, method, url string, body []byte) string {
	req, _ := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	req.GetBody = nil // it sends it once
	resp, err := c.Do(req)
	if err != nil {
		return "nothing"
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	switch {
	case err != nil && len(got) < len(answer) && strings.HasPrefix(answer, string(got)):
		return "part"
	case err == nil && (resp.StatusCode >= 500 || resp.Header.Get("Grpc-Status") == "14"):
		return "busy"
	case err == nil && string(got) == answer:
		return "answer"
	}
	return fmt.Sprintf("%s, %d bytes, %v", resp.Status, len(got), err)
}

// A reset is one of TCP at both ends. Of HTTP/2 it is that, or the stream's alone.
func TestAResetIsOne(t *testing.T) {
	b := newBackend(t)
	for _, v := range versions {
		found := map[string]int{}
		for seed := range uint64(20) {
			p := newProxy(t, b.URL, Options{Service: v.service, Seed: seed, Odds: always(Reset)})
			_, err := newClient(t, v.http2).Get(p.URL())
			switch {
			case errors.Is(err, syscall.ECONNRESET):
				found["TCP"]++
			case err != nil && strings.Contains(err.Error(), "stream error"):
				found["stream"]++
			case v.http2 && errors.Is(err, io.ErrUnexpectedEOF): // the library's word for the same
				found["TCP"]++
			default:
				found[fmt.Sprint(err)]++
			}
			p.Close()
		}
		if len(found) != map[bool]int{false: 1, true: 2}[v.http2] || found["TCP"] == 0 {
			t.Errorf("%s: %v", v.name, found)
		}
	}
	p := newProxy(t, b.URL, Options{Service: "s3", Odds: always(Cut)})
	_, _ = newClient(t, false).Post(p.URL(), "", bytes.NewReader(data(100_000)))
	if a := b.arrived(t, 1)[0]; !errors.Is(a.err, syscall.ECONNRESET) {
		t.Errorf("the server has %v", a.err)
	}
}

// What is held arrives late, or never, also where the client left meanwhile.
func TestAHeldRequestArrivesLateOrNever(t *testing.T) {
	t.Parallel()
	const n = 16
	for _, v := range versions {
		for _, leaves := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/leaves=%v", v.name, leaves), func(t *testing.T) {
				t.Parallel()
				b := newBackend(t)
				const stall = 3 * time.Second
				var held, leave sync.Map // by target: since when, and what ends the client's wait
				p := newProxy(t, b.URL, Options{
					Service: v.service, Odds: always(Stall), Stall: stall,
					Observe: func(e Event) {
						held.Store(e.Target, time.Now())
						if end, ok := leave.Load(e.Target); ok && leaves {
							end.(context.CancelFunc)()
						}
					},
				})
				body := data(inMemory + 100_000)
				var answers sync.Map
				var all sync.WaitGroup
				for i := range n {
					all.Go(func() {
						ctx, cancel := context.WithCancel(t.Context())
						defer cancel()
						leave.Store(fmt.Sprint("/", i), cancel)
						answers.Store(i, askUntil(ctx, newClient(t, v.http2), "PUT", fmt.Sprint(p.URL(), "/", i), body))
					})
				}
				all.Wait()
				if err := p.Drain(t.Context()); err != nil {
					t.Fatal(err)
				}
				seen := b.arrived(t, 0)
				answered := 0
				answers.Range(func(_, got any) bool {
					if got == "answer" {
						answered++
					}
					return true
				})
				if want := map[bool]int{false: len(seen)}[leaves]; answered != want {
					t.Errorf("%d were answered, want %d", answered, want)
				}
				if len(seen) == 0 || len(seen) == n {
					t.Errorf("%d of %d arrived", len(seen), n)
				}
				for _, a := range seen {
					if a.err != nil || !bytes.Equal(a.body, body) {
						t.Errorf("%d bytes arrived of %d, %v", len(a.body), len(body), a.err)
					}
					if since, ok := held.Load(a.URL.Path); !ok || a.at.Sub(since.(time.Time)) < stall {
						t.Errorf("%s arrived before its time", a.URL.Path)
					}
				}
				if _, done := p.Counts(); done[Stall] != n {
					t.Errorf("%v", done)
				}
			})
		}
	}
}
