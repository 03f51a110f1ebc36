package tracing

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/fileloft/fileloft/internal/watch"
	"github.com/fileloft/fileloft/tus"
)

var _ watch.Watcher = (*Tracer)(nil)

// Begin starts a span. Health checks have none, and steps have one only within a request or a sweep.
func (t *Tracer) Begin(ctx context.Context, a watch.Act) context.Context {
	switch a := a.(type) {
	case *watch.Request:
		return t.request(ctx, a)
	case *watch.Sweep:
		ctx, _ = t.tracer.Start(ctx, "sweep", trace.WithNewRoot())
	case *watch.Call:
		if within(ctx) {
			ctx, _ = t.tracer.Start(ctx, string(a.Port)+"."+a.Method, trace.WithAttributes(aboutCall(a)...))
		}
	case *watch.Attempt:
		if within(ctx) {
			ctx, _ = t.tracer.Start(ctx, a.Service+" "+operation(a.Request), trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
				attribute.String("http.request.method", a.Method), attribute.String("server.address", a.URL.Hostname()),
				attribute.Int("http.request.resend_count", a.Number-1),
			))
		}
	}
	return ctx
}

func within(ctx context.Context) bool { return trace.SpanContextFromContext(ctx).IsValid() }

// request starts the span of a request, in the trace of whoever sent it, if there is one.
func (t *Tracer) request(ctx context.Context, r *watch.Request) context.Context {
	if r.Route == "/healthz" || r.Route == "/readyz" {
		return ctx
	}
	ctx = t.remote.Extract(ctx, propagation.HeaderCarrier(r.Header))
	attrs := []attribute.KeyValue{
		attribute.String("http.request.method", r.Method), attribute.String("url.path", r.URL.Path),
		attribute.String("fileloft.request_id", r.ID),
	}
	name := r.Method
	if r.Route != "" {
		name += " " + r.Route
		attrs = append(attrs, attribute.String("http.route", r.Route))
	}
	if r.Upload != "" {
		attrs = append(attrs, attribute.String("fileloft.upload", string(r.Upload)))
	}
	ctx, _ = t.tracer.Start(ctx, name, trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(attrs...))
	return ctx
}

func aboutCall(c *watch.Call) []attribute.KeyValue {
	attrs := make([]attribute.KeyValue, 0, 4)
	if c.ID != "" {
		attrs = append(attrs, attribute.String("fileloft.upload", string(c.ID)))
	}
	if c.Lease.Epoch != 0 {
		attrs = append(attrs, attribute.Int64("fileloft.epoch", int64(c.Lease.Epoch)), attribute.Int64("fileloft.offset", c.Lease.Upload.Offset))
	}
	if c.Method == "commit" {
		attrs = append(attrs, attribute.Int64("fileloft.next_offset", c.Next.Offset), attribute.String("fileloft.next_phase", c.Next.Phase.String()))
	}
	return attrs
}

// operation names what a request of AWS's clients does: S3 has it in the query, DynamoDB in a header.
func operation(r *http.Request) string {
	if id := r.URL.Query().Get("x-id"); id != "" {
		return id
	}
	if _, name, ok := strings.Cut(r.Header.Get("X-Amz-Target"), "."); ok {
		return name
	}
	return r.Method
}

// End ends the span that Begin has started.
func (t *Tracer) End(ctx context.Context, a watch.Act) {
	span := trace.SpanFromContext(ctx)
	switch a := a.(type) {
	case *watch.Request:
		span.SetAttributes(attribute.Int("http.response.status_code", a.Status),
			attribute.Int64("http.request.body.size", a.In), attribute.Int64("http.response.body.size", a.Out))
		if a.Status == 0 || a.Status >= 500 {
			span.SetStatus(codes.Error, http.StatusText(a.Status))
		}
	case *watch.Sweep:
		span.SetAttributes(attribute.String("fileloft.report", fmt.Sprintf("%+v", a.Report)))
		fail(span, a.Err)
	case *watch.Call:
		if !within(ctx) {
			return
		}
		endCall(span, a)
	case *watch.Attempt:
		if a.Status != 0 {
			span.SetAttributes(attribute.Int("http.response.status_code", a.Status))
		}
		if a.Status >= 400 {
			span.SetStatus(codes.Error, http.StatusText(a.Status))
		}
		fail(span, a.Err)
	}
	span.End()
}

func endCall(span trace.Span, c *watch.Call) {
	if c.Method == "append" {
		span.SetAttributes(attribute.Int64("fileloft.bytes", c.Receipt.N), attribute.Float64("fileloft.waited_seconds", c.Waited.Seconds()))
	}
	if answer(c.Err) || c.BodyFailed { // what is to be expected is no error
		span.SetAttributes(attribute.String("fileloft.answer", c.Err.Error()))
		return
	}
	fail(span, c.Err)
}

// answer reports whether an error says how an upload stands.
func answer(err error) bool {
	return errors.Is(err, tus.ErrNotFound) || errors.Is(err, tus.ErrExists) || errors.Is(err, tus.ErrSuperseded) ||
		errors.As(err, new(*tus.OffsetError)) || errors.As(err, new(*tus.LeasedError))
}

func fail(span trace.Span, err error) {
	if err != nil {
		span.RecordError(err)
		span.SetStatus(codes.Error, err.Error())
	}
}
