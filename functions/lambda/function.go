package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"github.com/awslabs/aws-lambda-go-api-proxy/core"

	"github.com/fileloft/fileloft/internal/app"
)

// A function answers events. It is a lambda.Handler.
type function struct {
	app  *app.App
	base string // the path that uploads live under
	log  *slog.Logger
}

// Invoke answers one event. An error is one of the event itself, or of a sweep: what a request does wrong is answered.
func (f *function) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	e, d, err := parse(payload)
	if err != nil {
		f.log.ErrorContext(ctx, "event", "error", err)
		return nil, err
	}
	if d == schedule {
		return f.sweep(ctx)
	}
	return f.serve(ctx, e, d)
}

// serve hands a request to the handler, and its answer back in the form that the door wants.
func (f *function) serve(ctx context.Context, e *event, d door) ([]byte, error) {
	r, err := e.request(ctx, d, f.base)
	e.Body, e.cut = "", nil // decoded
	answer := func(w http.ResponseWriter) {
		if err == nil {
			f.answer(w, r)
			return
		}
		f.refuse(w, e.RequestContext.RequestID, err)
	}
	switch d {
	case payload2:
		w := core.NewProxyResponseWriterV2()
		answer(w)
		return encode(w.GetProxyResponse())
	case balancer:
		w := core.NewProxyResponseWriterALB()
		answer(w)
		out, err := w.GetProxyResponse()
		out.StatusDescription = fmt.Sprintf("%d %s", out.StatusCode, http.StatusText(out.StatusCode))
		out.Headers = map[string]string{} // read where the target group has no multi-value headers
		for name, values := range out.MultiValueHeaders {
			out.Headers[name] = strings.Join(values, ",")
		}
		return encode(out, err)
	default:
		w := core.NewProxyResponseWriter()
		answer(w)
		return encode(w.GetProxyResponse())
	}
}

// answer runs the handler. A panic that it passes on means that the answer is worth nothing.
func (f *function) answer(w http.ResponseWriter, r *http.Request) {
	defer func() {
		if p := recover(); p != nil {
			f.refuse(w, r.Header.Get("X-Request-Id"), errors.New("internal: something went wrong"))
		}
	}()
	f.app.ServeHTTP(w, r)
}

// refuse answers a request that never came to the handler.
func (f *function) refuse(w http.ResponseWriter, id string, err error) {
	f.log.Error("request refused", "error", err, "request_id", id)
	status, text := http.StatusBadRequest, err.Error()
	switch {
	case errors.Is(err, errBase64):
	case errors.Is(err, errText), strings.HasPrefix(text, "internal: "):
		status = http.StatusInternalServerError
	default:
		text = "invalid-request: the request is not understood"
	}
	hd := w.Header()
	hd.Set("Tus-Resumable", "1.0.0")
	hd.Set("X-Request-Id", cmp.Or(id, "none")) // a load balancer has none
	hd.Set("Content-Type", "text/plain; charset=utf-8")
	hd.Set("X-Content-Type-Options", "nosniff")
	hd.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text + "\n")) // into memory
}

// sweep runs the sweeper.
func (f *function) sweep(ctx context.Context) ([]byte, error) {
	result, err := f.app.SweepInTime(ctx)
	if err != nil {
		return nil, err
	}
	return json.Marshal(result)
}

func encode(out any, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	return json.Marshal(out)
}
