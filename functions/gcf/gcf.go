// Package gcf is fileloft as Google Cloud functions: uploads into Cloud Storage, records in Firestore.
//
// Importing it registers three functions with the Functions Framework:
//
//	Fileloft            the endpoint, over HTTP
//	FileloftSweep       the sweeper, over HTTP: POST runs it once and answers with its report. It must not be public: the platform lets
//	                    in whom the function's IAM policy names, such as Cloud Scheduler's service account
//	FileloftSweepEvent  the same for a CloudEvent, such as one from Pub/Sub
//
// They read the same FILELOFT_ variables as the standalone server; storage is gcs, state is firestore. On the platform a bad
// value ends the process at its start, so that a deployment with one never takes traffic.
//
// # What the platform sets
//
// A request over HTTP/1 carries 32 MiB: more is answered 413 with a sentence that names the size; the platform itself refuses
// what is larger still. A Cloud Run service with HTTP/2 end to end has no such limit: command run serves that way. The platform
// does not tell a request when it will be ended: FILELOFT_REQUEST_TIMEOUT does. Location is made from the request's
// host and the scheme that the platform's front end saw. Downloads are redirects to signed URLs.
//
// # What it costs
//
// The first request makes the clients; importing makes nothing. Nothing is remembered between requests but connections.
package gcf

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"sync"

	"github.com/GoogleCloudPlatform/functions-framework-go/functions"
	cloudevents "github.com/cloudevents/sdk-go/v2"

	"github.com/fileloft/fileloft/internal/app"
	"github.com/fileloft/fileloft/internal/app/gcpbackend"
)

// The functions register themselves because the platform's builder imports the package and calls nothing.
func init() {
	functions.HTTP("Fileloft", Serve)
	functions.HTTP("FileloftSweep", Sweep)
	functions.CloudEvent("FileloftSweepEvent", SweepEvent)
	if _, deployed := app.OSEnv().Lookup("K_SERVICE"); deployed {
		if _, err := opened(); err != nil {
			fmt.Fprintln(os.Stderr, "fileloft:", err)
			os.Exit(1)
		}
	}
}

// opened makes the server at its first call.
var opened = sync.OnceValues(func() (*app.App, error) {
	return open(context.Background(), app.OSEnv(), os.Stderr)
})

// presets are the platform's defaults, in place of the standalone server's.
var presets = map[string]string{"storage": "gcs", "log-format": "google"}

// maxChunk is the largest body over HTTP/1, "32MB" in "Quotas" of Cloud Run functions, with room for the headers.
const maxChunk = 32<<20 - 64<<10

// open makes the server. It sends nothing.
func open(ctx context.Context, env app.Env, logs io.Writer) (*app.App, error) {
	c, err := app.Load(env, presets)
	if err != nil {
		return nil, err
	}
	if !c.EnableH2C && c.MaxChunk == 0 {
		c.MaxChunk = maxChunk
	}
	switch {
	case !c.EnableH2C && c.MaxChunk > maxChunk:
		return nil, fmt.Errorf("%sMAX_CHUNK: over HTTP/1 the platform takes bodies of %d bytes at most", app.Prefix, maxChunk)
	case c.Storage != "gcs" || c.StateName() != "firestore":
		return nil, fmt.Errorf("%sSTORAGE is %s and %sSTATE is %s: in this function they can only be gcs and firestore, which is what they are unset",
			app.Prefix, c.Storage, app.Prefix, c.StateName())
	}
	log := app.NewLogger(logs, c)
	for _, w := range c.Warnings(env) {
		log.Warn(w)
	}
	storage, err := gcpbackend.Storage(ctx, c)
	if err != nil {
		return nil, err
	}
	state, err := gcpbackend.State(ctx, c)
	if err != nil {
		return nil, err
	}
	return app.New(c, state, storage, options(c, log))
}

func options(c app.Config, log *slog.Logger) *app.Options {
	opt := &app.Options{Log: log}
	if !c.BehindProxy { // else the proxy's word counts, which the platform hands on
		opt.Origin = origin
	}
	return opt
}

// origin is where the client reaches the function. The platform ends TLS and says in a header of its own what scheme it saw.
func origin(r *http.Request) string {
	switch scheme := r.Header.Get("X-Forwarded-Proto"); scheme {
	case "http", "https":
		return scheme + "://" + r.Host
	}
	return ""
}

// Serve answers one request to the endpoint.
func Serve(w http.ResponseWriter, r *http.Request) {
	a, err := opened()
	if err != nil {
		unopened(w, err)
		return
	}
	a.ServeHTTP(w, r)
}

// Sweep runs the sweeper once.
func Sweep(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "method-not-allowed: a sweep is asked for by POST", http.StatusMethodNotAllowed)
		return
	}
	result, err := sweep(r.Context())
	if err != nil {
		unopened(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(result) // who asked may be gone; the log has it too
}

// SweepEvent runs the sweeper once, whatever the event says.
func SweepEvent(ctx context.Context, _ cloudevents.Event) error {
	_, err := sweep(ctx)
	return err
}

func sweep(ctx context.Context) (app.SweepResult, error) {
	a, err := opened()
	if err != nil {
		return app.SweepResult{}, err
	}
	return a.SweepInTime(ctx)
}

// unopened answers where there is no server, or a sweep has failed: the reason goes to the log.
func unopened(w http.ResponseWriter, err error) {
	fmt.Fprintln(os.Stderr, "fileloft:", err)
	w.Header().Set("Tus-Resumable", "1.0.0")
	http.Error(w, "internal: something went wrong; the function's log says what", http.StatusInternalServerError)
}
