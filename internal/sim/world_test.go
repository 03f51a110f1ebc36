package sim

import (
	"bytes"
	"context"
	"fmt"
	"hash/crc32"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fileloft/fileloft/state"
	"github.com/fileloft/fileloft/storage/memstore"
	"github.com/fileloft/fileloft/tus"
)

// partSize is small, so that bodies of a few hundred bytes are parts and tails.
const partSize = 64

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// A world is one database and one store, some replicas over them, and clients. The scheduler's lock guards what changes in it.
type world struct {
	s     *scheduler
	rng   *rand.Rand // for the plan; not used once clients run
	table *table
	store *memstore.Store
	slots []*replica
	opt   tus.Options
	plain bool // Commit reads the record first
	fine  bool // each access to the table is a step, not each call to the State

	deadline time.Duration // after which a platform ends every request; 0: none

	all    []*file
	files  map[tus.ID]*file               // by the upload that is, or was, to become one
	events map[string]map[string]struct{} // ids of delivered events, by upload and kind

	shortLife bool // uploads may expire while clients are at work
	clients   sync.WaitGroup
	requests  sync.WaitGroup // what may outlive its client
	actors    int
}

// A file is what clients want to bring into the store.
type file struct {
	n        int
	data     []byte
	sums     []uint32 // crc32c of each prefix
	role     tus.Role
	parts    []*file
	deferred bool // its length is told late
	withBody bool // its creation brings bytes
	reject   bool // the PreFinish hook does not want it
	corrupt  bool // the store says that it holds something else
	abandon  bool // its client goes away in the middle

	id      tus.ID // as the client knows it; "": not created yet
	made    int    // creations that reached the hook
	acked   map[tus.ID]int64
	deleted bool // a client has asked to delete it
	joined  bool // a client has asked for a final upload of it
	ended   bool // nobody works on it any more
}

func newWorld(seed uint64, verbose bool) *world {
	rng := rand.New(rand.NewPCG(seed, 1))
	w := &world{
		s: newScheduler(rand.New(rand.NewPCG(seed, 2)), verbose), rng: rng,
		store: memstore.New(&memstore.Options{PartSize: partSize}),
		files: map[tus.ID]*file{}, events: map[string]map[string]struct{}{},
		plain: rng.IntN(2) == 0, fine: rng.IntN(4) == 0,
	}
	w.table = &table{w: w, records: map[tus.ID]state.Record{}, deleted: map[tus.ID]bool{}}
	w.s.kill = w.kill
	w.opt = tus.Options{
		EnableExpiration: true, EnableConcatenation: true, CleanupPartials: rng.IntN(2) == 0, SHA256: rng.IntN(4) == 0,
		Log: slog.New(slog.DiscardHandler),
	}
	if rng.IntN(3) == 0 {
		w.opt.CheckpointBytes = int64(20 + rng.IntN(100))
	}
	if rng.IntN(3) == 0 {
		w.opt.Hooks.Events = tus.Created | tus.Progress | tus.Finished | tus.Terminated
	}
	if rng.IntN(5) == 0 {
		w.deadline = pick(rng, 4*time.Second, 15*time.Second, 29*time.Second) // with a reserve of 1 s and 3 s
	}
	if w.shortLife = rng.IntN(10) == 0; w.shortLife {
		w.opt.ExpireAfter = time.Duration(5+rng.IntN(60)) * time.Second
	}
	for i := range 2 + rng.IntN(2) {
		w.slots = append(w.slots, nil)
		w.start(i, 0, w.skew())
	}
	w.plan()
	return w
}

// skew is how far a replica's clock is off.
func (w *world) skew() time.Duration {
	most := pick(w.rng, 0, 0, 2*time.Second, 10*time.Second, 2*time.Minute)
	return time.Duration((2*w.rng.Float64() - 1) * float64(most))
}

// plan decides what the clients want.
func (w *world) plan() {
	for range 1 + w.rng.IntN(2) {
		if w.rng.IntN(3) != 0 {
			f := w.newFile(tus.Whole)
			f.reject = w.rng.IntN(15) == 0
			f.corrupt = w.rng.IntN(25) == 0
			f.abandon = w.rng.IntN(8) == 0
			continue
		}
		a, b := w.newFile(tus.Partial), w.newFile(tus.Partial)
		f := w.newFile(tus.Final)
		f.parts = []*file{a, b}
		if w.rng.IntN(4) == 0 {
			f.parts = append(f.parts, a)
		}
		f.data = nil
		for _, p := range f.parts {
			f.data = append(f.data, p.data...)
		}
		f.sum()
		f.reject = w.rng.IntN(15) == 0
	}
}

func (w *world) newFile(r tus.Role) *file {
	n := w.rng.IntN(5) * partSize
	switch w.rng.IntN(4) {
	case 0:
		n += w.rng.IntN(3) - 1
	case 1:
		n += w.rng.IntN(partSize)
	}
	f := &file{n: len(w.all), role: r, data: make([]byte, max(n, 0)), acked: map[tus.ID]int64{}}
	for i := range f.data {
		f.data[i] = byte(w.rng.Uint32())
	}
	f.sum()
	f.deferred = w.rng.IntN(5) == 0
	f.withBody = w.rng.IntN(3) == 0
	w.all = append(w.all, f)
	return f
}

func (f *file) sum() {
	f.sums = make([]uint32, 1, len(f.data)+1)
	for i := range f.data {
		f.sums = append(f.sums, crc32.Update(f.sums[i], castagnoli, f.data[i:i+1]))
	}
}

// mayVanish reports whether somebody has a right to the removal of the upload. A final upload may when a part of it was deleted, or
// cleaned up for a twin of it, whose creation was not answered.
func (w *world) mayVanish(f *file) bool {
	switch {
	case f.deleted || f.reject || f.corrupt || w.shortLife:
		return true
	case f.role == tus.Partial:
		return f.joined && w.opt.CleanupPartials
	case f.role == tus.Final && w.opt.CleanupPartials && f.made > 1:
		return true
	}
	return slices.ContainsFunc(f.parts, func(p *file) bool { return p.deleted })
}

// checkRecord holds a record that was just written against what the clients sent.
func (w *world) checkRecord(r *state.Record) {
	u := &r.Upload
	f := w.files[u.ID]
	if f == nil || f.role == tus.Final && u.Phase == tus.Open {
		return
	}
	sums, err := u.Sums()
	switch {
	case err != nil:
		w.s.failLocked("record %s: %v", u.ID, err)
	case u.Offset > int64(len(f.data)), u.Length != tus.Unknown && u.Length != int64(len(f.data)) && u.Phase != tus.Doomed:
		w.s.failLocked("record %s: offset %d, length %d of a file of %d bytes", u.ID, u.Offset, u.Length, len(f.data))
	case sums.CRC32C != f.sums[u.Offset]:
		w.s.failLocked("record %s: the first %d bytes are not what was sent", u.ID, u.Offset)
	case u.Phase == tus.Done && (f.reject || f.corrupt):
		w.s.failLocked("upload %s is done, and was rejected (%v) or is corrupt (%v)", u.ID, f.reject, f.corrupt)
	}
}

// checkObject wants an upload's object in place.
func (w *world) checkObject(u *tus.Upload) {
	f := w.files[u.ID]
	var got []byte
	var err error
	if f.role == tus.Partial {
		var r io.ReadCloser
		if r, err = w.store.Open(context.Background(), *u, 0, int64(len(f.data))); err == nil {
			got, _ = io.ReadAll(r)
		}
	} else if o, ok := w.store.Object(u.ObjectKey()); ok {
		got = o
	} else {
		err = tus.ErrNotFound
	}
	switch {
	case err != nil:
		w.s.failLocked("upload %s is complete, and its object is not there: %v", u.ID, err)
	case !bytes.Equal(got, f.data):
		w.s.failLocked("the object of %s has %d bytes and is not what was sent, %d bytes", u.ID, len(got), len(f.data))
	}
}

// checkEnd holds what is left, after all clients have gone and all sweeps are over, against what there should be.
func (w *world) checkEnd() {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	for _, id := range w.table.all() {
		r := w.table.records[id]
		u := &r.Upload
		if w.files[id] == nil {
			w.s.failLocked("record %s is left behind: no upload's, due %v", id, r.Due)
			continue
		}
		if u.Phase != tus.Done || u.Pending != 0 {
			w.s.failLocked("record %s is left behind: %s at %d of %d, owing %v, due %v", id, u.Phase, u.Offset, u.Length, u.Pending, r.Due)
			continue
		}
		w.checkObject(u)
		if w.files[id].role != tus.Partial && len(w.events[string(id)+" finished"]) != 1 {
			w.s.failLocked("upload %s is done, and that was told as %v", id, w.events[string(id)+" finished"])
		}
		if left := w.store.Pieces(id); len(left) != 1 { // its object
			w.s.failLocked("upload %s is done, and there is %v", id, left)
		}
	}
	for _, id := range slices.Sorted(mapKeys(w.files)) {
		if _, ok := w.table.records[id]; !ok && len(w.store.Pieces(id)) > 0 {
			w.s.failLocked("upload %s is gone, and still there is %v", id, w.store.Pieces(id))
		}
	}
	for _, what := range slices.Sorted(mapKeys(w.events)) {
		if n := len(w.events[what]); n > 1 && !strings.HasSuffix(what, " progress") {
			w.s.failLocked("%s was told under %d ids", what, n)
		}
	}
	if v := w.store.Violations(); len(v) > 0 {
		w.s.failLocked("the store saw %v", v)
	}
}

// checkNothing wants nothing left, after the finished uploads were deleted too.
func (w *world) checkNothing() {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	for _, id := range w.table.all() {
		w.s.failLocked("record %s is left behind: %s", id, w.table.records[id].Upload.Phase)
	}
	for _, id := range slices.Sorted(mapKeys(w.files)) {
		if p := w.store.Pieces(id); len(p) > 0 {
			w.s.failLocked("upload %s was deleted, and still there is %v", id, p)
		}
	}
}

// run lets clients, sweepers and faults meet, then ends the faults, then the clients, and sweeps. In the end it deletes what is
// finished too.
func (w *world) run() {
	w.startClients()
	go func() {
		w.clients.Wait()
		w.s.beCalm()
		w.requests.Wait()
		// An unfinished upload lives a day, a waiting list a week, and what follows from the end of one may itself become due later.
		for _, pause := range []time.Duration{25 * time.Hour, 25 * time.Hour, 8 * 24 * time.Hour, 25 * time.Hour, 25 * time.Hour} {
			time.Sleep(pause)
			w.sweep()
		}
		w.checkEnd()
		for _, id := range w.table.all() {
			w.remove(id)
		}
		time.Sleep(25 * time.Hour)
		w.sweep()
		w.checkNothing()
		w.s.mu.Lock()
		w.s.over = true
		w.s.mu.Unlock()
	}()
	w.s.loop()
}

// remove deletes a finished upload, with a client's patience: a platform's deadline may cut off an answer.
func (w *world) remove(id tus.ID) {
	for range 20 {
		w.actors++
		rq := &request{method: http.MethodDelete, id: id, body: newConn(), header: http.Header{}, patient: time.Hour}
		if r := w.send(w.actors, rq); r != nil && (r.status == http.StatusNoContent || r.status == http.StatusNotFound) {
			return
		}
		time.Sleep(time.Second)
	}
	w.s.fail("upload %s cannot be deleted in the end", id)
}

// sweep has all replicas sweep at once, and succeed.
func (w *world) sweep() {
	var sweeps sync.WaitGroup
	for _, rep := range w.slots {
		w.actors++
		ctx := as(context.Background(), w.actors)
		sweeps.Go(func() {
			if _, err := rep.h.Sweep(ctx); err != nil {
				w.s.fail("sweep: %v", err)
			}
		})
	}
	sweeps.Wait()
}

func (w *world) String() string {
	return fmt.Sprintf("%d replicas, %d files, odds %+v, %d steps until it is calm", len(w.slots), len(w.all), w.s.odds, w.s.steps)
}
