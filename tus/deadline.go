package tus

import (
	"context"
	"errors"
	"time"
)

// maxReserve is how long before the platform's end a request stops to take in bytes. Half of the reserve is for
// storing those that it has, the rest for committing them and for the answer.
const maxReserve = 3 * time.Second

// errOutOfTime ends a request's waiting and reading.
var errOutOfTime = errors.New("tus: the platform ends this request soon")

// A term is when the platform ends a request, whatever it does, and the reserve before that.
type term struct {
	end     time.Time
	reserve time.Duration
}

// storeBy is when storing must be done, commitBy when committing must.
func (t term) storeBy() time.Time  { return t.end.Add(-t.reserve / 2) }
func (t term) commitBy() time.Time { return t.end.Add(-t.reserve / 8) }

type termKey struct{}

func termOf(ctx context.Context) (term, bool) {
	t, ok := ctx.Value(termKey{}).(term)
	return t, ok
}

// withReserve lets ctx end a reserve before its deadline, which is what functions have instead of patience, and
// remembers the deadline for what is done within the reserve. A context without a deadline stays as it is.
func withReserve(ctx context.Context) (context.Context, context.CancelFunc) {
	end, ok := ctx.Deadline()
	if !ok {
		return ctx, func() {}
	}
	t := term{end, min(maxReserve, time.Until(end)/4)}
	return context.WithDeadlineCause(context.WithValue(ctx, termKey{}, t), end.Add(-t.reserve), errOutOfTime)
}

// toStore and toCommit return contexts that do not end with the client, but after d, or when the platform leaves no time
// for more.
func toStore(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return outlasting(ctx, d, term.storeBy)
}

func toCommit(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return outlasting(ctx, d, term.commitBy)
}

func outlasting(ctx context.Context, d time.Duration, by func(term) time.Time) (context.Context, context.CancelFunc) {
	end := time.Now().Add(d)
	if t, ok := termOf(ctx); ok && by(t).Before(end) {
		end = by(t)
	}
	return context.WithDeadline(context.WithoutCancel(ctx), end)
}

// outOfTime reports whether err is what became of a call to the storage because the platform's end is near.
func outOfTime(ctx context.Context, err error) bool {
	t, ok := termOf(ctx)
	if !ok || err == nil {
		return false
	}
	late := !time.Now().Before(t.storeBy())
	return errors.Is(err, context.DeadlineExceeded) || late && errors.Is(err, ErrUnavailable)
}
