package sim

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fileloft/fileloft/state"
	"github.com/fileloft/fileloft/tus"
)

// meetings are requests to the whole engine that are under way at once, each in a process of its own.
func meetings() (all []race) {
	type act struct {
		name string
		do   func(*order, *file)
	}
	patch, head := act{"PATCH", (*order).patch}, act{"HEAD", (*order).head}
	remove, sweep := act{"DELETE", (*order).terminate}, act{"Sweep", (*order).sweeping}
	for _, pair := range [][]act{
		{patch, patch},
		{patch, head},
		{patch, remove},
		{patch, sweep},
		{head, head},
		{head, remove},
		{head, sweep},
		{remove, remove},
		{remove, sweep},
		{sweep, sweep},
	} {
		for _, state := range []struct {
			name string
			set  func(*order, *file)
		}{
			{"in the middle", func(*order, *file) {}},
			{"at its end", (*order).stopBeforeTheEnd},
			{"that has expired", (*order).expire},
		} {
			all = append(all, race{engine: true, name: fmt.Sprintf("%s beside %s of an upload %s", pair[0].name, pair[1].name, state.name), play: func(o *order) {
				f := o.file(tus.Whole, 130)
				o.bringIn(f, 50)
				state.set(o, f)
				pair[0].do(o, f)
				pair[1].do(o, f)
				o.play()
				o.mustComeToAnEnd()
			}})
		}
	}
	return append(all, finals()...)
}

// finals are of parts that are joined.
func finals() []race {
	parts := func(o *order) (a, f *file) {
		a = o.file(tus.Partial, 70)
		b := o.file(tus.Partial, 40)
		o.bringIn(a, 70)
		o.bringIn(b, 40)
		f = o.file(tus.Final, 0)
		f.parts, f.data = []*file{a, b}, slices.Concat(a.data, b.data)
		f.sum()
		return a, f
	}
	end := func(o *order) {
		o.play()
		o.mustComeToAnEnd()
	}
	return []race{
		{engine: true, name: "a final upload beside DELETE of a part", play: func(o *order) {
			a, f := parts(o)
			o.join(f)
			o.terminate(a)
			end(o)
		}},
		{engine: true, name: "HEAD of a final upload beside DELETE of it", play: func(o *order) {
			_, f := parts(o)
			o.quietly(func() { o.join(f) })
			o.head(f)
			o.terminate(f)
			end(o)
		}},
		{engine: true, name: "a final upload beside a twin", play: func(o *order) {
			_, f := parts(o)
			o.join(f)
			o.join(f)
			end(o)
		}},
		{engine: true, name: "a final upload beside Sweep", play: func(o *order) {
			_, f := parts(o)
			o.join(f)
			o.sweeping(f)
			end(o)
		}},
	}
}

// newEngine makes the world of a meeting, in one of its ways.
func newEngine(c *Config, s *scheduler, way uint64) *world {
	w := &world{
		s: s, rng: rand.New(rand.NewPCG(way, 7)), store: c.New(rand.New(rand.NewPCG(way, 6))), plain: way&1 != 0, fine: way&2 != 0,
		files: map[tus.ID]*file{}, events: map[string]map[string]struct{}{},
	}
	w.table = &table{w: w, records: map[tus.ID]state.Record{}, deleted: map[tus.ID]bool{}}
	w.opt = tus.Options{
		EnableExpiration: true, EnableConcatenation: true, CleanupPartials: way%3 != 0, CheckpointBytes: 8 * PartSize,
		Log: slog.New(slog.NewTextHandler(traced{s}, nil)),
	}
	if way&1 != 0 {
		w.opt.CheckpointBytes = 40 // a body takes several commits
	}
	return w
}

func (o *order) file(role tus.Role, size int) *file {
	f := &file{n: len(o.w.all), role: role, acked: map[tus.ID]int64{}}
	for i := range size {
		f.data = append(f.data, byte(i*7+i/50+len(o.w.all)))
	}
	f.sum()
	o.w.all = append(o.w.all, f)
	return f
}

// process starts a replica for one request.
func (o *order) process() *replica {
	o.w.slots = append(o.w.slots, nil)
	n := len(o.w.slots) - 1
	o.w.start(n, 0, 0)
	return o.w.slots[n]
}

// ask begins a request, and hands its answer over where its process lives to give one. It takes what was acknowledged before.
func (o *order) ask(f *file, method string, id tus.ID, data []byte, header map[string]string, answered func(c *client, id tus.ID, before int64, r *reply)) {
	rep := o.process()
	c := &client{w: o.w, f: f}
	before := c.told(id)
	o.beginIn(rep, func(ctx context.Context) {
		body := newConn()
		if len(data) > 0 {
			body.pieces, body.pauses = [][]byte{data}, []time.Duration{0}
		}
		r := (&http.Request{
			Method: method, URL: &url.URL{Path: "/files/" + string(id)}, Host: "h", Header: http.Header{}, Body: body,
			ContentLength: int64(len(data)), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		}).WithContext(ctx)
		r.Header.Set("Tus-Resumable", "1.0.0")
		for k, v := range header {
			r.Header.Set(k, v)
		}
		out := &writer{header: http.Header{}, conn: body}
		rep.h.ServeHTTP(out, r)
		o.s.mu.Lock()
		dead := rep.dead
		o.s.mu.Unlock()
		if !dead {
			answered(c, id, before, &reply{out.status, out.header, out.body.String()})
		}
	})
}

// bringIn creates an upload and its first n bytes.
func (o *order) bringIn(f *file, n int) {
	header := map[string]string{
		"Upload-Metadata": f.metadata(), "Upload-Length": strconv.Itoa(len(f.data)), "Content-Type": "application/offset+octet-stream",
	}
	if f.role == tus.Partial {
		header["Upload-Concat"] = "partial"
	}
	o.quietly(func() { o.ask(f, http.MethodPost, "", f.data[:n], header, (*client).created) })
}

func (c *client) created(_ tus.ID, _ int64, r *reply) {
	if r.status == http.StatusCreated {
		id := idOf(r.header.Get("Location"))
		c.learn(id, 0, r)
		c.adopt(id)
	}
}

// join begins to create a final upload.
func (o *order) join(f *file) {
	var list []string
	for _, p := range f.parts {
		p.joined = true
		list = append(list, "/files/"+string(p.id))
	}
	header := map[string]string{"Upload-Metadata": f.metadata(), "Upload-Concat": "final;" + strings.Join(list, " ")}
	o.ask(f, http.MethodPost, "", nil, header, (*client).created)
}

// patch begins to send the rest.
func (o *order) patch(f *file) {
	off := f.acked[f.id]
	rq := &request{header: http.Header{}}
	o.ask(f, http.MethodPatch, f.id, f.data[off:], map[string]string{
		"Upload-Offset": strconv.FormatInt(off, 10), "Content-Type": "application/offset+octet-stream",
	}, func(c *client, id tus.ID, before int64, r *reply) { c.patched(id, before, rq, r, false) })
}

func (o *order) head(f *file) {
	o.ask(f, http.MethodHead, f.id, nil, nil, func(c *client, id tus.ID, before int64, r *reply) {
		off := c.learn(id, before, r)
		switch {
		case r.status == http.StatusOK && off >= 0 && r.header.Get("Upload-Length") == strconv.FormatInt(off, 10):
			c.complete(id)
		case isGone(r):
			c.gone(id, r)
		}
	})
}

func (o *order) terminate(f *file) {
	f.deleted = true
	o.ask(f, http.MethodDelete, f.id, nil, nil, func(*client, tus.ID, int64, *reply) {})
}

// sweeping begins a sweep, some time after whoever died has lost its lease.
func (o *order) sweeping(*file) {
	rep := o.process()
	o.beginIn(rep, func(ctx context.Context) {
		_, _ = rep.h.Sweep(ctx) // what it could not do is left to the next
	})
}

// stopBeforeTheEnd sends the rest, by a process that dies before the object is in place, and lets its lease end.
func (o *order) stopBeforeTheEnd(f *file) {
	o.dieAt = o.s.kinds.rare
	o.quietly(func() { o.patch(f) })
	o.dieAt = nil
	time.Sleep(time.Minute)
}

func (o *order) expire(*file) {
	o.w.shortLife = true // nobody is wronged when it goes
	time.Sleep(25 * time.Hour)
}

// mustComeToAnEnd has clients and sweeps end what there is, and wants the objects of all that nobody deleted, and nothing else; and at last
// nothing.
func (o *order) mustComeToAnEnd() {
	o.w.slots = nil
	rep := o.process()
	for _, f := range o.w.all {
		f.ended = false
		if f.id != "" && f.role != tus.Final && !f.deleted {
			o.quietly(func() {
				c := &client{w: o.w, f: f, rng: rand.New(rand.NewPCG(1, 8)), actor: 1000 * (f.n + 1)}
				o.beginIn(rep, func(context.Context) { c.upload() })
			})
		}
	}
	for range 4 {
		time.Sleep(8 * 24 * time.Hour)
		o.quietly(func() { o.beginIn(rep, func(context.Context) { o.w.sweep() }) })
	}
	o.w.checkEnd()
	for _, id := range slices.Sorted(maps.Keys(o.w.table.records)) {
		o.quietly(func() { o.beginIn(rep, func(context.Context) { o.w.remove(id) }) })
	}
	time.Sleep(25 * time.Hour)
	o.quietly(func() { o.beginIn(rep, func(context.Context) { o.w.sweep() }) })
	o.w.checkNothing()
}
