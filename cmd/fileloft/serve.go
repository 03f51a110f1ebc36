package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/fileloft/fileloft/internal/app"
	"github.com/fileloft/fileloft/internal/app/backend"
)

type serveCmd struct {
	app.Config `embed:""`
}

// Run serves until SIGTERM or SIGINT. A second signal ends the process at once.
func (c *serveCmd) Run(env app.Env, stderr errWriter) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	context.AfterFunc(ctx, stop) // from the first signal on, signals do what they do to any process

	log := app.NewLogger(stderr, c.Config)
	stores, err := open(ctx, c.Config, log)
	if err != nil {
		return err
	}
	for _, w := range c.Warnings(env) {
		log.Warn(w)
	}
	c.LogTo(log)
	return errors.Join(c.serve(ctx, env, stores, log), stores.Close())
}

func (c *serveCmd) serve(ctx context.Context, env app.Env, stores *backend.Stores, log *slog.Logger) error {
	o, err := c.observe(ctx, env, log)
	if err != nil {
		return err
	}
	defer o.close()
	a, err := app.New(c.Config, stores.State, stores.Storage, &app.Options{Log: o.log, Watch: o.watch})
	if err != nil {
		return err
	}
	list, err := c.listeners(ctx, env, log)
	if err != nil {
		return err
	}
	return a.Serve(ctx, list...)
}

type sweepCmd struct {
	app.Config `embed:""`
}

// Run sweeps once, beside servers that may be at work on the same stores.
func (c *sweepCmd) Run(stdout stdWriter, stderr errWriter) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	log := app.NewLogger(stderr, c.Config)
	stores, err := open(ctx, c.Config, log)
	if err != nil {
		return err
	}
	return errors.Join(c.sweep(ctx, stores, log, stdout), stores.Close())
}

func (c *sweepCmd) sweep(ctx context.Context, stores *backend.Stores, log *slog.Logger, stdout stdWriter) error {
	a, err := app.New(c.Config, stores.State, stores.Storage, &app.Options{Log: log})
	if err != nil {
		return err
	}
	report, err := a.Sweep(ctx)
	if err != nil {
		return fmt.Errorf("sweep: %w", err)
	}
	_, err = fmt.Fprintf(stdout, "expired %d, completed %d, removed %d, events delivered %d, collected %d, busy %d, failed %d\n",
		report.Expired, report.Completed, report.Removed, report.Delivered, report.Collected, report.Busy, report.Failed)
	if report.Failed > 0 {
		err = errors.Join(err, fmt.Errorf("sweep: %d uploads could not be dealt with; the log says why", report.Failed))
	}
	return err
}

// open opens the stores and writes the first log line, which says where the data is.
func open(ctx context.Context, c app.Config, log *slog.Logger) (*backend.Stores, error) {
	return backend.Open(ctx, c, dataDir(c, log))
}

// dataDir decides where the data directory is, "" where none is needed.
func dataDir(c app.Config, log *slog.Logger) string {
	if !backend.NeedsDir(c) {
		log.Info("fileloft", "version", version(), "storage", c.Storage, "state", c.StateName())
		return ""
	}
	dir, why := backend.DataDir(c.DataDir)
	log.Info("fileloft", "version", version(), "data_dir", dir, "because", why)
	return dir
}

type stateCmd struct {
	Init stateInitCmd `cmd:"" help:"Make what the chosen state needs and is missing: table, index, time to live. It can be repeated."`
}

type stateInitCmd struct {
	app.Config `embed:""`
}

// Run makes the state.
func (c *stateInitCmd) Run(stdout stdWriter, stderr errWriter) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	what, err := backend.InitState(ctx, app.OSEnv(), c.Config, dataDir(c.Config, app.NewLogger(stderr, c.Config)))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(stdout, "ready:", what)
	return err
}

type versionCmd struct{}

// Run prints the version.
func (versionCmd) Run(stdout stdWriter) error {
	_, err := fmt.Fprintln(stdout, "fileloft", version())
	return err
}

// release is set by the linker; go install leaves it empty and the module's version counts.
var release string

func version() string {
	if release != "" {
		return release
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
