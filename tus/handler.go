package tus

import (
	"context"
	"net/http"
	"time"
)

// Handler serves the protocol. It keeps nothing in memory that matters: any number of Handlers, in any number
// of processes, may serve the same State and Storage.
type Handler struct {
	state   State
	storage Storage
	opt     Options
}

// NewHandler returns the protocol over state and storage.
func NewHandler(state State, storage Storage, opt *Options) (*Handler, error) {
	o, err := opt.withDefaults()
	if err != nil {
		return nil, err
	}
	return &Handler{state: state, storage: storage, opt: o}, nil
}

// ServeHTTP answers one request. It wants the path as the client sent it, BasePath included.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	http.Error(w, "not built yet", http.StatusNotImplemented)
}

// Drain makes the requests that are receiving bytes stop reading, commit what has arrived and answer, and
// waits for them until ctx ends. For a shutdown, after the grace period.
func (h *Handler) Drain(ctx context.Context) error { return nil }

// SweepReport counts what a Sweep did.
type SweepReport struct {
	Expired    int // uploads removed because their time was over
	Completed  int // sealed uploads whose object was put in place
	Removed    int // doomed uploads whose removal was finished
	Events     int // owed events delivered
	Collected  int // uploads of which stray pieces were removed from the storage
	Busy       int // due, but in use by a request
	Failed     int // due, but an error came in between; logged
}

// Sweep finishes what requests could not: it removes expired uploads, completes sealed ones, delivers owed events and
// collects stray pieces. It may run at any time, in several processes at once. It needs a State that is a [DueLister].
func (h *Handler) Sweep(ctx context.Context) (SweepReport, error) { return SweepReport{}, nil }

// strayAge is how old pieces without a record must be before Sweep collects them: longer than any Append.
const strayAge = 24 * time.Hour
