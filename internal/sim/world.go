package sim

import (
	"context"
	"fmt"
	"hash/crc32"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/fileloft/fileloft/state"
	"github.com/fileloft/fileloft/tus"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// A world is one database and one store, some replicas over them, and clients. The scheduler's lock guards what changes in it.
type world struct {
	s     *scheduler
	rng   *rand.Rand // for the plan; not used once clients run
	table *table
	store Store
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

func newWorld(c *Config, seed uint64, verbose bool) *world {
	rng := rand.New(rand.NewPCG(seed, 1))
	w := &world{
		s: newScheduler(rand.New(rand.NewPCG(seed, 2)), kindsOf(c), verbose), rng: rng,
		store: c.New(rand.New(rand.NewPCG(seed, 4))),
		files: map[tus.ID]*file{}, events: map[string]map[string]struct{}{},
		plain: rng.IntN(2) == 0, fine: rng.IntN(4) == 0,
	}
	w.table = &table{w: w, records: map[tus.ID]state.Record{}, deleted: map[tus.ID]bool{}}
	w.s.kill = w.kill
	w.opt = tus.Options{
		EnableExpiration: true, EnableConcatenation: true, CleanupPartials: rng.IntN(2) == 0, SHA256: rng.IntN(4) == 0,
		Log: slog.New(slog.DiscardHandler), CheckpointBytes: 8 * PartSize, // beyond any body; but a lease's slots are counted by it
	}
	if verbose {
		w.opt.Log = slog.New(slog.NewTextHandler(traced{w.s}, nil))
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
