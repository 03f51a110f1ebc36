package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/debug"
	"strconv"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/fileloft/fileloft/internal/app"
	"github.com/fileloft/fileloft/internal/app/awsbackend"
)

// presets are the platform's defaults, in place of the standalone server's.
var presets = map[string]string{
	"storage":      "s3",
	"max-chunk":    "4MiB",
	"lock-timeout": "15s",   // the gateways give up after 29 s
	"lease-ttl":    "3s",    // bodies arrive whole: who holds a lease for longer is slow, not waiting, and renews it
	"s3-memory":    "32MiB", // bodies are small and one at a time
	"log-format":   "json",
}

// maxChunk is the largest body that an event has room for: base64 makes four bytes of three, and headers and the rest need
// up to 64 KiB.
const maxChunk = (6<<20 - 64<<10) / 4 * 3

func main() {
	f, err := start(context.Background(), app.OSEnv(), os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "fileloft:", err)
		os.Exit(1)
	}
	lambda.Start(f)
}

// start makes the function. It sends nothing.
func start(ctx context.Context, env app.Env, logs io.Writer) (*function, error) {
	c, err := app.Load(env, presets)
	if err != nil {
		return nil, err
	}
	switch {
	case c.Storage != "s3" || c.StateName() != "dynamodb":
		return nil, fmt.Errorf("%sSTORAGE is %s and %sSTATE is %s: on Lambda they can only be s3 and dynamodb, which is what they are unset",
			app.Prefix, c.Storage, app.Prefix, c.StateName())
	case c.MaxChunk > maxChunk:
		return nil, fmt.Errorf("%sMAX_CHUNK: a Lambda event has no room for bodies of more than %d bytes", app.Prefix, maxChunk)
	}
	limitMemory(env)
	log := app.NewLogger(logs, c)
	for _, w := range c.Warnings(env) {
		log.Warn(w)
	}
	storage, err := awsbackend.Storage(ctx, c)
	if err != nil {
		return nil, err
	}
	state, err := awsbackend.State(ctx, c)
	if err != nil {
		return nil, err
	}
	a, err := app.New(c, state, storage, options(c, log))
	if err != nil {
		return nil, err
	}
	return &function{app: a, base: c.BasePath, log: log}, nil
}

func options(c app.Config, log *slog.Logger) *app.Options {
	opt := &app.Options{Log: log, NoTrailers: true, Origin: origin}
	if c.BehindProxy {
		opt.Origin = originUnlessProxied
	}
	return opt
}

// limitMemory has the collector work harder before the platform ends the process for the memory that it uses.
func limitMemory(env app.Env) {
	text, _ := env.Lookup("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
	if mib, err := strconv.ParseInt(text, 10, 32); err == nil {
		debug.SetMemoryLimit(mib << 20 * 8 / 10)
	}
}
