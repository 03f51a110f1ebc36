package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/fileloft/fileloft/tus"
)

const (
	// headerRoom is for all request headers but Upload-Metadata, which has its own limit, and Upload-Concat.
	headerRoom = 8 << 10
	// partRoom is for one URL in Upload-Concat.
	partRoom = 256
)

// Serve answers requests on all of lns until ctx ends, then stops within the shutdown timeout: it takes no new connections, waits up to
// five seconds for the first requests on those it has, lets requests at work go on for three quarters of the timeout, then makes
// them commit the bytes they have and answer. Whatever is left after that is cut off.
// It also runs the sweeper, once at the start and then at every interval.
// It closes lns. The error is nil after an orderly end.
func (a *App) Serve(ctx context.Context, lns ...net.Listener) error { return a.serve(ctx, a, lns...) }

// ServeThrough does the same with h before the App, for what a platform sends besides the requests of clients.
func (a *App) ServeThrough(ctx context.Context, ln net.Listener, h http.Handler) error {
	return a.serve(ctx, h, ln)
}

func (a *App) serve(ctx context.Context, h http.Handler, lns ...net.Listener) error {
	srv := a.server()
	var fresh newcomers
	fresh.admit(srv, h, a.stopping.Load)
	ctx, cancel := context.WithCancel(ctx)
	var sweeper sync.WaitGroup
	defer sweeper.Wait()
	defer cancel()
	sweeper.Go(func() {
		if a.cfg.SweepInterval > 0 { // a function, which does not sweep by itself, need not ask with each of its instances
			a.askStores(ctx)
		}
		a.sweepUntil(ctx)
	})

	lns = slices.Clone(lns)
	ended := make(chan error, len(lns))
	for i, ln := range lns {
		lns[i] = &closedOnce{Listener: ln}
		go func() { ended <- srv.Serve(lns[i]) }()
	}
	select {
	case err := <-ended:
		_ = srv.Close() // the other listeners, and what was at work: a server that is half there is none
		return fmt.Errorf("app: serve: %w", err)
	case <-ctx.Done():
		return a.shutdown(srv, func(ctx context.Context) {
			for _, ln := range lns {
				_ = ln.Close() // of what could be wrong with it, nothing matters any more
			}
			for range lns {
				<-ended
			}
			fresh.wait(ctx)
		})
	}
}

// closedOnce is a listener that may be closed again: by who stops it, and by the http.Server. By then, the file of a Unix socket may be
// another server's.
type closedOnce struct {
	net.Listener
	once sync.Once
	err  error
}

func (c *closedOnce) Close() error {
	c.once.Do(func() { c.err = c.Listener.Close() })
	return c.err
}

func (a *App) server() *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true) // for listeners that come with TLS
	protocols.SetUnencryptedHTTP2(a.cfg.EnableH2C)
	return &http.Server{
		Protocols:         protocols,
		ReadHeaderTimeout: a.cfg.HeaderTimeout,
		IdleTimeout:       a.cfg.KeepAliveTimeout,
		// At least 16 KiB with the default limit. There is no ReadTimeout and no WriteTimeout: a body may take days, and
		// the engine watches over bodies that stand still.
		MaxHeaderBytes: a.headerBytes(),
		ErrorLog:       slog.NewLogLogger(a.log.Handler(), slog.LevelWarn),
	}
}

// headerBytes is the largest request header that a request within the limits can need.
func (a *App) headerBytes() int {
	n := headerRoom + int(a.cfg.MaxMetadata)
	if a.cfg.EnableConcatenation {
		n += int(a.cfg.MaxParts) * partRoom
	}
	return n
}

// shutdown stops srv in the steps that Serve names. After hearOut, no connection comes that was not there before.
func (a *App) shutdown(srv *http.Server, hearOut func(context.Context)) error {
	a.stopping.Store(true)
	commit := max(a.cfg.ShutdownTimeout/4, time.Second)
	grace := max(a.cfg.ShutdownTimeout-commit, 0)
	a.log.Info("stopping: taking no new requests", "grace", grace)

	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	hearOut(ctx)
	err := srv.Shutdown(ctx)
	if err == nil {
		a.log.Info("stopped")
		return nil
	}
	if !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("app: shut down: %w", err)
	}
	a.log.Info("stopping: committing the bytes in flight", "within", commit)
	ctx, cancel = context.WithTimeout(context.Background(), commit)
	defer cancel()
	// Drain ends the bodies, the second Shutdown waits until the answers are out.
	if err := errors.Join(a.uploads.Drain(ctx), srv.Shutdown(ctx)); err != nil {
		_ = srv.Close() // what it could report is what the next line reports
		return fmt.Errorf("app: some requests did not end in time and were cut off: %w", err)
	}
	a.log.Info("stopped")
	return nil
}

// sweepUntil sweeps until ctx ends. The clock is here and not in the engine, which may run in a function that is
// frozen between requests.
func (a *App) sweepUntil(ctx context.Context) {
	if a.cfg.SweepInterval == 0 {
		return
	}
	tick := time.NewTicker(a.cfg.SweepInterval)
	defer tick.Stop()
	for {
		start := time.Now()
		report, err := a.Sweep(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			a.log.Error("sweep", "error", err)
		case report == (tus.SweepReport{}):
			a.log.Debug("sweep: nothing was due", "took", time.Since(start))
		default:
			a.log.Info("sweep", "report", report, "took", time.Since(start))
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
