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
func Orders(t *testing.T, c Config) { c.orders(t, races()) }

func (c *Config) orders(t *testing.T, all []race) {
	most, ways := cmp.Or(*turns, 2), cmp.Or(*variants, 4)
	if testing.Short() {
		most, ways = cmp.Or(*turns, 1), cmp.Or(*variants, 2)
	}
	var failures atomic.Int32
	for _, r := range all {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			n := 0
			for v := range ways {
				for p := new(path); int(failures.Load()) < *fails; {
					n++
					if failed, trace := playOrder(t, c, &r, c.way(v), p, most); failed != "" {
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

	turns int  // that are left
	quiet bool // none is taken
	live  []*replica
	now   *replica // which makes the next step
	fresh bool     // it was just given way to: another turn at once would be none
	op    string   // its last step
	alike int      // how many it has made of that, one after the other
	slept time.Duration
	dieAt []string // while no turn is taken, it dies before the first of these
}

// playOrder plays one order, in one of the ways of the store.
func playOrder(t *testing.T, c *Config, r *race, way uint64, p *path, turns int) (failed, trace string) {
	synctest.Test(t, func(*testing.T) {
		s := newScheduler(rand.New(rand.NewPCG(0, 0)), kindsOf(c), true)
		o := &order{s: s, path: p, turns: turns}
		if r.engine {
			o.w = newEngine(c, s, way)
		} else {
			o.w = &world{s: s, store: c.New(rand.New(rand.NewPCG(way, 6)))}
		}
		o.store = o.w.store
		time.Sleep(time.Hour) // the trouble that a store chose for itself is over by then
		r.play(o)
		if v := o.store.Violations(); len(v) > 0 {
			s.fail("the store saw %v", v)
		}
		failed, trace = s.failed, s.text.String()
	})
	return failed, trace
}

// begin starts a process that makes calls to a driver of its own.
func (o *order) begin(calls func(context.Context, tus.Storage)) {
	rep := &replica{w: o.w}
	st := o.store.Storage(&Process{rep})
	o.beginIn(rep, func(ctx context.Context) { calls(ctx, st) })
}

func (o *order) beginIn(rep *replica, do func(context.Context)) {
	o.w.actors++
	rep.slot = o.w.actors
	ctx := as(context.Background(), rep.slot)
	o.s.mu.Lock() // one that died earlier may still be at its end
	o.live = append(o.live, rep)
	o.s.mu.Unlock()
	go func() {
		do(ctx)
		o.s.mu.Lock()
		o.live = slices.DeleteFunc(o.live, func(r *replica) bool { return r == rep })
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
	o.quietly(func() { o.begin(calls) })
}

// quietly plays what is begun without a turn.
func (o *order) quietly(begin func()) {
	o.quiet = true
	begin()
	o.play()
	o.quiet = false
}

// play lets what was begun come to its end.
func (o *order) play() {
	o.now, o.slept = nil, 0
	for {
		synctest.Wait()
		o.s.mu.Lock()
		if len(o.live) == 0 {
			o.s.mu.Unlock()
			return
		}
		moves := o.move()
		o.s.mu.Unlock()
		if moves {
			o.slept = 0
			time.Sleep(time.Millisecond)
			continue
		}
		begun := time.Now()
		o.s.sleep(time.Hour)
		if o.slept += time.Since(begun); o.slept > 24*time.Hour {
			o.fail("nothing moves")
		}
	}
}

// move has a process make a step, give way, or die. It reports whether there was one that could.
func (o *order) move() bool {
	o.s.parked = slices.DeleteFunc(o.s.parked, func(c *call) bool { return c.orphan })
	if o.s.failed != "" {
		for _, rep := range slices.Clone(o.live) {
			o.die(rep)
		}
		return false
	}
	if !slices.Contains(o.live, o.now) {
		o.turnTo(o.live[o.choose(len(o.live))])
		o.fresh = false
	}
	c := o.next()
	if c == nil {
		return false
	}
	if o.turns > 0 && !o.fresh && (c.op != o.op || o.alike < 2) { // a process that polls, or deletes a list of pieces, does not give way in the middle
		others := slices.DeleteFunc(slices.Clone(o.live), func(r *replica) bool { return r == o.now })
		switch i := o.choose(len(others) + 2); {
		case i > len(others):
			o.turns--
			o.s.note(c, "killed before")
			o.die(o.now)
			return true
		case i > 0:
			o.turns--
			o.turnTo(others[i-1])
			return true
		}
	}
	if slices.Contains(o.dieAt, c.name()) {
		o.s.note(c, "killed before")
		o.die(o.now)
		return true
	}
	if o.alike++; c.op != o.op {
		o.op, o.alike = c.op, 1
	}
	o.fresh = false
	o.s.let(c, passed, "passes")
	return true
}

func (o *order) choose(n int) int {
	if o.quiet || n == 1 {
		return 0
	}
	return o.path.choose(n)
}

func (o *order) turnTo(rep *replica) { o.now, o.fresh, o.op, o.alike = rep, true, "", 0 }

// next returns the call that the process is about to make. Of those that it makes at once it is the first; alone with it are clients, which
// are no processes.
func (o *order) next() *call {
	calls, _ := o.s.ready()
	i := slices.IndexFunc(calls, func(c *call) bool { return c.rep == o.now || o.quiet })
	if i < 0 {
		return nil
	}
	return calls[i]
}

func (o *order) die(rep *replica) {
	rep.dead = true
	o.live = slices.DeleteFunc(o.live, func(r *replica) bool { return r == rep })
	o.s.parked = slices.DeleteFunc(o.s.parked, func(c *call) bool {
		if c.rep == rep {
			c.verdict <- died
		}
		return c.rep == rep
	})
}

func (o *order) fail(format string, args ...any) { o.s.fail(format, args...) }
