package tus

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync/atomic"
	"time"
)

const (
	// stateTimeout bounds one step in the State, repeats included.
	stateTimeout = 30 * time.Second
	// stateTries is how often a step is tried whose outcome is unknown. Drivers retry what their database calls
	// transient; this is for the answer that was lost on the way.
	stateTries = 4
)

// step runs one call to the State until its outcome is known, repeating it with the same nonce. It goes on
// when the client is gone: a step that may have been taken has to be known.
func step[T any](ctx context.Context, call func(ctx context.Context) (T, error)) (T, error) {
	ctx, cancel := toCommit(ctx, stateTimeout)
	defer cancel()
	wait := 25 * time.Millisecond
	for try := 1; ; try++ {
		v, err := call(ctx)
		if err == nil || definite(err) || try == stateTries {
			return v, err
		}
		if !pause(ctx, wait) {
			return v, err
		}
		wait *= 4
	}
}

// load returns a record, trying again where the State could not be reached.
func (h *Handler) load(ctx context.Context, id ID) (Upload, error) {
	return step(ctx, func(ctx context.Context) (Upload, error) { return h.state.Load(ctx, id) })
}

// definite reports whether an error of the State tells the outcome.
func definite(err error) bool {
	return errors.Is(err, ErrNotFound) || errors.Is(err, ErrExists) || errors.Is(err, ErrSuperseded) ||
		errors.As(err, new(*OffsetError)) || errors.As(err, new(*LeasedError))
}

// pause sleeps, and reports false if ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// acquire gets the lease of an upload, waiting up to LockTimeout while another request holds it.
func (h *Handler) acquire(ctx context.Context, id ID, offset int64, slots uint32, steal bool) (Lease, error) {
	end := h.opt.Now().Add(h.opt.LockTimeout)
	wait := 20 * time.Millisecond
	for {
		c := Claim{Offset: offset, TTL: h.opt.LeaseTTL, Slots: slots, Steal: steal, Nonce: NewNonce()}
		lease, err := step(ctx, func(ctx context.Context) (Lease, error) { return h.state.Acquire(ctx, id, c) })
		held, ok := errors.AsType[*LeasedError](err)
		if !ok {
			return lease, err
		}
		left := end.Sub(h.opt.Now())
		if left <= 0 {
			return Lease{}, held
		}
		// A holder that died is seen by a storage on the same host: no need to wait for its lease to end.
		if h.prober != nil && held.Upload.Phase == Open && h.prober.Idle(ctx, held.Upload) {
			steal = true
			continue
		}
		// Sleep no longer than the lease lasts; half a second at most, since most leases are given back early.
		d := min(wait, left)
		if rest := held.Expires.Sub(h.opt.Now()); rest > 0 {
			d = min(d, rest+time.Millisecond)
		}
		if !pause(ctx, d) {
			if err := context.Cause(ctx); !errors.Is(err, errOutOfTime) {
				return Lease{}, err
			}
			return Lease{}, held // the platform's patience is at its end, which is as good as ours
		}
		wait = min(2*wait, 500*time.Millisecond)
	}
}

// acquireIdle gets the lease of an upload that nobody holds, without waiting.
func (h *Handler) acquireIdle(ctx context.Context, id ID) (Lease, error) {
	c := Claim{Offset: AnyOffset, TTL: h.opt.LeaseTTL, Nonce: NewNonce()}
	return step(ctx, func(ctx context.Context) (Lease, error) { return h.state.Acquire(ctx, id, c) })
}

// release gives a lease back without a change.
func (h *Handler) release(ctx context.Context, l Lease) error {
	_, err := h.commit(ctx, l, l.Upload, false, 0)
	return err
}

// commit replaces the record, keeping or releasing the lease.
func (h *Handler) commit(ctx context.Context, l Lease, next Upload, keep bool, slots uint32) (Lease, error) {
	c := Claim{Offset: AnyOffset, Nonce: NewNonce()}
	if keep {
		c.TTL, c.Slots = h.opt.LeaseTTL, slots
	}
	return step(ctx, func(ctx context.Context) (Lease, error) { return h.state.Commit(ctx, l, next, c) })
}

// A hold keeps a lease alive while its holder is at work: while bytes arrive or the storage is busy, but not while
// the client is silent.
type hold struct {
	h     *Handler
	lost  context.CancelCauseFunc // ends the body when the lease is lost
	busy  chan struct{}           // full: somebody uses what follows, for as long as a commit takes
	lease Lease
	err   error // why the lease is lost
	timer *time.Timer
	off   bool

	quiet   atomic.Bool // the body is being waited for
	arrived atomic.Bool // bytes have come since the last look
}

// keep starts to renew l. The caller ends it with stop and takes the lease as it then is.
func (h *Handler) keep(ctx context.Context, l Lease, lost context.CancelCauseFunc) *hold {
	k := &hold{h: h, lease: l, lost: lost, busy: make(chan struct{}, 1)}
	every := h.opt.LeaseTTL / 3
	k.lock() // renew uses the timer, and may run before this returns
	defer k.unlock()
	k.timer = time.AfterFunc(every, func() { k.renew(ctx, every) })
	return k
}

// renew commits the record as it is under a new expiry. It claims the very slots that are in use.
func (k *hold) renew(ctx context.Context, every time.Duration) {
	k.lock()
	defer k.unlock()
	if k.off || k.err != nil {
		return
	}
	if arrived := k.arrived.Swap(false); arrived || !k.quiet.Load() {
		next, err := k.h.commit(ctx, k.lease, k.lease.Upload, true, k.lease.Slots.N)
		if err != nil {
			k.err = err
			k.lost(errLost)
			return
		}
		k.lease = next
	}
	k.timer.Reset(every)
}

// A mutex would do, but that testing/synctest takes waiting for one for work: it could not tell that a request stands still
// because its renewal does.
func (k *hold) lock()   { k.busy <- struct{}{} }
func (k *hold) unlock() { <-k.busy }

// reading is told when the body is waited for, and when the wait is over.
func (k *hold) reading(waits bool) {
	k.quiet.Store(waits)
	if !waits {
		k.arrived.Store(true)
	}
}

// guard runs what happens under a hold, so that a panic in a driver or a hook ends it like an error: a lease that went
// on being renewed would outlive its request.
func guard(call func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return call()
}

// stop ends the renewing, waits for one under way, and returns the lease as it is, or why it is lost.
func (k *hold) stop() (Lease, error) {
	k.lock()
	defer k.unlock()
	k.timer.Stop() // not before: a renewal under way sets it anew
	k.off = true
	return k.lease, k.err
}
