package tus

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"time"
)

// Handler serves the protocol. It keeps nothing in memory that matters: any number of Handlers, in any number
// of processes, may serve the same State and Storage.
type Handler struct {
	state   State
	storage Storage
	opt     Options
	cors    *corsPolicy
	busy    busy

	// abilities of the storage; nil where it lacks them
	concat Concatenator
	open   Opener
	link   Linker
	prober Prober
}

// strayAge is how old pieces that nobody needs must be before Sweep collects them: longer than any Append.
const strayAge = 24 * time.Hour

// NewHandler returns the protocol over state and storage.
func NewHandler(state State, storage Storage, opt *Options) (*Handler, error) {
	if state == nil || storage == nil {
		return nil, errors.New("tus: NewHandler needs a State and a Storage")
	}
	o, err := opt.withDefaults()
	if err != nil {
		return nil, err
	}
	h := &Handler{state: state, storage: storage, opt: o}
	if h.cors, err = newCORS(o.CORS, o.EnableDownload); err != nil {
		return nil, err
	}
	h.concat, _ = ability[Concatenator](storage)
	h.open, _ = ability[Opener](storage)
	h.link, _ = ability[Linker](storage)
	h.prober, _ = ability[Prober](storage)
	if l, ok := ability[Limiter](storage); ok && (o.MaxSize == 0 || o.MaxSize > l.MaxSize()) {
		h.opt.MaxSize = l.MaxSize()
	}
	if o.EnableConcatenation && h.concat == nil {
		return nil, errors.New("tus: EnableConcatenation needs a Storage that is a Concatenator")
	}
	if o.EnableDownload && h.open == nil && h.link == nil {
		return nil, errors.New("tus: EnableDownload needs a Storage that is an Opener or a Linker")
	}
	return h, nil
}

// ServeHTTP answers one request. It wants the path as the client sent it, BasePath included.
//
// A deadline of the request's context is taken for the time at which the platform ends the request, whatever it does.
// Bytes are taken in until a reserve before it, of 3 s or a quarter of the time; then those that are there are
// committed, and the answer tells the offset. What is not done by then is for the next request or Sweep.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if _, ok := r.Context().Deadline(); ok {
		ctx, cancel := withReserve(r.Context())
		defer cancel()
		r = r.WithContext(ctx)
	}
	x := &exchange{h: h, w: w, r: r, id: requestID(r)}
	w.Header().Set("X-Request-ID", x.id)
	defer func() {
		if p := recover(); p != nil {
			if p == http.ErrAbortHandler {
				panic(p)
			}
			x.fail(fmt.Errorf("panic: %v\n%s", p, debug.Stack()))
		}
	}()
	x.serve()
}

// Drain makes the requests that are receiving bytes stop reading, commit what has arrived and answer, and
// waits for them until ctx ends. For a shutdown, after the grace period.
func (h *Handler) Drain(ctx context.Context) error { return h.busy.drain(ctx) }

// requestID returns the X-Request-ID of a request if it is fit for a log, else a fresh one.
func requestID(r *http.Request) string {
	id := r.Header.Get("X-Request-ID")
	if len(id) < 1 || len(id) > 128 {
		return randomText(12)
	}
	for i := range len(id) {
		if id[i] <= ' ' || id[i] >= 0x7f {
			return randomText(12)
		}
	}
	return id
}
