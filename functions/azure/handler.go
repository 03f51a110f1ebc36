package main

import (
	"encoding/json"
	"net/http"

	"github.com/fileloft/fileloft/internal/app"
)

// sweepPath is where the host posts the timer's invocations: the function's name.
const sweepPath = "/FileloftSweep"

// A handler tells the host's invocations from clients' requests.
type handler struct{ app *app.App }

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == sweepPath && r.Method == http.MethodPost && !proxied(r) {
		h.sweep(w, r)
		return
	}
	h.app.ServeHTTP(w, r)
}

// proxied says whether a request came from outside: the host sets this header on what it proxies, and not on its own invocations. A client could
// otherwise ask for the path and sweep.
func proxied(r *http.Request) bool { return r.Header.Get("X-Forwarded-Proto") != "" }

// An invocationResult is how a custom handler answers a trigger that is not HTTP. The host waits in vain for an answer without one.
type invocationResult struct {
	Outputs     map[string]any
	Logs        []string
	ReturnValue app.SweepResult
}

// sweep runs the sweeper for as long as the time for a request allows. What the timer says does not matter.
func (h *handler) sweep(w http.ResponseWriter, r *http.Request) {
	result, err := h.app.SweepInTime(r.Context())
	if err != nil { // the log has it; the host counts the invocation as failed
		http.Error(w, "the sweep failed; the log says why", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(invocationResult{Outputs: map[string]any{}, Logs: []string{}, ReturnValue: result}) // the host may be gone
}
