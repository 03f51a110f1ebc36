package main

import (
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/fileloft/fileloft/internal/app"
)

// sweepPath is where the host posts the timer's invocations: the function's name.
const sweepPath = "/FileloftSweep"

// A handler tells the host's invocations from clients' requests.
type handler struct{ app *app.App }

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path == sweepPath && r.Method == http.MethodPost && !proxied(r):
		h.sweep(w, r)
	case lostBody(r):
		hd := w.Header()
		hd.Set("Tus-Resumable", "1.0.0")
		hd.Set("Content-Type", "text/plain; charset=utf-8")
		hd.Set("X-Content-Type-Options", "nosniff")
		hd.Set("Cache-Control", "no-store")
		w.WriteHeader(http.StatusLengthRequired)
		_, _ = io.WriteString(w, "length-required: a body without a Content-Length is lost on its way to this function: send one, in chunks of a known size\n")
	default:
		h.app.ServeHTTP(w, r)
	}
}

// proxied says whether a request came from outside: the host sets this header on what it proxies, and not on its own invocations. A client could
// otherwise ask for the path and sweep.
func proxied(r *http.Request) bool { return r.Header.Get("X-Forwarded-Proto") != "" }

// lostBody says that a request which is about bytes came with none and without a word of them, where the client may well have sent some in
// chunks. Who means an empty body says Content-Length: 0, as RFC 9110 wants it (8.6).
func lostBody(r *http.Request) bool {
	if r.ContentLength != 0 || r.Header.Get("Content-Length") != "" {
		return false
	}
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return r.Method == http.MethodPatch || r.Method == http.MethodPost &&
		(kind == "application/offset+octet-stream" || strings.EqualFold(r.Header.Get("X-HTTP-Method-Override"), http.MethodPatch))
}

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
