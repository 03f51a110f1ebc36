package tus

import (
	"context"
	"errors"
	"fmt"
)

// seal commits that all bytes are there, and finishes the upload.
func (h *Handler) seal(ctx context.Context, l Lease, next Upload) (Upload, error) {
	next = h.touch(next)
	next.Phase = Sealed
	l, err := h.commit(ctx, l, next, true, 0)
	if err != nil {
		return l.Upload, err
	}
	return h.finish(ctx, l)
}

// settle brings an upload forward that was acquired in whatever phase, and releases or deletes it. It is how every
// interrupted step is taken up: by the next request, and by Sweep.
func (h *Handler) settle(ctx context.Context, l Lease) (Upload, error) {
	switch u := l.Upload; {
	case u.Phase == Doomed:
		if err := h.remove(ctx, l); err != nil {
			return u, err
		}
		return Upload{}, faultNotFound
	case u.Phase == Sealed:
		return h.finish(ctx, l)
	default:
		l, err := h.advance(ctx, l, u, false, false)
		return l.Upload, err
	}
}

// finish puts the object of a sealed upload in place, asks and tells the hooks, and commits that it is done. Every
// step can be repeated: whoever finds the record Sealed begins again at the first.
func (h *Handler) finish(ctx context.Context, l Lease) (Upload, error) {
	ctx, cancel := toStore(ctx, h.opt.StoreTimeout)
	defer cancel()
	k := h.keep(ctx, l, func(error) {})
	var next Upload
	err := guard(func() (err error) { next, err = h.assemble(ctx, l); return err })
	l, lost := k.stop()
	switch {
	case lost != nil:
		return l.Upload, lost
	case errors.As(err, new(*doomed)):
		return l.Upload, h.condemn(ctx, l, err)
	case err != nil:
		return l.Upload, h.giveBack(ctx, l, err)
	}
	next.NextSlot = l.Upload.NextSlot
	l, err = h.advance(ctx, l, next, false, false)
	if err != nil {
		return l.Upload, err
	}
	if h.opt.EnableConcatenation && l.Upload.Concat.Role == Partial {
		h.wake(ctx, l.Upload.ID)
	}
	return l.Upload, nil
}

// A doomed error says that an upload can never be completed, and why.
type doomed struct{ err error }

func (d *doomed) Error() string { return d.err.Error() }
func (d *doomed) Unwrap() error { return d.err }

// assemble does what finish does between the commits of Sealed and Done, and returns the record to commit.
func (h *Handler) assemble(ctx context.Context, l Lease) (Upload, error) {
	u := l.Upload
	if h.opt.Hooks.PreFinish != nil && u.Concat.Role != Partial {
		if err := h.opt.Hooks.PreFinish(ctx, u); err != nil {
			if errors.As(err, new(*Rejection)) {
				return u, &doomed{err}
			}
			return u, refuse(codeUnavailable, "the check before the end could not be made; try again soon").because(err)
		}
	}
	stored, err := h.complete(ctx, l)
	if err != nil {
		if errors.Is(err, ErrCorrupt) {
			err = &doomed{err}
		}
		return u, err
	}
	if err := h.compare(&u, stored); err != nil {
		return u, &doomed{err}
	}
	u.Phase = Done
	if !h.opt.ExpireFinished {
		u.Expires = zeroTime
	}
	if u.Concat.Role != Partial && h.wants(Finished) {
		u.Pending |= Finished
	}
	// Told after the commit of Done, so that whoever is told finds the object; and cleaned up after it, because
	// before it the parts are still needed.
	if u.Concat.Role == Final && h.opt.CleanupPartials {
		u.Pending |= owedCleanup
	}
	return u, nil
}

// complete has the storage put the object in place.
func (h *Handler) complete(ctx context.Context, l Lease) (Stored, error) {
	if l.Upload.Concat.Role != Final {
		return h.storage.Complete(ctx, l)
	}
	s, missing := Stored{}, error(nil)
	parts, err := h.parts(ctx, l.Upload.Concat.Parts)
	if err == nil {
		if s, missing = h.concat.Concat(ctx, l, parts); !errors.Is(missing, ErrNotFound) {
			return s, missing
		}
		// Either a part was deleted meanwhile, which its record tells, or the storage cannot find what it has: a disk
		// that is not mounted must not cost anybody an upload.
		_, err = h.parts(ctx, l.Upload.Concat.Parts)
	}
	switch {
	case errors.Is(err, ErrNotFound):
		return s, &doomed{refuse(codeNotFound, "a partial upload that this one is made of is gone").because(err)}
	case err != nil:
		return s, err
	}
	return s, fmt.Errorf("%w: %s", ErrUnavailable, missing.Error()) // its text alone: it is no longer ErrNotFound
}

// compare holds what the storage says it holds against what was committed.
func (h *Handler) compare(u *Upload, s Stored) error {
	if s.Size != u.Length {
		return fmt.Errorf("%w: %d bytes stored of %d", ErrCorrupt, s.Size, u.Length)
	}
	sums, err := u.Sums()
	if err != nil {
		return err
	}
	if s.HasCRC32C && s.CRC32C != sums.CRC32C {
		return fmt.Errorf("%w: crc32c %08x stored, %08x committed", ErrCorrupt, s.CRC32C, sums.CRC32C)
	}
	return nil
}

// condemn commits that an upload goes, removes it, and returns why. Where that is not committed nothing happens, and why is told to
// nobody: a holder that was superseded may have found parts gone that the upload does not need any more. It returns ErrSuperseded then.
func (h *Handler) condemn(ctx context.Context, l Lease, why error) error {
	if err := h.bury(ctx, l); err != nil {
		return fmt.Errorf("%w; it was to fail: %s", err, why.Error()) // its text alone
	}
	h.opt.Log.ErrorContext(ctx, "tus: upload fails and is removed", "upload", l.Upload.ID, "error", why)
	return why
}

// bury dooms an upload and removes it. Once it is doomed it is gone to clients, and what is left to do is repeated until
// it is done: so only a doom that was not committed is an error.
func (h *Handler) bury(ctx context.Context, l Lease) error {
	id := l.Upload.ID
	l, err := h.doom(ctx, l)
	if err != nil {
		return err
	}
	if err := h.remove(ctx, l); err != nil {
		h.opt.Log.WarnContext(ctx, "tus: removal is left to Sweep", "upload", id, "error", err)
	}
	return nil
}

// doom commits that an upload goes. From here on it is gone to clients, and whoever finds the record removes
// the rest.
func (h *Handler) doom(ctx context.Context, l Lease) (Lease, error) {
	next := l.Upload
	next.Phase = Doomed
	next.Pending = 0
	if h.wants(Terminated) {
		next.Pending = Terminated
	}
	return h.commit(ctx, l, next, true, 0)
}

// remove takes a doomed upload's bytes away, tells the hook, and deletes the record, in this order: while there is
// a record, somebody comes back to it.
func (h *Handler) remove(ctx context.Context, l Lease) error {
	ctx, cancel := toStore(ctx, h.opt.StoreTimeout)
	defer cancel()
	k := h.keep(ctx, l, func(error) {})
	err := guard(func() error { return h.storage.Remove(ctx, l) })
	l, lost := k.stop()
	if lost != nil {
		return lost
	}
	if err != nil {
		return h.giveBack(ctx, l, err)
	}
	if left := h.deliver(ctx, l.Upload, l.Upload.Pending); left != 0 {
		return h.giveBack(ctx, l, errUndelivered)
	}
	return h.deleteRecord(ctx, l)
}

func (h *Handler) deleteRecord(ctx context.Context, l Lease) error {
	_, err := step(ctx, func(ctx context.Context) (struct{}, error) { return struct{}{}, h.state.Delete(ctx, l) })
	return err
}
