package faults

import (
	"context"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"time"
)

// An exchange is a request on its way through the proxy.
type exchange struct {
	p      *Proxy
	w      http.ResponseWriter
	r      *http.Request
	n      uint64
	rng    *rand.Rand
	status int // what the server answered
}

// clientConn is the key of a request's connection in its context.
type clientConn struct{}

func (p *Proxy) serve(w http.ResponseWriter, r *http.Request) {
	x := &exchange{p: p, w: w, r: r}
	kind, ok := x.begin()
	if !ok {
		panic(http.ErrAbortHandler)
	}
	defer x.end(kind)
	switch kind {
	case Unavailable:
		if r.ProtoMajor < 2 && r.Header.Get("Expect") == "" { // a client that still sends may not look for an answer
			_, _ = io.Copy(io.Discard, r.Body)
		}
		x.did(kind)
		busy[p.opt.Service](x, false)
	case Reset:
		x.did(kind)
		x.reset()
	case Cut:
		x.cut()
	case Stall:
		x.stall()
	case Lost, Lied:
		x.swallow(kind)
	case Truncated:
		x.truncate()
	case Twice:
		x.twice()
	default:
		ctx, cancel := x.context(r.Context())
		defer cancel()
		x.relay(x.send(ctx, p.plain, x.body()))
	}
}

// begin takes the request's number, and what is dealt to it. After Close it is not ok.
func (x *exchange) begin() (kind Kind, ok bool) {
	x.p.mu.Lock()
	defer x.p.mu.Unlock()
	if x.p.closed {
		return "", false
	}
	x.p.under.Add(1)
	x.p.requests++
	x.n = x.p.requests
	kind, x.rng = x.p.opt.deal(x.n)
	switch {
	case x.p.calm:
		kind = ""
	case kind == Cut && x.r.ContentLength == 0:
		kind = Reset
	case kind == Twice && !slices.Contains([]string{http.MethodGet, http.MethodHead, http.MethodPut, http.MethodDelete}, x.r.Method):
		kind = ""
	}
	if kind != "" {
		x.p.faulty++
	}
	return kind, true
}

func (x *exchange) end(kind Kind) {
	x.p.mu.Lock()
	if kind != "" {
		x.p.faulty--
	}
	x.p.mu.Unlock()
	x.p.under.Done()
}

// did counts a fault, before the client sees it.
func (x *exchange) did(k Kind) {
	x.p.mu.Lock()
	x.p.done[k]++
	x.p.mu.Unlock()
	if tell := x.p.opt.Observe; tell != nil {
		tell(Event{Request: x.n, Kind: k, Method: x.r.Method, Target: x.r.URL.RequestURI(), Status: x.status})
	}
}

// context returns one that ends with Close as well.
func (x *exchange) context(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(x.p.ctx, cancel)
	return ctx, func() { stop(); cancel() }
}

// alone returns a context for what goes on where the client has left.
func (x *exchange) alone() (context.Context, context.CancelFunc) {
	return x.context(context.WithoutCancel(x.r.Context()))
}

// body is the request's. Closing it does nothing: that would read on, where the client waits for an answer before it sends more. The
// server closes it after the answer.
func (x *exchange) body() io.ReadCloser { return io.NopCloser(x.r.Body) }

// reset ends the request without an answer, or amid one. It does not return.
func (x *exchange) reset() {
	if x.r.ProtoMajor < 2 || x.rng.IntN(2) == 0 {
		resetConn(x.r.Context().Value(clientConn{}).(net.Conn))
	}
	panic(http.ErrAbortHandler) // of HTTP/2 it is RST_STREAM
}

// resetConn closes a connection such that its other side is told of an error.
func resetConn(c net.Conn) {
	if t, ok := c.(*net.TCPConn); ok {
		_ = t.SetLinger(0) // closed already, maybe
	}
	_ = c.Close()
}

// cut passes a part of the body on.
func (x *exchange) cut() {
	ctx, cancel := x.context(x.r.Context())
	defer cancel()
	body := &cutBody{rng: x.rng, size: x.r.ContentLength}
	body.from(x.body())
	if resp, err := x.sendCut(ctx, body); err == nil {
		_ = resp.Body.Close() // it answered before it had the whole
		x.status = resp.StatusCode
	}
	cancel()
	x.did(Cut)
	x.reset()
}

// stall holds the request.
func (x *exchange) stall() {
	held, err := hold(x.r.Body)
	if err != nil {
		x.reset() // the client left amid its body
	}
	defer held.Close()
	x.did(Stall)
	late := time.NewTimer(x.p.opt.Stall)
	defer late.Stop()
	select {
	case <-late.C:
	case <-x.p.ctx.Done():
		x.reset()
	}
	if x.rng.IntN(2) == 0 {
		x.reset()
	}
	ctx, cancel := x.alone()
	defer cancel()
	x.relay(x.send(ctx, x.p.plain, held.open()))
}

// swallow keeps the answer from the client.
func (x *exchange) swallow(kind Kind) {
	ctx, cancel := x.alone()
	defer cancel()
	if err := x.discard(x.send(ctx, x.p.plain, x.body())); err != nil {
		x.reset() // the client left amid its body, or the server broke off
	}
	x.did(kind)
	if kind == Lost {
		x.reset()
	}
	busy[x.p.opt.Service](x, true)
}

// truncate gives the client a part of the answer.
func (x *exchange) truncate() {
	ctx, cancel := x.alone()
	defer cancel()
	resp, err := x.send(ctx, x.p.plain, x.body())
	if err != nil {
		x.reset()
	}
	defer resp.Body.Close()
	body := &cutBody{rng: x.rng, size: resp.ContentLength}
	body.from(resp.Body)
	if x.r.Method == http.MethodHead || body.empty() {
		x.did(Lost)
		x.reset()
	}
	x.did(Truncated)
	x.head(resp)
	_ = x.copy(body) // it ends with an error, by its nature
	x.reset()
}

// twice passes the request on twice.
func (x *exchange) twice() {
	held, err := hold(x.r.Body)
	if err != nil {
		x.reset()
	}
	defer held.Close()
	ctx, cancel := x.alone()
	defer cancel()
	if err := x.discard(x.send(ctx, x.p.plain, held.open())); err != nil {
		x.reset()
	}
	x.did(Twice)
	x.relay(x.send(ctx, x.p.plain, held.open()))
}
