package tus

import (
	"context"
	"errors"
	"net/http"
)

// expired reports whether an upload's time is over.
func (h *Handler) expired(u *Upload) bool {
	return !u.Expires.IsZero() && !h.opt.Now().Before(u.Expires) && (u.Phase == Open || u.Phase == Done)
}

// look returns an upload's record for HEAD and GET, after finishing what an interrupted request has left: clients
// never see an upload that is complete by its offset and not in place.
func (h *Handler) look(ctx context.Context, a Action, id ID, header http.Header) (Upload, error) {
	u, err := h.load(ctx, id)
	if err != nil {
		return Upload{}, err
	}
	switch {
	case u.gone():
		return Upload{}, faultNotFound
	case h.expired(&u):
		return Upload{}, faultExpired
	}
	if err := h.access(ctx, a, id, header, &u); err != nil {
		return Upload{}, err
	}
	switch {
	case u.Phase == Sealed:
		return h.rollForward(ctx, u)
	case u.Phase == Open && u.Concat.Role == Final:
		return h.tryAssemble(ctx, u)
	case u.Pending != 0:
		return h.payEvents(ctx, u), nil
	}
	return u, nil
}

// rollForward finishes a sealed upload, or waits for whoever is at it.
func (h *Handler) rollForward(ctx context.Context, u Upload) (Upload, error) {
	l, err := h.acquire(ctx, u.ID, AnyOffset, 0, false)
	if err != nil {
		if held, ok := errors.AsType[*LeasedError](err); ok && held.Upload.Phase == Done {
			return held.Upload, nil
		}
		return u, err
	}
	return h.settle(ctx, l)
}

// payEvents delivers what is owed, unless somebody is writing: then it is theirs to do.
func (h *Handler) payEvents(ctx context.Context, u Upload) Upload {
	l, err := h.acquireIdle(ctx, u.ID)
	if err == nil {
		var paid Upload
		if paid, err = h.settle(ctx, l); err == nil {
			return paid
		}
	}
	if !errors.As(err, new(*LeasedError)) {
		h.opt.Log.WarnContext(ctx, "tus: owed events are left to Sweep", "upload", u.ID, "error", err)
	}
	return u
}

// terminate removes an upload for a client, finished or not. It takes the lease from whoever holds it: the
// holder's next commit fails, and the client has said that the bytes do not matter.
func (h *Handler) terminate(ctx context.Context, id ID, header http.Header) error {
	u, err := h.load(ctx, id)
	switch {
	case err != nil:
		return err
	case u.gone():
		return faultNotFound
	case h.expired(&u):
		return faultExpired
	}
	if header != nil { // nil: not a client's request
		if err := h.access(ctx, ActionTerminate, id, header, &u); err != nil {
			return err
		}
	}
	if h.opt.Hooks.PreTerminate != nil {
		if err := h.opt.Hooks.PreTerminate(ctx, u); err != nil {
			return err
		}
	}
	l, err := h.acquire(ctx, id, AnyOffset, 0, true)
	if err != nil {
		return err
	}
	h.busy.interrupt(id, errNewer)
	if l.Upload.Birth != u.Birth || l.Upload.Phase == Doomed {
		return h.giveBack(ctx, l, faultNotFound)
	}
	return h.bury(ctx, l)
}
