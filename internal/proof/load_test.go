package proof

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// A load is one run: a setup, its files, its trouble, and what came of it.
type load struct {
	setup    *setup
	seed     uint64
	files    []*file
	clients  int           // at once
	patience time.Duration // of a client that does not get on: longer is stuck
	haste    time.Duration // clients wait for answers this many times less long
	path     string        // of the collection, below the origin
	client   *http.Client
	tally    *tally
	trouble  trouble
}

// A tally counts.
type tally struct {
	mu       sync.Mutex
	counts   map[string]int
	findings []*finding
	took     time.Duration
}

func (t *tally) add(what string, n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts[what] += n
}

func (t *tally) of(what string) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.counts[what]
}

// find takes note of what must not be.
func (t *tally) find(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var f *finding
	if !errors.As(err, &f) {
		f = &finding{"refused", err.Error()}
	}
	t.findings = append(t.findings, f)
	t.counts[f.class]++
}

// run lets clients bring in all files in the midst of trouble, ends that, and looks at what there is.
func (l *load) run(t testing.TB) {
	u, err := url.Parse(l.setup.fleet.endpoints()[0])
	if err != nil {
		t.Fatal(err)
	}
	l.path = u.Path
	l.client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64, IdleConnTimeout: 5 * time.Second}}
	l.tally = &tally{counts: map[string]int{}}
	begin := time.Now()
	stop := l.makeTrouble(t.Context())
	queue := make(chan *file)
	var wg sync.WaitGroup
	for range l.clients {
		wg.Go(func() {
			for f := range queue {
				r := rand.New(rand.NewPCG(l.seed, uint64(1000+f.n)))
				if err := l.bring(t.Context(), r, f); err != nil {
					l.tally.find(fmt.Errorf("%v: %w", f, err))
					t.Logf("%v: %v", f, err)
				}
			}
		})
	}
	for _, f := range l.files {
		queue <- f
	}
	close(queue)
	wg.Wait()
	stop()
	l.tally.took = time.Since(begin)
	for _, p := range l.setup.proxies {
		p.Calm()
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if err := l.setup.fleet.calm(ctx); err != nil {
		t.Fatalf("the replicas do not come back: %v", err)
	}
	for _, p := range l.setup.proxies {
		if err := p.Drain(ctx); err != nil { // what is held there may be a write
			t.Fatal(err)
		}
		n, kinds := p.Counts()
		l.tally.add("calls to stores", int(n))
		for k, n := range kinds {
			l.tally.add("store "+string(k), n)
		}
	}
	if l.setup.stores != nil {
		l.checkEnd(t)
	}
}

// String lists what was counted.
func (t *tally) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var b strings.Builder
	fmt.Fprintf(&b, "%v", t.took.Round(100*time.Millisecond))
	var names []string
	for n := range t.counts {
		names = append(names, n)
	}
	slices.Sort(names)
	for _, n := range names {
		fmt.Fprintf(&b, "; %s: %d", n, t.counts[n])
	}
	return b.String()
}
