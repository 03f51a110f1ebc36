package ledger

import (
	"net/http"
	"time"
)

// CloudRun meters what passes to the program at a URL as Cloud Run does that bills by requests, of an instance with one processor and
// some memory, as if each request had it for itself: "rounded up to the nearest 100 millisecond" ("Cloud Run pricing").
func (l *Ledger) CloudRun(target string, memoryGiB float64) (http.Handler, error) {
	p, err := proxy(target)
	if err != nil {
		return nil, err
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begin := time.Now()
		l.enter(func(b *Bill) { b.served(1, 0, memoryGiB) })
		p.ServeHTTP(w, r)
		took := (time.Since(begin) + 100*time.Millisecond - 1).Truncate(100 * time.Millisecond)
		l.enter(func(b *Bill) { b.served(0, took, memoryGiB) }) // the client may have had its answer by now
	}), nil
}

// served enters n requests to Cloud Run, and how long all of them took.
func (b *Bill) served(n int, took time.Duration, memoryGiB float64) {
	b.Units[runRequests.name] += float64(n)
	b.Units[runCPU.name] += took.Seconds()
	b.Units[runMemory.name] += took.Seconds() * memoryGiB
}
