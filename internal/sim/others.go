package sim

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/fileloft/fileloft/tus"
)

// sweep is not a client but a schedule.
func (c *client) sweep() {
	for {
		time.Sleep(time.Duration(c.rng.IntN(int(4 * time.Minute))))
		if _, calm := c.w.s.isCalm(); calm || c.w.s.hasFailed() || c.w.quiet() {
			return
		}
		c.w.s.mu.Lock()
		rep := c.w.slots[c.f.n]
		c.w.s.mu.Unlock()
		c.actor++
		ctx := as(context.Background(), c.actor)
		done := make(chan struct{})
		c.w.requests.Go(func() {
			defer close(done)
			_, _ = rep.h.Sweep(ctx) // what it could not do is left to the next
		})
		select {
		case <-done:
		case <-time.After(time.Minute): // the next comes whether or not this one is over
		}
	}
}

// restart is a deployment: it puts a new process into a slot and drains the one before.
func (c *client) restart() {
	time.Sleep(time.Duration(c.rng.IntN(int(time.Minute))))
	w := c.w
	w.s.mu.Lock()
	rep := w.slots[c.f.n]
	if !rep.dead {
		w.start(rep.slot, rep.life+1, rep.skew)
	}
	w.s.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	_ = rep.h.Drain(ctx) // what is not over by then is cut off
}

// terminate wants the upload deleted, at some time, or just when its object is being put in place.
func (c *client) terminate() {
	if c.rng.IntN(2) == 0 {
		time.Sleep(time.Duration(c.rng.IntN(int(40 * time.Second))))
	} else {
		c.await(tus.Sealed)
	}
	for !c.w.s.hasFailed() {
		id := c.known()
		if id == "" {
			if !c.goesOn() {
				return
			}
			c.rest()
			continue
		}
		c.w.s.mu.Lock()
		c.f.deleted = true
		c.w.s.mu.Unlock()
		r := c.w.send(c.actor, c.request(http.MethodDelete, id, nil))
		if r != nil && (r.status == http.StatusNoContent || isGone(r)) {
			c.end()
			return
		}
		if since, calm := c.w.s.isCalm(); calm && time.Since(since) > patience {
			c.w.s.fail("upload %s cannot be deleted", id)
		}
		c.rest()
	}
}

// await waits until the upload has come to a phase, or is at its end.
func (c *client) await(p tus.Phase) {
	for c.goesOn() {
		c.w.s.mu.Lock()
		r := c.w.table.records[c.f.id]
		c.w.s.mu.Unlock()
		if r.Upload.Phase >= p {
			return
		}
		time.Sleep(time.Duration(1 + c.rng.IntN(int(20*time.Millisecond))))
	}
}

// join makes the final upload of the file's parts and waits for it.
func (c *client) join() {
	f := c.f
	time.Sleep(time.Duration(c.rng.IntN(int(30 * time.Second))))
	var list []string
	for _, p := range f.parts {
		for c.goesOn() && (&client{w: c.w, f: p}).known() == "" {
			if p.ended {
				c.end() // there will be no such part
				return
			}
			c.rest()
		}
		list = append(list, "/files/"+string((&client{w: c.w, f: p}).known()))
	}
	for c.goesOn() && f.id == "" {
		c.w.s.mu.Lock()
		for _, p := range f.parts {
			p.joined = true
		}
		c.w.s.mu.Unlock()
		rq := c.request(http.MethodPost, "", nil)
		rq.header.Set("Upload-Metadata", f.metadata())
		rq.header.Set("Upload-Concat", "final;"+strings.Join(list, " "))
		r := c.w.send(c.actor, rq)
		switch {
		case r == nil:
		case r.status == http.StatusCreated:
			c.adopt(idOf(r.header.Get("Location")))
		case isGone(r) && f.made > 0 && c.w.opt.CleanupPartials: // an earlier try has used up the parts; nobody was told of it
			c.end()
		case isGone(r):
			c.gone("", r)
		}
		c.rest()
	}
	for c.goesOn() {
		c.head(f.id)
		c.rest()
	}
}
