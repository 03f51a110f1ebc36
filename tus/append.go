package tus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// append adds a body to an upload at an offset. length is what the request declares, or Unknown. It returns the record as
// committed; with an error as well, where bytes were kept before it.
func (h *Handler) append(ctx context.Context, id ID, offset, length int64, b *body) (Upload, error) {
	turn, leave, err := h.busy.enter(ctx, id, h.opt.LockTimeout)
	if err != nil {
		return Upload{}, h.interrupted(err)
	}
	defer leave()
	lease, err := h.acquire(turn.wanted, id, offset, h.slotsFor(b), false)
	if err != nil {
		return h.notAcquired(turn.wanted, err)
	}
	u, err := h.admit(lease.Upload, length, b)
	if err == nil && u.Phase != Doomed && (b.size == 0 || u.Phase != Open) {
		err = nothingIs(b)
	}
	if err != nil {
		return lease.Upload, h.giveBack(ctx, lease, err)
	}
	if u.Phase != Open { // nothing to store: only something to finish
		next, err := h.settle(ctx, lease)
		if err != nil && u.Phase == Doomed { // to clients it is gone, whatever keeps the rest of it here
			h.opt.Log.WarnContext(ctx, "tus: removal is left to Sweep", "upload", id, "error", err)
			return Upload{}, faultNotFound
		}
		return next, err
	}
	// What an earlier request owes is told before what this one brings; the next commit strikes it off.
	u.Pending = h.deliver(ctx, u, u.Pending)
	if b.size == 0 {
		return h.appendNothing(ctx, lease, u)
	}
	lease.Upload = u // a newly declared length is committed with the bytes
	return h.store(turn, lease, b)
}

// slotsFor asks the storage how many slots the first round of a body may need. A body with a checksum is one round.
func (h *Handler) slotsFor(b *body) uint32 {
	if b.sum != nil {
		return h.storage.Slots(b.size)
	}
	return h.slots(b.size)
}

// slots asks the storage how many slots a round of a body of n bytes may need.
func (h *Handler) slots(n int64) uint32 {
	if n < 0 || n > h.opt.CheckpointBytes {
		n = h.opt.CheckpointBytes
	}
	return h.storage.Slots(n)
}

// notAcquired explains why there is no lease to append under. Where the upload only wants finishing, it is finished before its offset
// is told: that is its length, and a client that learns it takes the upload for complete.
func (h *Handler) notAcquired(ctx context.Context, err error) (Upload, error) {
	e, ok := errors.AsType[*OffsetError](err)
	if !ok {
		return Upload{}, h.interrupted(err)
	}
	u := e.Upload
	switch {
	case u.gone():
		return Upload{}, faultNotFound
	case h.expired(&u):
		return Upload{}, faultExpired
	case u.Concat.Role == Final:
		return Upload{}, faultFinal
	case u.Phase == Sealed:
		if u, err = h.rollForward(ctx, u); err != nil {
			return Upload{}, h.interrupted(err)
		}
	}
	return u, offsetFault(u.Offset)
}

// interrupted turns the reasons why a request was ended from within into answers.
func (h *Handler) interrupted(err error) error {
	switch {
	case errors.Is(err, errNewer):
		return refuse(codeLocked, "a newer request for the same upload has taken over").because(err)
	case errors.Is(err, errDraining):
		return refuse(codeShuttingDown, "the server is shutting down; what has arrived is kept").because(err)
	case errors.Is(err, errStalled):
		return refuse(codeStalled, "no bytes came for too long; what has arrived is kept").because(err)
	case errors.Is(err, errOutOfTime):
		return refuse(codeOutOfTime, "the platform ends this request before all could be stored; what is stored so far is kept").because(err)
	case errors.Is(err, errLost):
		return refuse(codeLocked, faultLocked.text).because(err)
	}
	return err
}

// admit checks a body against the record and returns the record with what the request declares about it. An
// upload that is not open comes back as it is if the request is harmless: it has nothing to add.
func (h *Handler) admit(u Upload, length int64, b *body) (Upload, error) {
	switch {
	case u.Phase == Doomed:
		return u, nil // settle removes it and says that it is gone
	case u.gone():
		return u, faultNotFound
	case h.expired(&u):
		return u, faultExpired
	case u.Concat.Role == Final:
		return u, faultFinal
	}
	if length != Unknown && u.Length != length {
		switch {
		case u.Length != Unknown:
			return u, refuse(codeBadLength, "the upload's length was declared before, and it was another one")
		case length < u.Offset:
			return u, refuse(codeBadLength, "the declared length is smaller than the offset")
		case h.opt.MaxSize > 0 && length > h.opt.MaxSize:
			return u, h.tooLarge()
		}
		u.Length = length
	}
	if left := h.room(&u); left != Unknown && b.size > left {
		return u, h.overlong(&u)
	}
	if u.Phase != Open && b.size == Unknown { // a chunked body must turn out to be empty
		if !h.empty(b) {
			return u, h.overlong(&u)
		}
	}
	return u, nil
}

// empty reads from a chunked body, to see whether there is anything in it.
func (h *Handler) empty(b *body) bool {
	if b.deadline != nil {
		b.deadline(time.Now().Add(h.opt.IdleTimeout))
		defer b.deadline(time.Time{})
	}
	n, _ := io.ReadFull(b.src, make([]byte, 1)) // a body that breaks off before its first byte is empty too
	return n == 0
}

// room returns how many bytes the upload still takes, or Unknown for any number.
func (h *Handler) room(u *Upload) int64 {
	if u.Length == Unknown && h.opt.MaxSize > 0 {
		return max(h.opt.MaxSize-u.Offset, 0)
	}
	return u.Left()
}

func (h *Handler) tooLarge() error {
	return refuse(codeTooLarge, "the upload is larger than this server takes")
}

// chunkTooLarge refuses a body for its own size.
func (h *Handler) chunkTooLarge() error {
	return refuse(codeChunk, fmt.Sprintf("a request may carry %d bytes at most here: send the upload in chunks of that size", h.opt.MaxChunk))
}

// overlong refuses a body that goes past the upload's end.
func (h *Handler) overlong(u *Upload) error {
	if u.Length == Unknown {
		return h.tooLarge()
	}
	return refuse(codeTooLarge, "the body goes past the end of the upload; nothing of it was stored")
}

// giveBack releases a lease under which nothing was done, because of err.
func (h *Handler) giveBack(ctx context.Context, l Lease, err error) error {
	if e := h.release(ctx, l); e != nil {
		h.opt.Log.WarnContext(ctx, "tus: lease not released; it will expire", "upload", l.Upload.ID, "error", e)
	}
	return err
}

// nothingIs says whether an empty body is what its checksum announces.
func nothingIs(b *body) error {
	v, err := newVerifier(b)
	if err != nil || v == nil {
		return err
	}
	return v.check()
}

// appendNothing handles an empty body: it may still declare the length, and so complete the upload.
func (h *Handler) appendNothing(ctx context.Context, l Lease, u Upload) (Upload, error) {
	if u.Length == u.Offset {
		return h.seal(ctx, l, u)
	}
	l, err := h.advance(ctx, l, h.touch(u), false, false)
	return l.Upload, err
}

// touch moves the expiry: an upload lives from its last progress on.
func (h *Handler) touch(u Upload) Upload {
	if h.opt.EnableExpiration {
		u.Expires = h.opt.Now().Add(h.opt.ExpireAfter)
	}
	return u
}
