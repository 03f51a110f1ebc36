package storetest

import (
	"fmt"
	"io"
	"time"

	"github.com/fileloft/fileloft/tus"
)

// recorder notes where each Read ended.
type recorder struct {
	r    io.Reader
	n    int64
	ends []int64
}

func (r *recorder) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	if n > 0 {
		r.n += int64(n)
		r.ends = append(r.ends, r.n)
	}
	return n, err
}

// An actor is a process in an Append. It moves only when the schedule lets it: each Read waits to be told how
// many bytes come, and until then the process may be as slow, frozen or cut off as one likes.
type actor struct {
	life   *life
	lease  tus.Lease
	body   []byte
	broken error // how the reader ends, if not with EOF

	asks   chan struct{} // the driver is in Read
	gives  chan int
	result chan result
	sent   int
	ends   []int64
	ended  bool // the reader said so
	res    *result
}

type result struct {
	rec tus.Receipt
	err error
}

// start begins an Append and lets it run up to its first Read.
func (w *world) start(l *life, lease tus.Lease, body []byte, broken error) *actor {
	a := &actor{
		life: l, lease: lease, body: body, broken: broken,
		asks: make(chan struct{}), gives: make(chan int), result: make(chan result, 1),
	}
	w.actors = append(w.actors, a)
	go func() {
		rec, err := w.s.Append(w.ctx, lease, a)
		a.result <- result{rec, err}
	}()
	a.wait(w)
	return a
}

func (a *actor) Read(p []byte) (int, error) {
	a.asks <- struct{}{}
	n := <-a.gives
	n = copy(p, a.body[a.sent:min(a.sent+n, len(a.body))])
	if n > 0 {
		a.sent += n
		a.ends = append(a.ends, int64(a.sent))
		// Some readers say in the same breath that this was the last.
		if a.sent < len(a.body) || a.sent%2 == 0 {
			return n, nil
		}
	}
	a.ended = true
	if a.broken != nil {
		return n, a.broken
	}
	return n, io.EOF
}

// wait waits until the driver is in Read, or has returned.
func (a *actor) wait(w *world) {
	t := time.NewTimer(w.cfg.Patience)
	defer t.Stop()
	select {
	case <-a.asks:
	case res := <-a.result:
		a.res = &res
	case <-t.C:
		a.res = &result{err: fmt.Errorf("blocked")}
		if w.ending {
			return // it has failed already; the goroutine is lost
		}
		w.fail("append under epoch %d did nothing for %v: blocked by another?", a.lease.Epoch, w.cfg.Patience)
	}
}

func (a *actor) over() bool { return a.res != nil }

// advance gives n bytes to the Read under way, or the end if n is zero, and waits for the next.
func (a *actor) advance(w *world, n int) {
	if a.over() {
		return
	}
	if n == 0 {
		a.body = a.body[:a.sent]
	}
	a.gives <- n
	a.wait(w)
	if !a.over() && a.ended {
		// Read was called after the end: bear with it, as readers do.
		for !a.over() {
			a.gives <- 0
			a.wait(w)
		}
	}
}
