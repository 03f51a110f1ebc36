package tus

import (
	"context"
	"errors"
	"time"
)

// minTurn is how long a writer may read its body before a newer request can end it: enough for the bytes that came with
// the request. Without it clients that repeat their requests without a pause interrupt each other before one of them has stored
// anything. See docs/decisions/0006-busy-uploads.md.
const minTurn = 250 * time.Millisecond

// yields has the body end when a newer request wants its turn, but not at once where that would mean that nothing was
// gained by this one. The returned function takes that back.
func (a *appending) yields(ctx context.Context) func() {
	end := time.Now().Add(minTurn)
	last := time.Now().Add(a.h.opt.LockTimeout / 2) // the one who waits has patience for LockTimeout
	done := make(chan struct{})
	stop := context.AfterFunc(a.turn.wanted, func() {
		defer close(done)
		if !errors.Is(context.Cause(a.turn.wanted), errNewer) {
			return // the request itself has ended, and its body with it
		}
		going := pause(ctx, time.Until(end))
		// A body with a checksum counts as a whole or not at all: it may go on while it arrives.
		for going && a.verify != nil && time.Now().Before(last) && a.in.p.silence() < stallAfter {
			going = pause(ctx, minTurn)
		}
		a.cancel(errNewer)
	})
	return func() {
		a.cancel(nil)
		if !stop() {
			<-done
		}
	}
}
