package sim

import (
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fileloft/fileloft/tus"
)

// patience is how long after the last fault an upload that a client keeps retrying may take to end.
const patience = 30 * time.Minute

// A client works on one file until it is in place, or for as long as it cares.
type client struct {
	w     *world
	f     *file
	rng   *rand.Rand
	actor int
}

// startClients lets everybody begin.
func (w *world) startClients() {
	for _, f := range w.all {
		if f.role == tus.Final {
			w.client(f, (*client).join)
		} else {
			for range 1 + w.rng.IntN(2) {
				w.client(f, (*client).upload)
			}
		}
		if w.rng.IntN(7) == 0 {
			w.client(f, (*client).terminate)
		}
	}
	for i := range w.slots {
		if w.rng.IntN(4) == 0 {
			w.client(&file{n: i}, (*client).restart)
		}
		if w.rng.IntN(2) == 0 {
			w.client(&file{n: i}, (*client).sweep)
		}
	}
}

func (w *world) client(f *file, do func(*client)) {
	w.actors += 1000
	c := &client{w: w, f: f, actor: w.actors, rng: rand.New(rand.NewPCG(w.rng.Uint64(), 3))}
	w.clients.Go(func() { do(c) })
}

// quiet reports whether nobody works on a file any more.
func (w *world) quiet() bool {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	return !slices.ContainsFunc(w.all, func(f *file) bool { return !f.ended })
}

// goesOn reports whether there is still something to do, and fails where it lasts too long.
func (c *client) goesOn() bool {
	since, calm := c.w.s.isCalm()
	if calm && time.Since(since) > patience {
		c.w.s.fail("file %d, upload %s: a client has tried for %v since nothing goes wrong any more", c.f.n, c.f.id, time.Since(since))
	}
	c.w.s.mu.Lock()
	defer c.w.s.mu.Unlock()
	return !c.f.ended && c.w.s.failed == ""
}

func (c *client) end() {
	c.w.s.mu.Lock()
	defer c.w.s.mu.Unlock()
	c.f.ended = true
}

// rest is a client's pause before it tries again.
func (c *client) rest() {
	time.Sleep(time.Duration(c.rng.IntN(int(3 * time.Second))))
}

// request prepares a request with some bytes of the file as its body.
func (c *client) request(method string, id tus.ID, data []byte) *request {
	rng := c.rng
	c.actor++
	rq := &request{
		method: method, id: id, body: newConn(), size: int64(len(data)), header: http.Header{}, slot: rng.IntN(len(c.w.slots)),
		patient: pick(rng, 3100*time.Millisecond, 20100*time.Millisecond, time.Minute), quiet: rng.IntN(3) == 0,
	}
	for len(data) > 0 {
		n := 1 + rng.IntN(len(data))
		var pause time.Duration
		if rng.IntN(4) == 0 {
			pause = pick(rng, 10*time.Millisecond, 400*time.Millisecond, 1500*time.Millisecond, 7*time.Second)
		}
		if _, calm := c.w.s.isCalm(); !calm && rng.IntN(30) == 0 {
			pause = 2 * time.Minute // the connection is half-open
		}
		rq.body.pieces = append(rq.body.pieces, data[:n])
		rq.body.pauses = append(rq.body.pauses, pause)
		data = data[n:]
	}
	return rq
}

// learn holds an answer against what clients were told before the request was sent, and returns the offset in it, or -1.
func (c *client) learn(id tus.ID, before int64, r *reply) int64 {
	off, err := strconv.ParseInt(r.header.Get("Upload-Offset"), 10, 64)
	s := c.w.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if strings.HasPrefix(r.body, "corrupt") && !c.f.corrupt {
		s.failLocked("upload %s: %d %s", id, r.status, r.body)
	}
	if err != nil {
		return -1
	}
	f := c.f
	if off < before && !f.deleted {
		s.failLocked("upload %s: %d says offset %d, and %d was acknowledged before the request", id, r.status, off, before)
	}
	f.acked[id] = max(f.acked[id], off)
	if off == int64(len(f.data)) && !f.deferred { // a client whose length was not declared yet has no reason to take that for the end
		c.checkComplete(id)
	}
	return off
}

// told returns the highest offset that an answer has told of an upload.
func (c *client) told(id tus.ID) int64 {
	c.w.s.mu.Lock()
	defer c.w.s.mu.Unlock()
	return c.f.acked[id]
}

// complete checks an upload that an answer calls complete, and ends the client.
func (c *client) complete(id tus.ID) {
	c.w.s.mu.Lock()
	c.checkComplete(id)
	c.w.s.mu.Unlock()
	c.end()
}

func (c *client) checkComplete(id tus.ID) {
	r, ok := c.w.table.records[id]
	switch {
	case c.w.mayVanish(c.f):
	case !ok || r.Upload.Phase != tus.Done:
		c.w.s.failLocked("upload %s was called complete; it is %s", id, r.Upload.Phase)
	default:
		c.w.checkObject(&r.Upload)
	}
}

// gone checks an upload that an answer calls gone.
func (c *client) gone(id tus.ID, r *reply) {
	c.w.s.mu.Lock()
	if !c.w.mayVanish(c.f) {
		c.w.s.failLocked("upload %s: %d %s, and nobody wanted that", id, r.status, r.body)
	}
	c.w.s.mu.Unlock()
	c.end()
}

func isGone(r *reply) bool {
	return r.status == http.StatusNotFound || r.status == http.StatusGone || r.status == http.StatusUnprocessableEntity
}

// create makes the upload, unless another client has: they share the first that is answered.
func (c *client) create() bool {
	w, f := c.w, c.f
	for c.goesOn() {
		if f.made > 0 && c.rng.IntN(2) == 0 {
			c.rest()
		}
		if c.known() != "" {
			return true
		}
		var data []byte
		if f.withBody {
			data = f.data[:c.rng.IntN(len(f.data)+1)]
		}
		rq := c.request(http.MethodPost, "", data)
		rq.header.Set("Upload-Metadata", f.metadata())
		if f.role == tus.Partial {
			rq.header.Set("Upload-Concat", "partial")
		}
		if len(data) > 0 {
			rq.header.Set("Content-Type", "application/offset+octet-stream")
		}
		if f.deferred {
			rq.header.Set("Upload-Defer-Length", "1")
		} else {
			rq.header.Set("Upload-Length", strconv.Itoa(len(f.data)))
		}
		r := w.send(c.actor, rq)
		if r != nil && r.status == http.StatusCreated {
			id := idOf(r.header.Get("Location"))
			c.learn(id, 0, r)
			c.adopt(id)
			return true
		}
		if r != nil && (r.status == http.StatusUnprocessableEntity || strings.HasPrefix(r.body, "corrupt")) {
			c.gone("", r)
			return false
		}
		c.rest()
	}
	return false
}

func (c *client) known() tus.ID {
	c.w.s.mu.Lock()
	defer c.w.s.mu.Unlock()
	return c.f.id
}

// adopt makes id the upload that all clients of the file go on with, if there is none yet.
func (c *client) adopt(id tus.ID) {
	c.w.s.mu.Lock()
	defer c.w.s.mu.Unlock()
	if c.f.id == "" {
		c.f.id = id
	}
}

// upload brings the file in, resuming as often as needed.
func (c *client) upload() {
	if !c.create() {
		return
	}
	id := c.known()
	for c.goesOn() {
		off := c.head(id)
		for off >= 0 && c.goesOn() {
			if c.f.abandon && c.rng.IntN(3) == 0 {
				c.end()
				return
			}
			off = c.patch(id, off)
		}
		c.rest()
	}
}

// head asks for the offset; -1 where there is nothing to go on from.
func (c *client) head(id tus.ID) int64 {
	before := c.told(id)
	r := c.w.send(c.actor, c.request(http.MethodHead, id, nil))
	c.actor++
	if r == nil {
		return -1
	}
	off := c.learn(id, before, r)
	switch {
	case r.status == http.StatusOK && off >= 0 && r.header.Get("Upload-Length") == strconv.FormatInt(off, 10):
		c.complete(id)
		return -1
	case isGone(r):
		c.gone(id, r)
		return -1
	case r.status != http.StatusOK:
		return -1
	}
	return off
}
