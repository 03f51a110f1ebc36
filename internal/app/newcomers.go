package app

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"
)

// patience is how long a connection that has asked nothing yet is waited for, from when it was accepted. net/http has the same
// patience with such a connection, and closes it without an answer when its request comes after all.
const patience = 5 * time.Second

// newcomers are the connections that were accepted and have asked nothing yet. Their requests may be on the way when the server
// stops, and net/http's Shutdown would drop them unanswered: no client repeats a POST that failed on a fresh connection. So a
// server that stops listens no more, hears its newcomers out, and only then shuts down.
//
// It costs a lock for each request and an entry for each connection until its first request.
type newcomers struct {
	mu    sync.Mutex
	since map[net.Conn]time.Time
	gone  chan struct{} // closed when since becomes empty, nil if nobody waits
}

// admit makes srv tell of its connections, and lets h answer those who come.
func (n *newcomers) admit(srv *http.Server, h http.Handler, stopping func() bool) {
	type key struct{}
	srv.ConnState = func(c net.Conn, s http.ConnState) {
		switch s {
		case http.StateNew: // by the goroutine that accepts: when Serve has returned, all are known
			n.add(c)
		case http.StateClosed, http.StateHijacked:
			n.remove(c)
		}
	}
	srv.ConnContext = func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, key{}, c) }
	srv.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if stopping() {
			w.Header().Set("Connection", "close") // in HTTP/2, net/http sends GOAWAY for it
		}
		// Not by StateActive: after it, net/http may still see that it is shut down and drop the request.
		n.remove(r.Context().Value(key{}).(net.Conn))
		h.ServeHTTP(w, r)
	})
}

func (n *newcomers) add(c net.Conn) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.since == nil {
		n.since = make(map[net.Conn]time.Time)
	}
	n.since[c] = time.Now()
}

func (n *newcomers) remove(c net.Conn) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.since, c)
	if len(n.since) == 0 && n.gone != nil {
		close(n.gone)
		n.gone = nil
	}
}

// wait returns when every newcomer has asked, hung up or used up its time, or when ctx ends. There must be no more of them by then:
// nothing accepts connections. It is called once.
func (n *newcomers) wait(ctx context.Context) {
	n.mu.Lock()
	var last time.Time
	for _, t := range n.since {
		if t.After(last) {
			last = t
		}
	}
	ctx, cancel := context.WithDeadline(ctx, last.Add(patience)) // long ago if there is none
	defer cancel()
	gone := make(chan struct{})
	n.gone = gone
	n.mu.Unlock()
	select {
	case <-gone:
	case <-ctx.Done():
	}
}
