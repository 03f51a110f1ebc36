package watch

import (
	"context"
	"time"

	"github.com/fileloft/fileloft/tus"
)

// State returns st with w told of each step. Due, List and Ping are found through it and are not watched: none is a step of an
// upload.
func State(st tus.State, w Watcher) tus.State { return &state{st, w} }

type state struct {
	tus.State
	w Watcher
}

// Unwrap returns the state that is watched.
func (s *state) Unwrap() tus.State { return s.State }

// do makes a call and tells of it.
func do[T any](ctx context.Context, w Watcher, c *Call, f func(context.Context) (T, error)) (v T, err error) {
	ctx = w.Begin(ctx, c)
	c.Err = errPanic
	start := time.Now()
	defer func() {
		c.Took = time.Since(start)
		w.End(ctx, c)
	}()
	v, err = f(ctx)
	c.Err = err
	return v, err
}

// nothing makes a call without a result of it.
func nothing(f func(context.Context) error) func(context.Context) (struct{}, error) {
	return func(ctx context.Context) (struct{}, error) { return struct{}{}, f(ctx) }
}

func (s *state) Create(ctx context.Context, u tus.Upload, claim tus.Claim) (tus.Lease, error) {
	c := &Call{Port: StatePort, Method: "create", ID: u.ID, Next: u, Claim: claim}
	return do(ctx, s.w, c, func(ctx context.Context) (tus.Lease, error) { return s.State.Create(ctx, u, claim) })
}

func (s *state) Load(ctx context.Context, id tus.ID) (tus.Upload, error) {
	c := &Call{Port: StatePort, Method: "load", ID: id}
	return do(ctx, s.w, c, func(ctx context.Context) (tus.Upload, error) { return s.State.Load(ctx, id) })
}

func (s *state) Acquire(ctx context.Context, id tus.ID, claim tus.Claim) (tus.Lease, error) {
	c := &Call{Port: StatePort, Method: "acquire", ID: id, Claim: claim}
	return do(ctx, s.w, c, func(ctx context.Context) (tus.Lease, error) { return s.State.Acquire(ctx, id, claim) })
}

func (s *state) Commit(ctx context.Context, l tus.Lease, next tus.Upload, claim tus.Claim) (tus.Lease, error) {
	c := &Call{Port: StatePort, Method: "commit", ID: l.Upload.ID, Lease: l, Next: next, Claim: claim}
	return do(ctx, s.w, c, func(ctx context.Context) (tus.Lease, error) { return s.State.Commit(ctx, l, next, claim) })
}

func (s *state) Delete(ctx context.Context, l tus.Lease) error {
	c := &Call{Port: StatePort, Method: "delete", ID: l.Upload.ID, Lease: l}
	_, err := do(ctx, s.w, c, nothing(func(ctx context.Context) error { return s.State.Delete(ctx, l) }))
	return err
}
