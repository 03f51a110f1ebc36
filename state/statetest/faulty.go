package statetest

import (
	"context"
	"fmt"
	"sync"

	"github.com/fileloft/fileloft/tus"
)

// A Fault is what a network does to one call of a state.
type Fault uint8

const (
	Pass        Fault = iota // the call is made and answered
	LoseRequest              // the call fails, nothing is changed
	LoseAnswer               // the call is made, and fails for the caller
	Duplicate                // the call is made and answered; a copy of it waits to be delivered once more
	Delay                    // the call fails, but waits to be delivered later
)

func (f Fault) String() string {
	return [...]string{"pass", "lose the request", "lose the answer", "duplicate", "delay"}[f]
}

// ErrInjected is how a call fails whose request or answer was lost. It wraps tus.ErrUnavailable.
var ErrInjected = fmt.Errorf("statetest: injected: %w", tus.ErrUnavailable)

// Faulty is a [tus.State] behind a bad network. Its calls may be lost, answered in vain, or arrive when their caller
// has long given up.
type Faulty struct {
	st   tus.State
	plan func(method string) Fault

	mu      sync.Mutex
	waiting []func(ctx context.Context) error
}

var _ tus.State = (*Faulty)(nil)

// NewFaulty returns st behind a network that does to each call what plan says, which is told the name of the
// method. Plan may be called concurrently. A Load can only pass or be lost.
func NewFaulty(st tus.State, plan func(method string) Fault) *Faulty {
	return &Faulty{st: st, plan: plan}
}

// Unwrap returns the state behind the network.
func (f *Faulty) Unwrap() tus.State { return f.st }

// Waiting returns how many calls wait to be delivered.
func (f *Faulty) Waiting() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.waiting)
}

// Deliver makes the i-th of the waiting calls. Its answer, which it returns, is one that nobody waits for.
func (f *Faulty) Deliver(ctx context.Context, i int) error { return f.drop(i)(ctx) }

// Drop forgets the i-th of the waiting calls.
func (f *Faulty) Drop(i int) { f.drop(i) }

func (f *Faulty) drop(i int) func(context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	call := f.waiting[i]
	f.waiting = append(f.waiting[:i:i], f.waiting[i+1:]...)
	return call
}

// Create passes the call on, or not.
func (f *Faulty) Create(ctx context.Context, u tus.Upload, c tus.Claim) (tus.Lease, error) {
	return f.change(ctx, "Create", func(ctx context.Context) (tus.Lease, error) { return f.st.Create(ctx, u, c) })
}

// Load passes the call on, or not.
func (f *Faulty) Load(ctx context.Context, id tus.ID) (tus.Upload, error) {
	if f.plan("Load") != Pass {
		return tus.Upload{}, ErrInjected
	}
	return f.st.Load(ctx, id)
}

// Acquire passes the call on, or not.
func (f *Faulty) Acquire(ctx context.Context, id tus.ID, c tus.Claim) (tus.Lease, error) {
	return f.change(ctx, "Acquire", func(ctx context.Context) (tus.Lease, error) { return f.st.Acquire(ctx, id, c) })
}

// Commit passes the call on, or not.
func (f *Faulty) Commit(ctx context.Context, l tus.Lease, next tus.Upload, c tus.Claim) (tus.Lease, error) {
	return f.change(ctx, "Commit", func(ctx context.Context) (tus.Lease, error) { return f.st.Commit(ctx, l, next, c) })
}

// Delete passes the call on, or not.
func (f *Faulty) Delete(ctx context.Context, l tus.Lease) error {
	_, err := f.change(ctx, "Delete", func(ctx context.Context) (tus.Lease, error) {
		return tus.Lease{}, f.st.Delete(ctx, l)
	})
	return err
}

func (f *Faulty) change(ctx context.Context, method string, call func(context.Context) (tus.Lease, error)) (tus.Lease, error) {
	fault := f.plan(method)
	if fault == Duplicate || fault == Delay {
		f.mu.Lock()
		f.waiting = append(f.waiting, func(ctx context.Context) error { _, err := call(ctx); return err })
		f.mu.Unlock()
	}
	switch fault {
	case LoseRequest, Delay:
		return tus.Lease{}, ErrInjected
	case LoseAnswer:
		_, _ = call(ctx) // nobody will know
		return tus.Lease{}, ErrInjected
	}
	return call(ctx)
}
