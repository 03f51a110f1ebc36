package tus

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// A request whose time is over ends for that reason, and not as one that a newer request wants out of its way: its parts end one after
// the other, and what waits for newer requests may be the first.
func TestOnlyANewerRequestIsOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for cause, want := range map[error]error{errOutOfTime: nil, context.Canceled: nil, errNewer: errNewer} {
			ctx, cancel := context.WithCancelCause(t.Context())
			wanted, end := context.WithCancelCause(t.Context())
			a := &appending{h: &Handler{}, turn: &turn{ctx: ctx, wanted: wanted}, cancel: cancel}
			stop := a.yields(ctx)
			end(cause)
			time.Sleep(2 * minTurn)
			if got := context.Cause(ctx); got != want {
				t.Errorf("%v: the body ended with %v, want %v", cause, got, want)
			}
			stop()
		}
	})
}
