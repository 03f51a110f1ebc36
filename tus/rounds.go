package tus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// appending is one request's bytes on their way into an upload.
type appending struct {
	h      *Handler
	in     *intake
	verify *verifier
	lease  Lease
	turn   *turn
	cancel context.CancelCauseFunc

	limited bool // what the upload still takes is more than what one request may carry
}

// store takes the body in, round by round, until it has ended or something else has.
func (h *Handler) store(t *turn, l Lease, b *body) (Upload, error) {
	v, err := newVerifier(b)
	if err != nil {
		return l.Upload, h.giveBack(t.ctx, l, err)
	}
	ctx, cancel := context.WithCancelCause(t.ctx)
	defer cancel(nil)
	a := &appending{h: h, lease: l, turn: t, verify: v, cancel: cancel}
	a.in = &intake{p: startPump(ctx, b, h.opt.IdleTimeout), left: h.room(&l.Upload), patient: v != nil}
	if b.limit > 0 && (a.in.left == Unknown || a.in.left > b.limit) {
		a.in.left, a.limited = b.limit, true
	}
	defer a.in.p.stop()
	defer a.yields(ctx)()
	if v != nil {
		a.in.hashes = v.hashes
	}
	for {
		next, more, err := a.round(ctx)
		if !more {
			return next, err
		}
	}
}

// round stores and commits one round. more says that the body goes on.
func (a *appending) round(ctx context.Context) (u Upload, more bool, err error) {
	h := a.h
	next, err := a.receive(ctx)
	if errors.Is(err, ErrSuperseded) || errors.Is(err, errLost) {
		u, err = h.superseded(ctx, a.lease.Upload.ID)
		return u, false, err
	}
	if errors.Is(err, ErrCorrupt) { // the committed bytes are not there: no client can ever go on from here
		u, err = h.condemned(ctx, a.lease, err)
		return u, false, err
	}
	moved := next.Offset > a.lease.Upload.Offset
	if next.Length == next.Offset && (moved || err == nil) {
		u, e := h.seal(ctx, a.lease, next)
		if errors.Is(e, ErrSuperseded) {
			u, e = h.superseded(ctx, next.ID)
		}
		return u, false, e
	}
	more = err == nil && !a.in.over()
	keep := more && !a.in.stalled
	l, e := h.advance(ctx, a.lease, h.touch(next), keep, moved)
	switch {
	case errors.Is(e, ErrSuperseded):
		u, err = h.superseded(ctx, next.ID)
		return u, false, err
	case e != nil:
		return a.lease.Upload, false, e
	case !more:
		return l.Upload, false, err
	}
	a.lease = l
	if keep {
		return l.Upload, true, nil
	}
	return a.resume(ctx, l.Upload)
}

// resume waits, without a lease, for a silent client's next bytes, and then gets a lease for them.
func (a *appending) resume(ctx context.Context, u Upload) (Upload, bool, error) {
	if !a.in.await() {
		if errors.Is(a.in.err, io.EOF) {
			return u, false, nil
		}
		return u, false, a.h.interrupted(a.ended())
	}
	l, err := a.h.acquire(a.turn.wanted, u.ID, u.Offset, a.h.slots(Unknown), false)
	if err != nil {
		u, err = a.h.notAcquired(a.turn.wanted, err)
		return u, false, err
	}
	switch l.Upload.Phase {
	case Open:
	case Doomed:
		return l.Upload, false, a.h.giveBack(ctx, l, faultNotFound)
	default: // another request has declared that this is the end
		return l.Upload, false, a.h.giveBack(ctx, l, a.h.overlong(&l.Upload))
	}
	a.lease = l
	return l.Upload, true, nil
}

// receive runs one Append and returns the record that its receipt makes, with the reason why no more may follow.
func (a *appending) receive(ctx context.Context) (Upload, error) {
	h, u := a.h, a.lease.Upload
	d, err := parseDigest(u.Digest)
	if err != nil {
		return u, err
	}
	a.in.begin(d, h.opt.CheckpointBytes, h.opt.CheckpointEvery)
	k := h.keep(ctx, a.lease, a.cancel)
	sctx, done := h.storing(ctx, a.in, k)
	var rc Receipt
	err = guard(func() (err error) { rc, err = h.storage.Append(sctx, a.lease, a.in); return err })
	done()
	lease, lost := k.stop()
	if lost != nil {
		return u, fmt.Errorf("%w: %w", errLost, lost)
	}
	a.lease = lease
	next := lease.Upload
	next.NextSlot = rc.NextSlot
	if rc.NextSlot < lease.Slots.First { // a receipt that says nothing: any slot may have been touched
		next.NextSlot = lease.Slots.End()
	}
	keep, err := a.judge(ctx, rc, err)
	if !keep || rc.N == 0 {
		return next, err
	}
	state, ok := a.in.digestAt(rc.N)
	if !ok {
		return next, errors.New("tus: the storage's receipt does not end where a read did")
	}
	if err == nil && next.Offset+rc.N == next.Length && !a.in.over() && a.in.await() {
		return next, h.overlong(&next) // the round ended just where the upload does, and the body does not
	}
	next.Offset += rc.N
	next.Cursor = rc.Cursor
	next.Digest = state
	return next, err
}

// judge decides whether the bytes of a receipt count, and with what the request ends, if it does.
func (a *appending) judge(ctx context.Context, rc Receipt, err error) (bool, error) {
	in := a.in
	if in.over() && errors.Is(in.err, errOverlong) {
		if a.limited {
			return false, a.h.chunkTooLarge()
		}
		return false, a.h.overlong(&a.lease.Upload)
	}
	if err == nil && rc.N < in.n {
		err = errors.New("tus: the storage kept fewer bytes than it read, and gave no reason")
	}
	switch {
	case in.ended && !errors.Is(in.err, io.EOF): // cut off: whatever the storage made of it, the body is the reason
		if err == nil || errors.Is(err, in.err) || !errors.Is(err, ErrNoSpace) {
			err = a.h.interrupted(a.ended())
		}
	case outOfTime(ctx, err):
		err = a.h.interrupted(fmt.Errorf("%w: %w", errOutOfTime, err))
	case err == nil && a.verify != nil && in.over():
		if err := a.verify.check(); err != nil {
			return false, err
		}
	}
	return a.verify == nil || err == nil, err
}

// ended says why the body ended before its end.
func (a *appending) ended() error {
	err := a.in.err
	for _, ours := range []error{errNewer, errDraining, errStalled, errLost, errOutOfTime} {
		if errors.Is(err, ours) {
			return err
		}
	}
	return refuse(codeBody, "the body broke off; what has arrived is kept").because(err)
}

// storing returns a context for Append that does not end with the client, but does when the storage itself stands
// still for StoreTimeout or the platform's time is nearly over, and wires the intake to it.
func (h *Handler) storing(ctx context.Context, in *intake, k *hold) (context.Context, func()) {
	sctx, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := func() {}
	if t, ok := termOf(ctx); ok {
		sctx, stop = context.WithDeadline(sctx, t.storeBy())
	}
	watchdog := time.AfterFunc(h.opt.StoreTimeout, func() { cancel(ErrUnavailable) })
	in.asked = func() { watchdog.Reset(h.opt.StoreTimeout) }
	in.reading = func(waits bool) {
		k.reading(waits)
		if waits {
			watchdog.Stop() // it is the client who takes its time
		} else {
			watchdog.Reset(h.opt.StoreTimeout)
		}
	}
	return sctx, func() {
		watchdog.Stop()
		stop()
		cancel(nil)
		in.asked, in.reading = func() {}, func(bool) {}
	}
}

// advance commits progress, and tells the hook about it where it wants to know.
func (h *Handler) advance(ctx context.Context, l Lease, next Upload, keep, moved bool) (Lease, error) {
	tell := moved && h.wants(Progress)
	if tell {
		next.Pending |= Progress
	}
	l, err := h.commit(ctx, l, next, keep || tell || next.Pending != 0, h.slots(Unknown))
	if err != nil || next.Pending == 0 {
		return l, err
	}
	next = l.Upload
	next.Pending = h.deliver(ctx, next, next.Pending)
	if keep {
		l.Upload.Pending = next.Pending // struck off by the next commit
		return l, nil
	}
	struck, err := h.commit(ctx, l, next, false, 0)
	if err != nil { // the progress stands; the event is told again
		h.opt.Log.WarnContext(ctx, "tus: an event stays owed", "upload", next.ID, "error", err)
		return l, nil
	}
	return struck, nil
}

// condemned removes an upload that its storage calls corrupt, unless it says so because the upload has moved on.
func (h *Handler) condemned(ctx context.Context, l Lease, why error) (Upload, error) {
	err := h.condemn(ctx, l, why)
	if errors.Is(err, ErrSuperseded) {
		return h.superseded(ctx, l.Upload.ID)
	}
	return l.Upload, err
}

// superseded tells a writer that was overtaken where the upload now is, but not its end while another puts the object in place.
func (h *Handler) superseded(ctx context.Context, id ID) (Upload, error) {
	u, err := h.load(ctx, id)
	if err != nil {
		return Upload{}, err
	}
	if u.gone() {
		return Upload{}, faultNotFound
	}
	if u.Phase == Sealed {
		return u, faultLocked
	}
	return u, offsetFault(u.Offset)
}
