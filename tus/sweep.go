package tus

import (
	"context"
	"errors"
)

// SweepReport counts what a Sweep did, in uploads.
type SweepReport struct {
	Expired   int `json:"expired"`   // removed because their time was over
	Completed int `json:"completed"` // sealed before, now in place
	Removed   int `json:"removed"`   // doomed before, now gone
	Delivered int `json:"delivered"` // owed events delivered
	Collected int `json:"collected"` // with stray pieces, and finished or without a record; the pieces were removed
	Busy      int `json:"busy"`      // due, but in use by a request
	Failed    int `json:"failed"`    // due, but an error came in between; it is in the log
}

// Sweep finishes what requests could not: it removes expired uploads, completes sealed ones, delivers owed events and
// collects stray pieces. It may run at any time, in several processes at once; killed at any point, the next one goes on.
// Where ctx has a deadline it ends a little before it, with ctx's error and a report of what is done by then.
// It needs a State that is a [DueLister]. Its cost is proportional to what is due, not to what there is.
func (h *Handler) Sweep(ctx context.Context) (SweepReport, error) {
	var r SweepReport
	ctx, cancel := withReserve(ctx)
	defer cancel()
	due, ok := ability[DueLister](h.state)
	if !ok {
		return r, errors.New("tus: this State cannot list what is due, so there is nothing to sweep by")
	}
	for id, err := range due.Due(ctx, h.opt.Now()) {
		if err != nil {
			return r, err
		}
		if err := h.sweepOne(ctx, id, &r); err != nil {
			r.Failed++
			h.opt.Log.WarnContext(ctx, "tus: sweep leaves an upload for the next time", "upload", id, "error", err)
		}
		if ctx.Err() != nil {
			return r, ctx.Err()
		}
	}
	if c, ok := ability[Collector](h.storage); ok {
		n, err := c.Collect(ctx, h.opt.Now().Add(-strayAge), h.recordOf)
		r.Collected = n
		if err != nil {
			return r, err
		}
	}
	return r, nil
}

// sweepOne does what is due for one upload.
func (h *Handler) sweepOne(ctx context.Context, id ID, r *SweepReport) error {
	l, err := h.acquireIdle(ctx, id)
	switch {
	case errors.Is(err, ErrNotFound):
		return nil
	case errors.As(err, new(*LeasedError)):
		r.Busy++
		return nil
	case err != nil:
		return err
	}
	u := l.Upload
	switch {
	case u.Concat.Role == waiting:
		return h.deleteRecord(ctx, l)
	case u.Phase == Doomed:
		return count(&r.Removed, h.remove(ctx, l))
	case h.expired(&u):
		if l, err = h.doom(ctx, l); err == nil {
			err = h.remove(ctx, l)
		}
		return count(&r.Expired, err)
	case u.Phase == Sealed:
		_, err := h.finish(ctx, l)
		return count(&r.Completed, err)
	case u.Phase == Open && u.Concat.Role == Final:
		return h.sweepFinal(ctx, l, r)
	}
	u, err = h.settle(ctx, l)
	if err == nil && l.Upload.Pending != 0 && u.Pending == 0 {
		r.Delivered++
	}
	return err
}

// sweepFinal assembles a final upload that waits for its parts, if they are complete.
func (h *Handler) sweepFinal(ctx context.Context, l Lease, r *SweepReport) error {
	u, err := h.settle(ctx, l)
	if err == nil {
		u, err = h.tryAssemble(ctx, u)
	}
	if err == nil && u.Phase == Done {
		r.Completed++
	}
	return err
}

func count(n *int, err error) error {
	if err == nil {
		*n++
	}
	return err
}

// recordOf returns the record that pieces belong to which carry an upload's id and birth.
func (h *Handler) recordOf(ctx context.Context, id ID, birth string) (Upload, error) {
	u, err := h.load(ctx, id)
	if err == nil && u.Birth != birth {
		return Upload{}, ErrNotFound
	}
	return u, err
}
