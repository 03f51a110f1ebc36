package sim

import (
	"cmp"
	"context"
	"flag"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fileloft/fileloft/tus"
)

var (
	turns    = flag.Int("sim.turns", 0, "how many turns the orders of a race may take; 0: 2, or 1 with -short")
	variants = flag.Int("sim.variants", 0, "in how many of the store's ways they are played; 0: 4, or 2 with -short")
)

// Orders plays races: calls to the driver that are under way at once, each in a process of its own, in every order of their steps that takes
// no more than a few turns. A turn is that a process gives way to another in mid-call, or dies there; while it makes the same step again
// and again it takes none. The windows that chance does not meet in a thousand schedules are narrow, and not deep: two turns open
// them (Musuvathi and Qadeer, Iterative Context Bounding for Systematic Testing of Multithreaded Programs, PLDI 2007).
func Orders(t *testing.T, c Config) {
	most, ways := cmp.Or(*turns, 2), cmp.Or(*variants, 4)
	if testing.Short() {
		most, ways = cmp.Or(*turns, 1), cmp.Or(*variants, 2)
	}
	var failures atomic.Int32
	for _, r := range races() {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			n := 0
			for v := range ways {
				for p := new(path); int(failures.Load()) < *fails; {
					n++
					if failed, trace := playOrder(t, &c, &r, c.way(v), p, most); failed != "" {
						failures.Add(1)
						t.Fatalf("order %d: %s\n%s", n, failed, trace)
					}
					if !p.next() {
						break
					}
				}
			}
			t.Logf("%d orders", n)
		})
	}
}

func (c *Config) way(n int) uint64 {
	if n < len(c.Ways) {
		return c.Ways[n]
	}
	return uint64(n)
}

// A path is what was chosen on the way to the end, and of how many each time.
type path struct {
	took, of []int
	at       int
}

func (p *path) choose(n int) int {
	if p.at == len(p.took) {
		p.took, p.of = append(p.took, 0), append(p.of, n)
	}
	i := min(p.took[p.at], n-1)
	p.at++
	return i
}

// next turns to the path after this one, the last choice first, and reports whether there is one.
func (p *path) next() bool {
	p.at = 0
	for k := len(p.took) - 1; k >= 0; k-- {
		if p.took[k]++; p.took[k] < p.of[k] {
			p.took, p.of = p.took[:k+1], p.of[:k+1]
			return true
		}
	}
	return false
}

// An order is one order of the steps of a race.
type order struct {
	s     *scheduler
	w     *world
	store Store
	path  *path

	quiet   bool // only one process is there
	turns   int  // that are left
	last    *replica
	op      string // its step
	alike   int    // how many it has made of that, one after the other
	running int
	reps    int
}

func playOrder(t *testing.T, c *Config, r *race, way uint64, p *path, turns int) (failed, trace string) {
	synctest.Test(t, func(*testing.T) {
		s := newScheduler(rand.New(rand.NewPCG(0, 0)), kindsOf(c), true)
		o := &order{s: s, w: &world{s: s}, store: c.New(rand.New(rand.NewPCG(way, 6))), path: p, turns: turns}
		time.Sleep(time.Hour) // the trouble that a store chose for itself is over by then
		r.play(o)
		if v := o.store.Violations(); len(v) > 0 {
			s.fail("the store saw %v", v)
		}
		failed, trace = s.failed, s.text.String()
	})
	return failed, trace
}

// begin starts a process that makes calls.
func (o *order) begin(calls func(context.Context, tus.Storage)) {
	o.reps++
	o.running++
	rep := &replica{w: o.w, slot: o.reps}
	ctx := as(context.Background(), o.reps)
	st := o.store.Storage(&Process{rep})
	go func() {
		calls(ctx, st)
		o.s.mu.Lock()
		o.running--
		o.s.mu.Unlock()
		select {
		case o.s.wake <- struct{}{}:
		default:
		}
	}()
	synctest.Wait() // for its first step: what it does before has no order
}

// alone makes calls in a process that nothing happens to.
func (o *order) alone(calls func(context.Context, tus.Storage)) {
	o.quiet = true
	o.begin(calls)
	o.play()
	o.quiet = false
}

// play lets what was begun come to its end.
func (o *order) play() {
	o.last = nil
	for {
		synctest.Wait()
		o.s.mu.Lock()
		calls := o.ready()
		switch {
		case o.running == 0:
			o.s.mu.Unlock()
			return
		case o.s.failed != "":
			for _, c := range calls {
				o.die(c.rep)
			}
		case len(calls) > 0:
			o.step(calls)
		}
		o.s.mu.Unlock()
		if len(calls) == 0 {
			o.s.sleep(time.Hour)
			continue
		}
		time.Sleep(time.Millisecond)
	}
}

// ready lists the calls that may go on, first that of the process that made the last one. Of calls that one process makes at once it lists
// the first.
func (o *order) ready() []*call {
	o.s.parked = slices.DeleteFunc(o.s.parked, func(c *call) bool { return c.orphan })
	calls, _ := o.s.ready()
	slices.SortStableFunc(calls, func(a, b *call) int {
		return map[bool]int{true: 1}[a.rep != o.last] - map[bool]int{true: 1}[b.rep != o.last]
	})
	return slices.CompactFunc(calls, func(a, b *call) bool { return a.rep == b.rep })
}

// step lets a call go on, or the process die that made the last one.
func (o *order) step(calls []*call) {
	goesOn := calls[0].rep == o.last
	i, n := 0, len(calls)
	switch {
	case o.quiet, goesOn && o.turns == 0:
	case goesOn && calls[0].op == o.op && o.alike >= 2: // it polls, or deletes a list of pieces
	case goesOn:
		if i = o.path.choose(n + 1); i > 0 {
			o.turns--
		}
	case n > 1:
		i = o.path.choose(n)
	}
	if i == n {
		o.s.note(calls[0], "killed before")
		o.die(o.last)
		return
	}
	if c := calls[i]; c.rep == o.last && c.op == o.op {
		o.alike++
	} else {
		o.last, o.op, o.alike = c.rep, c.op, 1
	}
	o.s.let(calls[i], passed, "passes")
}

func (o *order) die(rep *replica) {
	rep.dead = true
	o.s.parked = slices.DeleteFunc(o.s.parked, func(c *call) bool {
		if c.rep == rep {
			c.verdict <- died
		}
		return c.rep == rep
	})
}

func (o *order) fail(format string, args ...any) { o.s.fail(format, args...) }
