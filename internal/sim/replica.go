package sim

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/fileloft/fileloft/state"
	"github.com/fileloft/fileloft/tus"
)

// A replica is a process: a Handler with a clock of its own. The one that takes the place of a killed one has another life.
type replica struct {
	w      *world
	slot   int
	life   int
	skew   time.Duration
	h      *tus.Handler
	dead   bool
	died   chan struct{}
	frozen time.Time // until when nothing of it moves
}

// start puts a new process into a slot.
func (w *world) start(slot, life int, skew time.Duration) {
	rep := &replica{w: w, slot: slot, life: life, skew: skew, died: make(chan struct{})}
	opt := w.opt
	opt.Now = func() time.Time { return time.Now().Add(skew) }
	opt.Hooks.PreCreate = rep.preCreate
	opt.Hooks.PreFinish = rep.preFinish
	opt.Hooks.Event = rep.event
	h, err := tus.NewHandler(rep.state(opt.Now), storage{rep, w.store.Storage(&Process{rep})}, &opt)
	if err != nil {
		panic(err)
	}
	rep.h = h
	w.slots[slot] = rep
}

// state returns the replica's way to the database.
func (rep *replica) state(now func() time.Time) tus.State {
	w := rep.w
	var tab state.Swapper = w.table
	if w.fine {
		tab = link{rep}
	}
	if !w.plain {
		tab = versioned{tab}
	}
	st := state.NewStore(tab, &state.Options{Now: now, Backoff: func(int) time.Duration { return 0 }})
	if w.fine {
		return stepwise{due{rep}, st}
	}
	return ports{due{rep}, st}
}

// kill ends a process at once and starts the next in its place. It needs the lock.
func (w *world) kill(rep *replica) {
	rep.dead = true
	close(rep.died)
	w.s.parked = slices.DeleteFunc(w.s.parked, func(c *call) bool {
		if c.rep != rep || c.orphan {
			return false
		}
		c.verdict <- died
		return true
	})
	if w.slots[rep.slot] == rep { // not yet replaced by a restart
		w.start(rep.slot, rep.life+1, rep.skew)
	}
}

// preCreate gives the uploads of a file names by which the trace knows them, and the files their uploads.
func (rep *replica) preCreate(ctx context.Context, n *tus.Creation) error {
	w := rep.w
	m, _ := tus.ParseMetadata(n.Metadata)
	i, _ := strconv.Atoi(m["n"])
	f := w.all[i]
	id, err := invoke(ctx, rep, "PreCreate", "", func(context.Context) (tus.ID, error) {
		id := tus.ID(fmt.Sprintf("u%d-%d", f.n, f.made))
		f.made++
		w.files[id] = f
		return id, nil
	})
	n.ID, n.Key = id, "o/"+string(id)
	return err
}

func (rep *replica) preFinish(ctx context.Context, u tus.Upload) error {
	_, err := invoke(ctx, rep, "PreFinish", u.ID, func(context.Context) (struct{}, error) {
		if rep.w.files[u.ID].reject {
			return struct{}{}, &tus.Rejection{Status: http.StatusUnprocessableEntity, Body: "not this one"}
		}
		return struct{}{}, nil
	})
	return err
}

// event notes what is told, and that it is true when it is.
func (rep *replica) event(ctx context.Context, e tus.Event) error {
	_, err := invoke(ctx, rep, "Event", e.Upload.ID, func(context.Context) (struct{}, error) {
		w := rep.w
		what := string(e.Upload.ID) + " " + e.Kind.String()
		if w.events[what] == nil {
			w.events[what] = map[string]struct{}{}
		}
		w.events[what][e.ID] = struct{}{}
		if e.Kind == tus.Finished && !w.mayVanish(w.files[e.Upload.ID]) {
			w.checkObject(&e.Upload)
		}
		return struct{}{}, nil
	})
	return err
}

// A request is what a client sends to a replica, and how.
type request struct {
	method  string
	id      tus.ID // "": the collection
	body    *conn
	size    int64
	header  http.Header
	slot    int
	patient time.Duration // how long the client waits for an answer
	quiet   bool          // the server does not learn that the client has gone
}

type reply struct {
	status int
	header http.Header
	body   string
}

// A writer keeps an answer, and lets the handler set limits to its reading.
type writer struct {
	header http.Header
	status int
	body   bytes.Buffer
	conn   *conn
}

func (w *writer) Header() http.Header         { return w.header }
func (w *writer) WriteHeader(status int)      { w.status = status }
func (w *writer) Write(b []byte) (int, error) { return w.body.Write(b) }
func (w *writer) SetReadDeadline(t time.Time) error {
	w.conn.setDeadline(t)
	return nil
}

// send makes a request. It returns nil where there was no answer.
func (w *world) send(actor int, rq *request) *reply {
	c := &call{who: actor, op: rq.method, id: rq.id}
	if w.s.park(context.Background(), c) != passed {
		return nil
	}
	w.s.mu.Lock()
	rep := w.slots[rq.slot]
	w.s.mu.Unlock()
	ctx, cancel := context.WithCancel(as(context.Background(), actor))
	if w.deadline > 0 {
		ctx, cancel = context.WithTimeout(ctx, w.deadline)
	}
	rq.header.Set("Tus-Resumable", "1.0.0")
	rq.header.Set("X-Request-ID", "r")
	r := (&http.Request{
		Method: rq.method, URL: &url.URL{Path: "/files/" + string(rq.id)}, Host: "h", Header: rq.header, Body: rq.body,
		ContentLength: rq.size, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}).WithContext(ctx)
	var got *reply
	done := make(chan struct{})
	w.requests.Go(func() {
		defer close(done)
		defer cancel()
		out := &writer{header: http.Header{}, conn: rq.body}
		rep.h.ServeHTTP(out, r)
		answer := &call{who: actor, op: "answer " + strconv.Itoa(out.status), id: rq.id, rep: rep}
		if w.s.park(context.Background(), answer) == passed {
			got = &reply{out.status, out.header, out.body.String()}
		}
	})
	patience := time.NewTimer(rq.patient)
	defer patience.Stop()
	select {
	case <-done:
		return got
	case <-rep.died:
		rq.body.cutOff()
		cancel()
	case <-patience.C:
		if !rq.quiet {
			rq.body.cutOff()
			cancel()
		}
	}
	return nil
}

// metadata names the file in a creation.
func (f *file) metadata() string {
	return "n " + base64.StdEncoding.EncodeToString([]byte(strconv.Itoa(f.n)))
}

// A conn is a body on its way: pieces with pauses before them, and an end that may come too early.
type conn struct {
	pieces [][]byte
	pauses []time.Duration
	end    error

	mu       sync.Mutex
	deadline time.Time
	cut      bool
	changed  chan struct{}
}

func newConn() *conn { return &conn{end: io.EOF, changed: make(chan struct{})} }

func (c *conn) Close() error { return nil }

func (c *conn) Read(b []byte) (int, error) {
	if len(c.pieces) == 0 {
		return 0, c.end
	}
	if err := c.await(time.Now().Add(c.pauses[0])); err != nil {
		return 0, err
	}
	n := copy(b, c.pieces[0])
	c.pauses[0] = 0
	if c.pieces[0] = c.pieces[0][n:]; len(c.pieces[0]) == 0 {
		c.pieces, c.pauses = c.pieces[1:], c.pauses[1:]
	}
	return n, nil
}

// await waits until a time, or until the connection has another end before.
func (c *conn) await(ready time.Time) error {
	for {
		c.mu.Lock()
		deadline, changed, cut := c.deadline, c.changed, c.cut
		c.mu.Unlock()
		left := time.Until(ready)
		if !deadline.IsZero() {
			left = min(left, time.Until(deadline))
		}
		switch {
		case cut:
			return io.ErrUnexpectedEOF
		case !deadline.IsZero() && time.Until(deadline) <= 0:
			return os.ErrDeadlineExceeded
		case left <= 0:
			return nil
		}
		t := time.NewTimer(left)
		select {
		case <-t.C:
		case <-changed:
		}
		t.Stop()
	}
}

func (c *conn) setDeadline(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deadline = t
	close(c.changed)
	c.changed = make(chan struct{})
}

// cutOff breaks the connection.
func (c *conn) cutOff() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut = true
	close(c.changed)
	c.changed = make(chan struct{})
}

func idOf(location string) tus.ID {
	return tus.ID(location[strings.LastIndex(location, "/")+1:])
}
