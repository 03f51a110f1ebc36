// Package storetest holds what every tus.Storage must pass: a conformance suite, seeded schedules in which superseded writers
// go on at any time (zombies), and a decorator that injects faults.
//
// A driver's test is one call of [Run]. The suite stands in for the state: it grants leases and commits receipts by the
// rules of package state, in a model of its own, and knows at any time which bytes are committed. Drivers for cloud
// stores pass it too, so it measures no time; what it asks for is in [Config]. A schedule is a function of its seed: one that
// fails prints the command that replays it.
//
// The suite holds small bodies in memory and calls the storage a few hundred thousand times on its defaults.
package storetest

import (
	"context"
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fileloft/fileloft/tus"
)

// Config says how to test a driver. Only New is needed.
type Config struct {
	// New returns a storage; the suite runs many uploads under ids of their own in each.
	New func(tb testing.TB) tus.Storage
	// PartSize is the size around which the driver's ways change, such as that of a part. Default 64 KiB. The suite's
	// bodies are a few times as long, so where it can be chosen, choose it small.
	PartSize int
	// Seeds is how many schedules to run. Default 3000, a tenth of it with -short.
	Seeds int
	// Pieces lists everything that the storage holds of an id in all its lives, apart from empty signs of what was
	// removed. Optional: with it the suite checks that nothing is left behind.
	Pieces func(s tus.Storage, u tus.Upload) []string
	// Violations returns what the storage itself has noticed, as a fake does.
	Violations func(s tus.Storage) []string
	// MaxHeap is how far the heap may grow, in bytes, while a body of 256 MiB passes. Default 32 MiB; negative for a
	// storage that keeps bodies in memory.
	MaxHeap int64
	// Patience is how long a call may do nothing at all before it counts as blocked. Default 1 min.
	Patience time.Duration
	// Pause is how long those who take an upload from each other wait at most between two tries. Default 300 µs. It should be
	// several times as long as an Append takes, or none comes to its end before the next takes over.
	Pause time.Duration
}

var (
	seedFlag  = flag.Uint64("storetest.seed", 0, "run only the schedule with this seed")
	seedsFlag = flag.Int("storetest.seeds", 0, "run so many schedules")
)

func (c Config) withDefaults(short bool) Config {
	if c.PartSize <= 0 {
		c.PartSize = 64 << 10
	}
	if c.Seeds <= 0 {
		c.Seeds = 3000
		if short {
			c.Seeds = 300
		}
	}
	if *seedsFlag > 0 {
		c.Seeds = *seedsFlag
	}
	if c.MaxHeap == 0 {
		c.MaxHeap = 32 << 20
	}
	if c.Pause <= 0 {
		c.Pause = 300 * time.Microsecond
	}
	if c.Patience <= 0 {
		c.Patience = time.Minute
	}
	return c
}

// Run puts a storage through the whole suite.
func Run(t *testing.T, c Config) {
	c = c.withDefaults(testing.Short())
	for _, k := range checks {
		t.Run(strings.ReplaceAll(k.name, " ", "_"), func(t *testing.T) {
			if err := Check(t.Context(), c.New(t), c, k.name); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("memory", func(t *testing.T) { checkMemory(t, c) })
	t.Run("schedules", func(t *testing.T) {
		s := c.New(t)
		first, n := uint64(1), c.Seeds
		if *seedFlag != 0 {
			first, n = *seedFlag, 1
		}
		failed := 0
		for seed := first; seed < first+uint64(n) && failed < 3; seed++ {
			if err := Schedule(t.Context(), s, c, seed); err != nil {
				failed++
				top, _, _ := strings.Cut(t.Name(), "/")
				t.Errorf("%v\nreplay: go test . -run '%s/schedules' -storetest.seed=%d", err, "^"+top+"$", seed)
			}
		}
	})
}

// Checks returns the names of the checks that Run runs beside the schedules.
func Checks() []string {
	var names []string
	for _, k := range checks {
		names = append(names, k.name)
	}
	return names
}

// Check runs one check and returns what is wrong.
func Check(ctx context.Context, s tus.Storage, c Config, name string) error {
	for _, k := range checks {
		if k.name == name {
			return newWorld(ctx, s, c, 1).run(k.run)
		}
	}
	return fmt.Errorf("storetest: there is no check %q", name)
}

// Schedule runs one schedule and returns what is wrong. It is what Run runs for every seed.
func Schedule(ctx context.Context, s tus.Storage, c Config, seed uint64) error {
	w := newWorld(ctx, s, c, seed)
	err := w.run((*world).schedule)
	if err != nil {
		return fmt.Errorf("seed %d: %w\n%s", seed, err, strings.Join(w.log, "\n"))
	}
	return nil
}
