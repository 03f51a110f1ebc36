package tus

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"slices"
	"time"
)

// draftFinal looks up the parts of a final upload and fills in what follows from them.
func (h *Handler) draftFinal(ctx context.Context, c *creation, u *Upload) ([]Upload, error) {
	if c.concat.Role != Final {
		return nil, nil
	}
	for _, id := range c.concat.Parts {
		if err := h.access(ctx, ActionConcat, id, c.header, nil); err != nil {
			return nil, err
		}
	}
	parts, err := h.parts(ctx, c.concat.Parts)
	if err != nil {
		if errors.Is(err, ErrNotFound) {
			return nil, refuse(codeNotFound, "a partial upload in Upload-Concat does not exist").because(err)
		}
		return nil, err
	}
	for i := range parts {
		if parts[i].Concat.Role != Partial {
			return nil, refuse(codeBadConcat, "an upload in Upload-Concat is not a partial one")
		}
		if h.expired(&parts[i]) {
			return nil, refuse(codeNotFound, "a partial upload in Upload-Concat has expired")
		}
	}
	if !ready(parts) {
		if h.opt.DisableUnfinishedConcat {
			return nil, refuse(codeBadConcat, "a partial upload in Upload-Concat is not complete")
		}
		u.Length = Unknown
		return parts, nil
	}
	if err := h.join(u, parts); err != nil {
		return nil, err
	}
	if c.length != Unknown && c.length != u.Length {
		return nil, refuse(codeBadLength, "Upload-Length is not the sum of the parts")
	}
	return parts, nil
}

// ready reports whether every part is complete.
func ready(parts []Upload) bool {
	return !slices.ContainsFunc(parts, func(p Upload) bool { return p.Phase != Done })
}

// join makes u the sealed sum of its complete parts, its digest included.
func (h *Handler) join(u *Upload, parts []Upload) error {
	var size int64
	sum := digest{}
	for i := range parts {
		d, err := parseDigest(parts[i].Digest)
		if err != nil {
			return err
		}
		sum.crc = combineCRC32C(sum.crc, d.crc, parts[i].Length)
		size += parts[i].Length
		if size < 0 || h.opt.MaxSize > 0 && size > h.opt.MaxSize {
			return h.tooLarge()
		}
	}
	u.Length, u.Offset, u.Phase, u.Digest = size, size, Sealed, sum.state()
	return nil
}

// parts loads the records of a final upload's sources, each once. A doomed one counts as gone.
func (h *Handler) parts(ctx context.Context, ids []ID) ([]Upload, error) {
	parts := make([]Upload, len(ids))
	seen := make(map[ID]Upload, len(ids))
	for i, id := range ids {
		p, ok := seen[id]
		if !ok {
			var err error
			if p, err = h.load(ctx, id); err != nil {
				return nil, err
			}
			if p.gone() {
				return nil, ErrNotFound
			}
			seen[id] = p
		}
		parts[i] = p
	}
	return parts, nil
}

// A final upload that was made before its parts were complete is entered into a waiting list beside each of them: a
// record of its own, under an id that follows from the part's, since a part's own record may be leased for long.
// A part that completes looks into its list after it has committed Done; a final upload looks at its parts after it has
// entered itself. So one of the two sees the other, and if it dies before it acts, HEAD or Sweep does.

// waitingList is the id of a part's list of waiting final uploads.
func waitingList(part ID) ID {
	sum := sha256.Sum256([]byte("finals of " + part))
	return ID(base64.URLEncoding.EncodeToString(sum[:18]))
}

// awaitParts enters a new final upload into its parts' lists, and assembles it if they are complete by now.
func (h *Handler) awaitParts(ctx context.Context, l Lease, parts []Upload) (Upload, error) {
	final := l.Upload
	if l.Expires != zeroTime {
		next, err := h.advance(ctx, l, l.Upload, false, false)
		if err != nil {
			return final, err
		}
		final = next.Upload
	}
	for i := range parts {
		if parts[i].Phase == Done || slices.Contains(final.Concat.Parts[:i], parts[i].ID) {
			continue
		}
		if err := h.enlist(ctx, parts[i].ID, final); err != nil {
			h.opt.Log.WarnContext(ctx, "tus: a final upload is left to HEAD and Sweep", "upload", final.ID, "error", err)
			break
		}
	}
	u, err := h.tryAssemble(ctx, final)
	return h.born(ctx, final)(u, err)
}

// listLife is how long a waiting list is kept.
const listLife = 7 * 24 * time.Hour

// enlist adds a final upload to a part's list.
func (h *Handler) enlist(ctx context.Context, part ID, final Upload) error {
	list := Upload{
		ID: waitingList(part), Birth: newBirth(), Length: Unknown, Created: h.opt.Now(),
		Expires: h.opt.Now().Add(listLife), Concat: Concat{Role: waiting, Parts: []ID{final.ID}},
	}
	for {
		c := Claim{Nonce: NewNonce()}
		_, err := step(ctx, func(ctx context.Context) (Lease, error) { return h.state.Create(ctx, list, c) })
		if !errors.Is(err, ErrExists) {
			return err
		}
		l, err := h.acquire(ctx, list.ID, AnyOffset, 0, false)
		if errors.Is(err, ErrNotFound) {
			continue // deleted in between
		}
		if err != nil {
			return err
		}
		next := l.Upload
		next.Expires = list.Expires
		next.Concat.Parts = append(slices.Clone(next.Concat.Parts), final.ID)
		if len(next.Concat.Parts) > h.opt.MaxParts {
			return h.giveBack(ctx, l, errors.New("tus: too many final uploads wait for one part"))
		}
		_, err = h.commit(ctx, l, next, false, 0)
		return err
	}
}

// wake assembles the final uploads that were waiting for a part, if it was the last, and removes the list.
func (h *Handler) wake(ctx context.Context, part ID) {
	list, err := h.load(ctx, waitingList(part))
	if err != nil {
		if !errors.Is(err, ErrNotFound) {
			h.opt.Log.WarnContext(ctx, "tus: final uploads are left to HEAD and Sweep", "part", part, "error", err)
		}
		return
	}
	for _, id := range list.Concat.Parts {
		u, err := h.load(ctx, id)
		if err == nil {
			_, err = h.tryAssemble(ctx, u)
		}
		if err != nil && !errors.Is(err, ErrNotFound) {
			h.opt.Log.WarnContext(ctx, "tus: a final upload is left to HEAD and Sweep", "upload", id, "error", err)
		}
	}
	// Whoever enters itself from now on sees the part complete without the list.
	if err := h.dropList(ctx, list.ID); err != nil {
		h.opt.Log.WarnContext(ctx, "tus: a waiting list is left to Sweep", "part", part, "error", err)
	}
}

// dropList deletes a waiting list.
func (h *Handler) dropList(ctx context.Context, id ID) error {
	l, err := h.acquire(ctx, id, AnyOffset, 0, false)
	if err == nil {
		err = h.deleteRecord(ctx, l)
	}
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// tryAssemble seals and finishes an open final upload if all its parts are complete. One that can never be, because a
// part is gone or the sum too large, fails and is removed.
func (h *Handler) tryAssemble(ctx context.Context, u Upload) (Upload, error) {
	if u.Concat.Role != Final || u.Phase != Open {
		return u, nil
	}
	next := u
	parts, err := h.parts(ctx, u.Concat.Parts)
	switch {
	case errors.Is(err, ErrNotFound):
		err = &doomed{refuse(codeNotFound, "a partial upload that this one is made of is gone").because(err)}
	case err != nil:
		return u, err
	case !ready(parts):
		return u, nil
	default:
		if err = h.join(&next, parts); err != nil {
			err = &doomed{err}
		}
	}
	l, e := h.acquire(ctx, u.ID, AnyOffset, 0, false)
	if e != nil {
		return u, e
	}
	switch {
	case l.Upload.Phase != Open:
		return h.settle(ctx, l)
	case err != nil:
		return u, h.condemn(ctx, l, err)
	}
	next.NextSlot, next.Pending = l.Upload.NextSlot, l.Upload.Pending
	return h.seal(ctx, l, next)
}

// cleanUp terminates the parts of a final upload, and reports whether all are gone or may stay.
func (h *Handler) cleanUp(ctx context.Context, parts []ID) bool {
	ok := true
	for i, id := range parts {
		if slices.Contains(parts[:i], id) {
			continue
		}
		err := h.terminate(ctx, id, nil)
		switch {
		case err == nil, asFault(err).code == codeNotFound, asFault(err).code == codeGone:
		case errors.As(err, new(*Rejection)): // the program wants to keep it
		default:
			ok = false
			h.opt.Log.WarnContext(ctx, "tus: a partial upload is not cleaned up yet", "upload", id, "error", err)
		}
	}
	return ok
}
