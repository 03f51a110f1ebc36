// Package tracing sends spans to an OpenTelemetry collector, by OTLP over HTTP: one for each request or sweep, within it one for each
// step in the state and the storage, and within these one for each request of the clouds' clients: parts, pieces, blocks. A request
// that comes with a W3C traceparent continues its trace.
//
// A Tracer is a watch.Watcher. Spans are sent in the background, in batches; what a collector does not take in time is dropped. Where
// to send, how to sample and what the service is called is said by the OTEL_ variables that all programs with OpenTelemetry share.
package tracing

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// A Tracer makes spans. It is safe for concurrent use.
type Tracer struct {
	provider *sdk.TracerProvider
	tracer   trace.Tracer
	remote   propagation.TraceContext
}

// New returns a Tracer that sends what it is told. Env finds the variables that say where to and how; an error names the one that cannot
// be used. Failures of the sending, and variables that the libraries do not understand, go to
// log, for the whole process: the libraries have one place for them. It sends nothing yet.
func New(ctx context.Context, version string, env func(name string) (value string, ok bool), log *slog.Logger) (*Tracer, error) {
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Warn("traces", "error", err) }))
	otel.SetLogger(logr.FromSlogHandler(log.Handler()))
	c, err := newClient(env)
	if err != nil {
		return nil, err
	}
	exporter, err := otlptrace.New(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("tracing: make the exporter: %w", err)
	}
	ours := resource.NewSchemaless(attribute.String("service.name", "fileloft"), attribute.String("service.version", version))
	theirs, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithFromEnv())
	if err == nil {
		ours, err = resource.Merge(ours, theirs) // the second wins: OTEL_SERVICE_NAME
	}
	if err != nil {
		return nil, fmt.Errorf("tracing: describe the service: %w", err)
	}
	p := sdk.NewTracerProvider(sdk.WithBatcher(exporter), sdk.WithResource(ours))
	otel.SetTracerProvider(p) // Google's clients look for it there, and make spans of their own within ours
	return &Tracer{provider: p, tracer: p.Tracer("github.com/fileloft/fileloft")}, nil
}

// Close sends what is left, until ctx ends.
func (t *Tracer) Close(ctx context.Context) error {
	if err := t.provider.Shutdown(ctx); err != nil {
		return fmt.Errorf("tracing: send the last spans: %w", err)
	}
	return nil
}

// Logs returns h with the trace and the span in each line that is written within one.
func Logs(h slog.Handler) slog.Handler { return logs{h} }

type logs struct{ slog.Handler }

func (l logs) Handle(ctx context.Context, rec slog.Record) error {
	if s := trace.SpanContextFromContext(ctx); s.IsValid() {
		rec = rec.Clone()
		rec.AddAttrs(slog.String("trace_id", s.TraceID().String()), slog.String("span_id", s.SpanID().String()))
	}
	return l.Handler.Handle(ctx, rec)
}

func (l logs) WithAttrs(attrs []slog.Attr) slog.Handler { return logs{l.Handler.WithAttrs(attrs)} }
func (l logs) WithGroup(name string) slog.Handler       { return logs{l.Handler.WithGroup(name)} }
