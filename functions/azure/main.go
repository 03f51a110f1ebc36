// Command azure is fileloft as an Azure function app: a custom handler, which is a web server of ours that the Functions host starts and
// sends requests to. Uploads go into a blob container, records into a table.
//
//	Fileloft       takes every path and method over HTTP
//	FileloftSweep  runs the sweeper by a timer
//
// The folders of these names hold what the host wants to know of them; host.json says how the handler is started. Settings are
// the standalone server's FILELOFT_ variables, as app settings; storage is azure, state is table. A bad value ends the process at its
// start, and the host's log has it.
//
// # What the host does to a request
//
// With enableProxyingHttpRequest it streams bodies, with or without a Content-Length, and sets X-Forwarded-Host and -Proto to what its front end saw,
// whatever the client sent: Location is made from them. It needs a host later than 4.1037 (its pull request 11035, of 2025). The older
// enableForwardingHttpRequest builds a new request: it waits for the whole answer, and a body without a Content-Length is lost. Where one was, as
// it also is behind some gateways, the answer is 411, and no empty body is taken for the client's.
//
// Trailers of requests do not arrive: checksums come in headers. A request may carry 100 MiB, here 64 MiB unless FILELOFT_MAX_CHUNK says
// otherwise: more is answered 413. The front end gives up after 230 s: before that, FILELOFT_REQUEST_TIMEOUT has a request commit what it has, and
// answer.
//
// # CORS
//
// On Flex Consumption and on Linux Consumption plans the host answers preflights itself, by the app's list of allowed origins, also where
// that is empty: it must be set there. On other plans an empty list leaves preflights to the handler. The headers that a browser may read are
// the handler's affair everywhere (FILELOFT_CORS_EXPOSE_HEADERS adds to them): the platform has no setting for them.
package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/fileloft/fileloft/internal/app"
	"github.com/fileloft/fileloft/internal/app/azurebackend"
)

// presets are the platform's defaults, in place of the standalone server's.
var presets = map[string]string{
	"storage":         "azure",
	"max-chunk":       "64MiB",
	"request-timeout": "210s",   // less than the front end's, which counts from before the host has started
	"sweep-interval":  "0",      // the timer sweeps
	"azure-memory":    "128MiB", // the smallest instances have 512 MB, the host's process included
	"log-format":      "json",
}

const (
	// frontEndTimeout is when the platform's front end answers in place of the function: "Function app timeout duration", functions-scale.
	frontEndTimeout = 230 * time.Second
	// hostBody is the largest body that the host takes, unless the app setting of this name says otherwise.
	hostBody        = 104857600
	hostBodySetting = "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, app.OSEnv(), os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "fileloft: error:", err) // the host goes by the word for the severity
		stop()
		os.Exit(1)
	}
}

// run serves on the port that the host names, on this machine only, until ctx ends.
func run(ctx context.Context, env app.Env, logs io.Writer) error {
	port, ok := env.Lookup("FUNCTIONS_CUSTOMHANDLER_PORT")
	if !ok {
		return fmt.Errorf("FUNCTIONS_CUSTOMHANDLER_PORT is not set: the Azure Functions host starts this program, by host.json beside it")
	}
	a, err := open(env, logs)
	if err != nil {
		return err
	}
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", port))
	if err != nil {
		return err
	}
	return a.ServeThrough(ctx, ln, &handler{a})
}

// open makes the server. It sends nothing.
func open(env app.Env, logs io.Writer) (*app.App, error) {
	c, err := load(env)
	if err != nil {
		return nil, err
	}
	log := app.NewLogger(logs, c)
	for _, w := range c.Warnings(env) {
		log.Warn(w)
	}
	if c.BehindProxy {
		log.Warn(app.Prefix + "BEHIND_PROXY has no effect here: the Functions host replaces what a proxy says; " + app.Prefix + "BASE_URL names the public origin")
	}
	storage, err := azurebackend.Storage(c)
	if err != nil {
		return nil, err
	}
	state, err := azurebackend.State(c)
	if err != nil {
		return nil, err
	}
	return app.New(c, state, storage, options(log))
}

func load(env app.Env) (app.Config, error) {
	c, err := app.Load(env, presets)
	if err != nil {
		return c, err
	}
	limit := int64(hostBody)
	if text, ok := env.Lookup(hostBodySetting); ok {
		if n, err := strconv.ParseInt(text, 10, 64); err == nil { // else the host does not heed it either
			limit = n
		}
	}
	switch {
	case c.Storage != "azure" || c.StateName() != "table":
		return c, fmt.Errorf("%sSTORAGE is %s and %sSTATE is %s: in this function they can only be azure and table, which is what they are unset",
			app.Prefix, c.Storage, app.Prefix, c.StateName())
	case c.MaxChunk > limit:
		return c, fmt.Errorf("%sMAX_CHUNK: the Functions host takes bodies of %d bytes at most, unless %s says otherwise", app.Prefix, limit, hostBodySetting)
	case c.RequestTimeout >= frontEndTimeout:
		return c, fmt.Errorf("%sREQUEST_TIMEOUT: the platform's front end waits %d s, and a request must be answered before", app.Prefix,
			int(frontEndTimeout.Seconds()))
	}
	return c, nil
}

func options(log *slog.Logger) *app.Options {
	return &app.Options{Log: log, NoTrailers: true, NeedsLength: true, Origin: origin}
}

// origin is where the client reaches the function app, as the host tells it. Host is the handler's own address.
func origin(r *http.Request) string {
	scheme, host := r.Header.Get("X-Forwarded-Proto"), r.Header.Get("X-Forwarded-Host")
	o := scheme + "://" + host
	if u, err := url.Parse(o); err != nil || u.Host != host || host == "" || scheme != "http" && scheme != "https" {
		return ""
	}
	return o
}
