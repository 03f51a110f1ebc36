package app

import (
	"context"
	"log/slog"
	"strings"
	"sync/atomic"

	"github.com/fileloft/fileloft/tus"
)

// ids are what log lines about a request carry. The upload's is not known at once where the request creates it.
type ids struct {
	request string
	upload  atomic.Pointer[tus.ID]
}

type idsKey struct{}

// withIDs returns a context that log lines take a request's ids from.
func withIDs(ctx context.Context, request string, upload tus.ID) context.Context {
	i := &ids{request: request}
	if upload != "" {
		i.upload.Store(&upload)
	}
	return context.WithValue(ctx, idsKey{}, i)
}

// identified puts the ids of the context into a log line, where the line does not have its own: request_id and upload.
type identified struct{ slog.Handler }

func (h identified) Handle(ctx context.Context, rec slog.Record) error {
	i, ok := ctx.Value(idsKey{}).(*ids)
	if !ok {
		return h.Handler.Handle(ctx, rec)
	}
	missing := map[string]string{"request_id": i.request}
	if id := i.upload.Load(); id != nil {
		missing["upload"] = string(*id)
	}
	rec.Attrs(func(a slog.Attr) bool {
		delete(missing, a.Key)
		return true
	})
	rec = rec.Clone()
	for _, key := range []string{"request_id", "upload"} {
		if id := missing[key]; id != "" {
			rec.AddAttrs(slog.String(key, id))
		}
	}
	return h.Handler.Handle(ctx, rec)
}

func (h identified) WithAttrs(attrs []slog.Attr) slog.Handler {
	return identified{h.Handler.WithAttrs(attrs)}
}

func (h identified) WithGroup(name string) slog.Handler { return identified{h.Handler.WithGroup(name)} }

// naming is a State that tells the log the id of the upload that a request creates.
type naming struct{ tus.State }

func (n naming) Unwrap() tus.State { return n.State }

func (n naming) Create(ctx context.Context, u tus.Upload, c tus.Claim) (tus.Lease, error) {
	if i, ok := ctx.Value(idsKey{}).(*ids); ok {
		i.upload.CompareAndSwap(nil, &u.ID) // what else it creates serves this one
	}
	return n.State.Create(ctx, u, c)
}

// name tells what a path stands for, and which upload it names.
func (a *App) name(path string) (route string, upload tus.ID) {
	base := a.cfg.BasePath
	switch rest, below := strings.CutPrefix(path, base); {
	case path == "/healthz", path == "/readyz":
		return path, ""
	case rest == "" && below, path == strings.TrimSuffix(base, "/"):
		return base, ""
	case below:
		if id := tus.ID(strings.TrimSuffix(rest, "/")); id.Validate() == nil {
			upload = id
		}
		return base + "{id}", upload
	}
	return "", ""
}
