package tus_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fileloft/fileloft/state/memstate"
	"github.com/fileloft/fileloft/storage/memstore"
	"github.com/fileloft/fileloft/tus"
)

// commits counts the commits to a State.
type commits struct {
	tus.State
	n atomic.Int64
}

func (c *commits) Commit(ctx context.Context, l tus.Lease, u tus.Upload, cl tus.Claim) (tus.Lease, error) {
	c.n.Add(1)
	return c.State.Commit(ctx, l, u, cl)
}

// broken is a storage whose Append panics.
type broken struct{ tus.Storage }

func (broken) Append(context.Context, tus.Lease, io.Reader) (tus.Receipt, error) { panic("broken") }

func TestAPanicIsA500AndNothingOutlivesTheResponse(t *testing.T) {
	for name, c := range map[string]struct {
		storage tus.Storage
		hooks   tus.Hooks
	}{
		"in a hook": {memstore.New(nil), tus.Hooks{PreFinish: func(context.Context, tus.Upload) error { panic("broken") }}},
		"in an event hook": {memstore.New(nil), tus.Hooks{
			Events: tus.Finished, Event: func(context.Context, tus.Event) error { panic("broken") },
		}},
		"in the storage": {broken{memstore.New(nil)}, tus.Hooks{}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				state := &commits{State: memstate.New(nil)}
				h, err := tus.NewHandler(state, c.storage, &tus.Options{Hooks: c.hooks, Log: slog.New(slog.DiscardHandler)})
				if err != nil {
					t.Fatal(err)
				}
				ask := asker(h)
				loc := ask(http.MethodPost, "/files/", "", "Upload-Length", "5").Header().Get("Location")
				rec := ask(http.MethodPatch, loc, "hello", "Upload-Offset", "0", "Content-Type", octets)
				if rec.Code != http.StatusInternalServerError || rec.Header().Get("Tus-Resumable") != "1.0.0" ||
					strings.Contains(rec.Body.String(), "broken") || rec.Header().Get("X-Request-ID") == "" {
					t.Errorf("answer: %d %v %s", rec.Code, rec.Header(), rec.Body)
				}
				before := state.n.Load()
				time.Sleep(time.Minute)
				if after := state.n.Load(); after != before {
					t.Errorf("%d commits after the response", after-before)
				}
			})
		})
	}
}
