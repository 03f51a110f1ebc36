package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/fileloft/fileloft/internal/app"
	"github.com/fileloft/fileloft/internal/metrics"
	"github.com/fileloft/fileloft/internal/tracing"
	"github.com/fileloft/fileloft/internal/watch"
)

// observer is what watches a server, as far as the settings want it.
type observer struct {
	log   *slog.Logger
	watch watch.Watcher // nil: nobody
	stop  []func()
}

// observe begins to watch. The caller ends it with close, once the server has come to its end: so metrics can be read, and traces are
// made, while it drains.
func (c *serveCmd) observe(ctx context.Context, env app.Env, log *slog.Logger) (*observer, error) {
	o := &observer{log: log}
	var ws watch.Watchers
	if c.EnableTraces {
		t, err := tracing.New(ctx, version(), env.Lookup, log)
		if err != nil {
			return nil, err // it names the variable
		}
		o.log = slog.New(tracing.Logs(log.Handler()))
		ws = append(ws, t)
		o.stop = append(o.stop, func() { flush(t, log) })
	}
	if c.MetricsBind != "" {
		m := metrics.New(metrics.Info{Version: version(), Storage: c.Storage, State: c.StateName()})
		ws = append(ws, m)
		stop, err := c.admin(ctx, m.Handler(), log)
		if err != nil {
			o.close()
			return nil, err
		}
		o.stop = append(o.stop, stop)
	}
	if len(ws) > 0 {
		o.watch = ws
	}
	return o, nil
}

// close ends the watching, the last that was begun first.
func (o *observer) close() {
	for i := range o.stop {
		o.stop[len(o.stop)-1-i]()
	}
}

// flushTimeout is how long the end of the process waits for a collector of traces.
const flushTimeout = 3 * time.Second

func flush(t *tracing.Tracer, log *slog.Logger) {
	ctx, cancel := context.WithTimeout(context.Background(), flushTimeout)
	defer cancel()
	if err := t.Close(ctx); err != nil {
		log.Warn("traces", "error", err)
	}
}

// admin serves what is for the operators' eyes on an address of its own, until stop is called.
func (c *serveCmd) admin(ctx context.Context, metrics http.Handler, log *slog.Logger) (stop func(), err error) {
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", c.MetricsBind)
	if err != nil {
		return nil, fmt.Errorf("%sMETRICS_BIND (--metrics-bind): %w", app.Prefix, err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metrics)
	if c.EnablePprof {
		// Without pprof.Cmdline, which shows the flags: one may be a secret.
		mux.HandleFunc("/debug/pprof/", pprof.Index)
		mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	}
	srv := &http.Server{
		Handler: mux, ReadHeaderTimeout: c.HeaderTimeout, IdleTimeout: c.KeepAliveTimeout, MaxHeaderBytes: 16 << 10,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(ln) }()
	log.Info("metrics", "address", ln.Addr().String(), "path", "/metrics", "pprof", c.EnablePprof)
	return func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second) // a scrape takes milliseconds, a profile is not waited for
		defer cancel()
		if srv.Shutdown(ctx) != nil {
			_ = srv.Close() // what is cut off is a profile
		}
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			log.Error("metrics", "error", err)
		}
	}, nil
}
