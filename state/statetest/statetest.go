// Package statetest holds what every [tus.State] must pass, and a decorator that puts a bad network before one.
//
// [Run] checks a state four ways: sentence by sentence against the contract; by random sequences of calls, lost
// requests, lost answers, late duplicates, frozen holders and clocks that are hours apart, each step compared with
// the pure rules of package state and with a ledger of what was acknowledged, which knows no rules at all; by
// claimants that really run at the same time; and by histories of concurrent calls, for each of which porcupine must find an order
// that the pure rules explain. Package statetest's own tests hold it to finding states that are
// broken in the ways that matter.
package statetest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/fileloft/fileloft/tus"
)

// An Opener returns a state to test, which reads its clock by calling now and keeps nothing open when t ends. It is
// called once in each Run. What the state holds already does not matter: the suite uses fresh random IDs.
type Opener func(t testing.TB, now func() time.Time) tus.State

// Options say how much to do. Nil and zero mean the default, which makes about 200,000 calls: right for a state
// in this process, too much for one that is a network away.
type Options struct {
	Seeds  int // random sequences of 40 steps; default 3000, with -short 300
	Rounds int // rounds of calls at the same time, by 8 callers, and histories of them; default 40, with -short 10
	// Repeats says that the state's network loses answers and sends writes again.
	Repeats bool
}

// seedBlock is how many sequences make one subtest.
const seedBlock = 100

// Run checks the states that open returns.
func Run(t *testing.T, open Opener, opt *Options) {
	o := Options{Seeds: 3000, Rounds: 40}
	if testing.Short() {
		o = Options{Seeds: 300, Rounds: 10}
	}
	if opt != nil && opt.Seeds > 0 {
		o.Seeds = opt.Seeds
	}
	if opt != nil && opt.Rounds > 0 {
		o.Rounds = opt.Rounds
	}
	c := newClock()
	b := &bench{ctx: t.Context(), st: open(t, c.now), clock: c, rounds: o.Rounds, repeats: opt != nil && opt.Repeats}

	for _, s := range sentences {
		t.Run(s.name, func(t *testing.T) { report(t, b.check(s.check)) })
	}
	for _, s := range races {
		t.Run(s.name, func(t *testing.T) { report(t, b.check(s.check)) })
	}
	t.Run("histories are linearizable", func(t *testing.T) {
		calls, err := b.histories(uint64(o.Rounds))
		if err != nil {
			t.Errorf("%v\nreplay, some of the times: go test -count 20 -run '^%s$'", err, t.Name())
		}
		t.Logf("%d calls in %d histories, %d of them undecided", calls, o.Rounds, b.undecided)
		if 2*b.undecided > o.Rounds {
			t.Error("most histories are undecided")
		}
	})
	t.Run("random sequences", func(t *testing.T) {
		for first := 0; first < o.Seeds; first += seedBlock {
			t.Run(fmt.Sprintf("from %d", first), func(t *testing.T) {
				for seed := first; seed < min(first+seedBlock, o.Seeds); seed++ {
					if err := b.sequence(uint64(seed)); err != nil {
						t.Errorf("seed %d: %v\nreplay: go test -run '^%s$'", seed, err, t.Name())
						return
					}
				}
			})
		}
	})
}

func report(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

// bench is a state on the test bench. Its checks return what they find instead of failing a test, so that the
// suite can be tested itself.
type bench struct {
	ctx    context.Context
	st     tus.State
	clock  *clock
	rounds int

	repeats   bool
	undecided int // histories whose search was ended
}

// finding is how a check ends early.
type finding struct{ error }

// check runs f and returns what it found.
func (b *bench) check(f func(b *bench)) (err error) {
	defer func() {
		b.clock.steady()
		switch v := recover().(type) {
		case nil:
		case finding:
			err = v.error
		default:
			panic(v)
		}
	}()
	f(b)
	return nil
}

// fail ends a check.
func (b *bench) fail(format string, args ...any) { panic(finding{fmt.Errorf(format, args...)}) }

// must ends a check that met an error.
func (b *bench) must(what string, err error) {
	if err != nil {
		b.fail("%s: %w", what, err)
	}
}

// clock is what the state under test takes for the time.
type clock struct {
	mu   sync.Mutex
	time time.Time
	skew func() time.Duration
}

func newClock() *clock {
	return &clock{time: time.Now().Truncate(time.Millisecond), skew: func() time.Duration { return 0 }}
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.time.Add(c.skew())
}

// advance moves the true time on.
func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.time = c.time.Add(d)
}

// wrong makes the clock show the time by which the next caller is wrong.
func (c *clock) wrong(by time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.skew = func() time.Duration { return by }
}

// wild makes the clock show another time at each look, hours apart.
func (c *clock) wild() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.skew = func() time.Duration { return rand.N(12*time.Hour) - 6*time.Hour }
}

// steady makes the clock right again.
func (c *clock) steady() { c.wrong(0) }
