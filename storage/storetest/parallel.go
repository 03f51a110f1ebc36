package storetest

import (
	"bytes"
	"sync"
	"time"

	"github.com/fileloft/fileloft/tus"
)

// checkParallel runs many uploads at once, for the race detector.
func (w *world) checkParallel() {
	const n = 24
	errs := make(chan error, n)
	for i := range n {
		go func() {
			c := newWorld(w.ctx, w.s, w.cfg, uint64(i)+100)
			errs <- c.run(func(w *world) {
				for range 4 {
					size := w.size()
					l := w.newLife(int64(size))
					w.done(l, w.bytes(size), 1+w.rng.IntN(size+1))
					w.check(l, "done")
				}
			})
		}()
	}
	for range n {
		w.noErr(<-errs, "in parallel")
	}
}

// checkBrawl lets several goroutines take one upload from each other without any order.
func (w *world) checkBrawl() {
	for round := range 6 {
		body := w.bytes(6*w.part + 7)
		l := w.newLife(int64(len(body)))
		var wg sync.WaitGroup
		errs := make(chan error, 8)
		for i := range cap(errs) {
			wg.Go(func() {
				c := newWorld(w.ctx, w.s, w.cfg, uint64(100*round+i))
				errs <- c.run(func(w *world) { w.fight(l, body) })
			})
		}
		wg.Wait()
		for range cap(errs) {
			w.noErr(<-errs, "brawl")
		}
		w.check(l, "after the brawl")
	}
}

// fight appends until the upload is done, by whomever. The pauses grow: where a step takes longer than the others' pauses, nobody would ever
// come to a commit.
func (w *world) fight(l *life, body []byte) {
	for most := w.cfg.Pause; ; most += w.cfg.Pause / 4 {
		lease := l.acquire(w.s, int64(len(body)))
		off := lease.Upload.Offset
		switch {
		case lease.Upload.Phase == tus.Done:
			return
		case lease.Upload.Phase == tus.Sealed:
			st, err := w.s.Complete(w.ctx, lease)
			next := lease.Upload
			next.Phase = tus.Done
			if _, ok := l.commit(w.s, lease, next, nil, 0); ok {
				w.noErr(err, "complete")
				w.checkStored(l, st)
				return
			}
		default:
			piece := body[off : off+1+w.rng.Int64N(min(int64(len(body))-off, int64(w.part)))]
			rec, err := w.s.Append(w.ctx, lease, &slow{bytes.NewReader(piece), w.rng.IntN(3)})
			next := lease.Upload
			next.Offset, next.Cursor, next.NextSlot = off+rec.N, rec.Cursor, rec.NextSlot
			if next.Offset == next.Length {
				next.Phase = tus.Sealed
			}
			if _, ok := l.commit(w.s, lease, next, piece[:rec.N], 0); ok && err != nil {
				w.fail("append under the newest epoch: %w", err)
			}
		}
		time.Sleep(time.Duration(w.rng.Int64N(int64(most)))) // let others win too
	}
}

// slow is a reader that gives others time.
type slow struct {
	r     *bytes.Reader
	pause int
}

func (s *slow) Read(p []byte) (int, error) {
	time.Sleep(time.Duration(s.pause) * 100 * time.Microsecond)
	return s.r.Read(p[:max(1, min(len(p), s.r.Len()/2+1))])
}
