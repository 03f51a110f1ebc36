package app

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/fileloft/fileloft/tus"
)

// readyTimeout is how long /readyz waits for both stores: below the timeouts of common orchestrators' probes.
const readyTimeout = 2 * time.Second

// A probe asks one store whether it can be reached. ping is nil where the store cannot tell.
type probe struct {
	name string
	ping func(context.Context) error
}

func newProbe(name string, store any) probe {
	for store != nil {
		if p, ok := store.(tus.Pinger); ok {
			return probe{name, p.Ping}
		}
		switch w := store.(type) {
		case interface{ Unwrap() tus.State }:
			store = w.Unwrap()
		case interface{ Unwrap() tus.Storage }:
			store = w.Unwrap()
		default:
			store = nil
		}
	}
	return probe{name: name}
}

// live says that the process answers.
func (a *App) live(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, "ok") }

// ready says whether uploads would work: 200, or 503 with the name of what fails. Reasons go to the log only.
func (a *App) ready(w http.ResponseWriter, r *http.Request) {
	if a.stopping.Load() {
		answer(w, http.StatusServiceUnavailable, "stopping: this server is shutting down")
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
	defer cancel()
	errs := make([]error, len(a.probes))
	var wg sync.WaitGroup
	for i, p := range a.probes {
		if p.ping != nil {
			wg.Go(func() { errs[i] = p.ping(ctx) })
		}
	}
	wg.Wait()
	for i, err := range errs {
		if err != nil {
			name := a.probes[i].name
			a.notReady(r.Context(), name, err)
			answer(w, http.StatusServiceUnavailable, name+": cannot be reached")
			return
		}
	}
	answer(w, http.StatusOK, "ready")
}
