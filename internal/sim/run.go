package sim

import (
	"flag"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

var (
	schedules = flag.Uint64("sim.n", 0, "how many schedules to run; 0: so many as the store deserves")
	first     = flag.Uint64("sim.seed", 1, "the seed of the first schedule")
	fails     = flag.Int("sim.fails", 5, "after how many failed schedules, or orders, to give up")
	trace     = flag.Bool("sim.trace", false, "print what happens in the schedule")
)

// An outcome is what one schedule came to.
type outcome struct {
	failed  string
	sum     uint64
	count   map[done]int
	text    string
	virtual time.Duration
}

// run plays the schedule of one seed.
func run(t *testing.T, c *Config, seed uint64, verbose bool) (o outcome) {
	synctest.Test(t, func(*testing.T) {
		w := newWorld(c, seed, verbose)
		about := w.String()
		w.run()
		o = outcome{failed: w.s.failed, sum: w.s.sum, count: w.s.count, virtual: time.Since(w.s.begin)}
		if verbose {
			o.text = about + "\n" + w.s.text.String()
		}
	})
	return o
}

// ordinary is how many schedules are played without -short, short with it.
func (c *Config) ordinary() uint64 {
	if c.Schedules == 0 {
		return 5000
	}
	return uint64(c.Schedules)
}

func (c *Config) short() uint64 { return c.ordinary() / 20 }

// Run plays schedules, as many as the flags say.
func Run(t *testing.T, c Config) {
	n := *schedules
	switch {
	case n > 0:
	case testing.Short():
		n = c.short()
	default:
		n = c.ordinary()
	}
	var next atomic.Uint64
	var failures atomic.Int32
	var mu sync.Mutex
	total := map[done]int{}
	begin := time.Now()
	t.Run("workers", func(t *testing.T) {
		for i := range runtime.GOMAXPROCS(0) {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				for {
					k := next.Add(1) - 1
					if k >= n || int(failures.Load()) >= *fails {
						return
					}
					o := run(t, &c, *first+k, *trace)
					mu.Lock()
					for d, n := range o.count {
						total[d] += n
					}
					mu.Unlock()
					if k > 0 && k%50_000 == 0 {
						t.Logf("%d schedules after %v", k, time.Since(begin).Round(time.Second))
					}
					if *trace {
						t.Logf("seed %d, trace %016x:\n%s", *first+k, o.sum, o.text)
					}
					if o.failed != "" {
						failures.Add(1)
						t.Errorf("seed %d: %s\nreplay: go test %s -run TestSchedules -sim.n 1 -sim.seed %d -sim.trace -v", *first+k, o.failed, c.Package, *first+k)
					}
				}
			})
		}
	})
	took := time.Since(begin)
	t.Logf("%d schedules in %v, %.0f a second", n, took.Round(time.Millisecond), float64(n)/took.Seconds())
	whats := map[string]int{}
	for d, n := range total {
		whats[d.what] += n
	}
	t.Log(whats)
	if n >= c.ordinary() && !t.Failed() {
		c.checkCoverage(t, total)
	}
}

// checkCoverage wants every kind of trouble to have happened to every kind of step that it can happen to.
func (c *Config) checkCoverage(t *testing.T, total map[done]int) {
	changes := kindsOf(c).changes
	if c.ordinary() < 3000 { // one kill there in a thousand schedules: those over memory see to it, and the step is the same in all
		changes = slices.DeleteFunc(changes, func(op string) bool { return op == "Erase" })
	}
	inside := slices.Concat(changes, c.Reads, hooks, []string{"Load", "Get", "Due", "Append", "Read", "answer"})
	for _, op := range slices.Concat(inside, []string{"POST", "HEAD", "PATCH", "DELETE"}) {
		whats := []string{"passes", "held back", "request lost", "answer lost"}
		if slices.Contains(inside, op) {
			whats = append(whats, "killed before", "killed after", "frozen before")
		}
		if slices.Contains(changes, op) {
			whats = append(whats, "passes, a copy follows", "sent, arrives later", "copy arrives")
		}
		for _, what := range whats {
			if total[done{op, what}] == 0 {
				t.Errorf("it never happened that: %s %s", op, what)
			}
		}
	}
}
