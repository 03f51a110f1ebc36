package proof

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
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
