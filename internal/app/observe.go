package app

import (
	"crypto/rand"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/fileloft/fileloft/internal/watch"
)

const requestID = "X-Request-Id" // in the form that http.Header stores

// observe gives the request an id, answers a panic, logs one line, and tells whoever watches. It changes r in place and makes no
// copy: the trailers that a body ends with appear on the request that the server made, and on no other.
func (a *App) observe(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
	id := r.Header.Get(requestID)
	if !saneID(id) {
		id = rand.Text()
	}
	r.Header.Set(requestID, id)
	w.Header().Set(requestID, id)

	act := &watch.Request{Request: r, ID: id}
	act.Route, act.Upload = a.name(r.URL.Path)
	ctx := withIDs(r.Context(), id, act.Upload)
	if a.watch != nil {
		ctx = watch.Into(a.watch.Begin(ctx, act), a.watch)
	}
	*r = *r.WithContext(ctx)

	start := time.Now()
	out := &countingWriter{ResponseWriter: w}
	in := &countingBody{}
	if r.Body != nil && r.Body != http.NoBody { // NoBody is recognised by identity further down
		in.ReadCloser = r.Body
		r.Body = in
	}
	defer func() {
		p := recover()
		aborted := p == http.ErrAbortHandler
		if p != nil && !aborted {
			a.log.LogAttrs(r.Context(), slog.LevelError, "panic", slog.String("request_id", id), slog.Any("panic", p),
				slog.String("stack", string(debug.Stack())))
			if aborted = out.status != 0; !aborted {
				answer(out, http.StatusInternalServerError, "internal: something went wrong; the server's log has it under request id "+id)
			}
		}
		act.Status, act.In, act.Out, act.Took = out.status, in.n, out.n, time.Since(start)
		a.logRequest(act)
		if a.watch != nil {
			a.watch.End(ctx, act)
		}
		if aborted {
			panic(http.ErrAbortHandler) // an answer that had begun can only be cut off
		}
	}()
	next(out, r)
}

func (a *App) logRequest(r *watch.Request) {
	level := slog.LevelInfo
	if r.Route == "/healthz" || r.Route == "/readyz" {
		level = slog.LevelDebug
	}
	a.log.LogAttrs(r.Context(), level, "request",
		slog.String("method", r.Method), slog.String("path", r.URL.Path), slog.Int("status", r.Status),
		slog.Int64("bytes_in", r.In), slog.Int64("bytes_out", r.Out), slog.Duration("took", r.Took),
		slog.String("remote", r.RemoteAddr), slog.String("request_id", r.ID))
}

// saneID accepts what other programs' request ids look like and nothing that could forge a header or a log line.
func saneID(id string) bool {
	if len(id) == 0 || len(id) > 128 {
		return false
	}
	for i := range len(id) {
		c := id[i]
		alnum := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !alnum && c != '-' && c != '_' && c != '.' && c != ':' && c != '/' && c != '=' && c != '+' {
			return false
		}
	}
	return true
}

// A countingWriter remembers the status and counts the bytes of an answer.
type countingWriter struct {
	http.ResponseWriter
	status int
	n      int64
}

// Unwrap lets http.ResponseController reach the connection's deadlines.
func (w *countingWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *countingWriter) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *countingWriter) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(p)
	w.n += int64(n)
	return n, err
}

// ReadFrom keeps the way open for sendfile, which downloads of files use.
func (w *countingWriter) ReadFrom(r io.Reader) (int64, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := io.Copy(w.ResponseWriter, r)
	w.n += n
	return n, err
}

// A countingBody counts the bytes of a request.
type countingBody struct {
	io.ReadCloser
	n int64
}

func (b *countingBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.n += int64(n)
	return n, err
}
