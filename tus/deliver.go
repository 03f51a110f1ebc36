package tus

import (
	"context"
	"errors"
	"fmt"
	"time"
)

var (
	zeroTime       time.Time
	errUndelivered = errors.New("tus: an event could not be delivered yet")
)

// wants reports whether the hook wants to be told about a kind of event.
func (h *Handler) wants(k Events) bool {
	return h.opt.Hooks.Event != nil && h.opt.Hooks.Events&k != 0
}

// owedCleanup is kept beside the owed events of a final upload while its parts are still to be cleaned up.
const owedCleanup Events = 1 << 7

// deliver tells the hook what is owed, in the order in which it happened, and returns what is still owed. Every event is
// committed as owed before and struck off after its delivery, so that a crash in between repeats it, under the
// same id. Without a hook no event is owed any more.
func (h *Handler) deliver(ctx context.Context, u Upload, owed Events) Events {
	if owed&owedCleanup != 0 && h.cleanUp(ctx, u.Concat.Parts) {
		owed &^= owedCleanup
	}
	if h.opt.Hooks.Event == nil {
		if dropped := owed &^ owedCleanup; dropped != 0 {
			h.opt.Log.WarnContext(ctx, "tus: events were owed, and this process has no hook to tell: dropped", "upload", u.ID, "events", dropped)
		}
		return owed & owedCleanup
	}
	for _, kind := range [...]Events{Created, Progress, Finished, Terminated} {
		if owed&kind == 0 {
			continue
		}
		e := Event{ID: eventID(&u, kind), Kind: kind, Upload: u}
		e.Upload.Pending = 0
		if err := h.opt.Hooks.Event(ctx, e); err != nil {
			h.opt.Log.WarnContext(ctx, "tus: event not delivered, to be tried again", "upload", u.ID, "event", e.ID, "error", err)
			return owed
		}
		owed &^= kind
	}
	return owed
}

// eventID names an event: one upload life has one of each kind, and one progress event per offset.
func eventID(u *Upload, kind Events) string {
	if kind == Progress {
		return fmt.Sprintf("%s.%s.%s.%d", u.ID, u.Birth, kind, u.Offset)
	}
	return fmt.Sprintf("%s.%s.%s", u.ID, u.Birth, kind)
}
