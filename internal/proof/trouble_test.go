package proof

import (
	"context"
	"hash/crc32"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/fileloft/fileloft/internal/faults"
)

// trouble is what happens to replicas.
type trouble struct {
	pause  time.Duration // between two strikes, on average
	freeze time.Duration // how long a frozen one sleeps at most
}

// makeTrouble strikes replicas until stop is called.
func (l *load) makeTrouble(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	r := rand.New(rand.NewPCG(l.seed, 3))
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-time.After(l.trouble.pause/2 + time.Duration(r.Int64N(int64(l.trouble.pause)))):
			}
			if r.IntN(5) < 3 {
				if l.setup.fleet.kill(r) {
					l.tally.add("kills", 1)
				}
				continue
			}
			// Shorter than a lease, about as long, longer.
			if l.setup.fleet.freeze(r, 100*time.Millisecond+time.Duration(r.Int64N(int64(l.trouble.freeze)))) {
				l.tally.add("freezes", 1)
			}
		}
	})
	return func() {
		cancel()
		wg.Wait()
	}
}

// proxyOdds have three calls to a store in a hundred end in trouble. Client libraries try most of them again.
var proxyOdds = map[faults.Kind]float64{
	faults.Unavailable: 0.006, faults.Reset: 0.005, faults.Cut: 0.004, faults.Stall: 0.003,
	faults.Lost: 0.005, faults.Lied: 0.003, faults.Truncated: 0.003, faults.Twice: 0.002,
}

// stall is how long a call is held up: longer than a lease lasts, in the long form much longer.
func stall() time.Duration {
	if long {
		return 30 * time.Second
	}
	return 4 * time.Second
}

// between puts a proxy in front of the server at target, which is http://host:port of one of the services that package faults knows.
func between(t testing.TB, service, target string) *faults.Proxy {
	t.Helper()
	var mu sync.Mutex
	var events []faults.Event
	p, err := faults.New(target, faults.Options{
		Service: service, Seed: uint64(number(t, "PROOF_SEED", 1))<<32 | uint64(crc32.ChecksumIEEE([]byte(service))), Odds: proxyOdds, Stall: stall(),
		Observe: func(e faults.Event) {
			mu.Lock()
			defer mu.Unlock()
			events = append(events, e)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Close()
		for _, e := range events {
			if t.Failed() {
				t.Logf("%s: %s, request %d: %s %s: %d", service, e.Kind, e.Request, e.Method, e.Target, e.Status)
			}
		}
	})
	return p
}
