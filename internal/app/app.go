package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/fileloft/fileloft/internal/watch"
	"github.com/fileloft/fileloft/tus"
)

// App is the whole server as an http.Handler: uploads under the base path, /healthz, /readyz, and 404 elsewhere.
// It is safe for concurrent use.
type App struct {
	cfg      Config
	log      *slog.Logger
	watch    watch.Watcher // nil: nobody
	uploads  *tus.Handler
	probes   []probe
	stopping atomic.Bool
}

// Options are what a program may add to a Config. Nil and zero mean the default.
type Options struct {
	// Log is where log lines go. Those about a request carry its id and the upload's. Default: slog.Default().
	Log *slog.Logger
	// Watch is told of requests, sweeps, and steps in the stores. Default: nobody is.
	Watch watch.Watcher
	// What a platform does, and no setting can change: see the fields of the same names in [tus.Options].
	NoTrailers  bool
	NeedsLength bool
	Origin      func(*http.Request) string
}

// New returns the server over state and storage, which stay the caller's to close. It costs no call to either.
func New(c Config, state tus.State, storage tus.Storage, opt *Options) (*App, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	var o Options
	if opt != nil {
		o = *opt
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	o.Log = slog.New(identified{o.Log.Handler()})
	a := &App{cfg: c, log: o.Log, watch: o.Watch}
	if state == nil || storage == nil {
		return nil, errors.New("app: New needs a State and a Storage")
	}
	if o.Watch != nil {
		state, storage = watch.State(state, o.Watch), watch.Storage(storage, o.Watch)
	}
	state = naming{state}
	options := c.handlerOptions(o)
	var err error
	if options.Hooks, err = c.hooks(); err != nil {
		return nil, fmt.Errorf("app: %w", err)
	}
	if a.uploads, err = tus.NewHandler(state, storage, options); err != nil {
		return nil, fmt.Errorf("app: %w", err)
	}
	a.cfg.BasePath = strings.TrimSuffix(c.BasePath, "/") + "/"
	a.probes = []probe{newProbe("state", state), newProbe("storage", storage)}
	return a, nil
}

// handlerOptions translates the settings into the engine's words. Zero means the default there, so that settings for
// which zero has a meaning of its own are moved out of its way.
func (c Config) handlerOptions(o Options) *tus.Options {
	maxAge := c.CORSMaxAge
	if maxAge == 0 {
		maxAge = -1
	}
	return &tus.Options{
		BasePath: c.BasePath, BaseURL: c.BaseURL, BehindProxy: c.BehindProxy,
		MaxSize: c.MaxSize, MaxChunk: c.MaxChunk, MaxMetadata: int(c.MaxMetadata), MaxParts: int(c.MaxParts),

		DisableCreation: c.DisableCreation, DisableCreationWithUpload: c.DisableCreationWithUpload,
		DisableDeferLength: c.DisableDeferLength, DisableChecksum: c.DisableChecksum,
		DisableTermination: c.DisableTermination,
		EnableExpiration:   c.EnableExpiration, EnableConcatenation: c.EnableConcatenation,
		EnableDownload: c.EnableDownload, CleanupPartials: c.CleanupConcatPartials,

		ExpireAfter: c.ExpirationTTL, ExpireFinished: c.ExpireFinished, SHA256: c.SHA256,
		LeaseTTL: c.LeaseTTL, IdleTimeout: c.BodyTimeout,
		CheckpointEvery: c.CheckpointInterval, CheckpointBytes: c.CheckpointSize,
		LockTimeout: max(c.LockTimeout, time.Nanosecond),
		CORS: &tus.CORS{
			Disable: c.DisableCORS, AllowOrigins: c.CORSAllowOrigin, AllowCredentials: c.CORSAllowCredentials,
			AllowHeaders: c.CORSAllowHeaders, ExposeHeaders: c.CORSExposeHeaders, MaxAge: maxAge,
		},
		NoTrailers: o.NoTrailers, NeedsLength: o.NeedsLength, Origin: o.Origin, Log: o.Log,
	}
}

// Config returns the settings that the server was made with.
func (a *App) Config() Config { return a.cfg }

// ServeHTTP answers one request.
func (a *App) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.observe(w, r, a.route)
}

// route goes by the path as it was sent: http.ServeMux would answer doubled slashes with a redirect, which upload
// clients do not follow.
func (a *App) route(w http.ResponseWriter, r *http.Request) {
	switch path := r.URL.Path; {
	case path == "/healthz":
		a.live(w, r)
	case path == "/readyz":
		a.ready(w, r)
	case strings.HasPrefix(path, a.cfg.BasePath), path == strings.TrimSuffix(a.cfg.BasePath, "/"):
		a.upload(w, r)
	default:
		answer(w, http.StatusNotFound, "not-found: nothing is served under this path")
	}
}

// upload hands a request to the engine, with the platform's deadline where there is one.
func (a *App) upload(w http.ResponseWriter, r *http.Request) {
	if limit := a.cfg.RequestTimeout; limit > 0 {
		ctx, cancel := context.WithTimeout(r.Context(), limit)
		defer cancel()
		r = r.WithContext(ctx)
	}
	a.uploads.ServeHTTP(w, r)
}

// Sweep runs the engine's sweeper once.
func (a *App) Sweep(ctx context.Context) (tus.SweepReport, error) {
	if a.watch == nil {
		return a.uploads.Sweep(ctx)
	}
	s := &watch.Sweep{}
	ctx = watch.Into(a.watch.Begin(ctx, s), a.watch)
	start := time.Now()
	s.Report, s.Err = a.uploads.Sweep(ctx)
	s.Took = time.Since(start)
	a.watch.End(ctx, s)
	return s.Report, s.Err
}

// A SweepResult is how a function answers who asked it to sweep.
type SweepResult struct {
	tus.SweepReport
	// Unfinished says that the time was over before all was looked at. The next sweep goes on.
	Unfinished bool `json:"unfinished"`
}

// SweepInTime runs the engine's sweeper once, for as long as ctx's deadline and the platform's time for a request allow. That
// the time is over is no error.
func (a *App) SweepInTime(ctx context.Context) (SweepResult, error) {
	if limit := a.cfg.RequestTimeout; limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	report, err := a.Sweep(ctx)
	r := SweepResult{SweepReport: report, Unfinished: errors.Is(err, context.DeadlineExceeded)}
	if r.Unfinished {
		err = nil
	}
	a.log.LogAttrs(ctx, slog.LevelInfo, "sweep", slog.Any("report", r))
	if err != nil {
		a.log.LogAttrs(ctx, slog.LevelError, "sweep", slog.Any("error", err))
		return r, fmt.Errorf("app: sweep: %w", err)
	}
	return r, nil
}

func answer(w http.ResponseWriter, status int, text string) {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text + "\n")) // the client may be gone; there is nobody to tell
}
