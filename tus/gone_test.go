package tus_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fileloft/fileloft/state/memstate"
	"github.com/fileloft/fileloft/storage/memstore"
	"github.com/fileloft/fileloft/tus"
)

// A client that goes away while it waits for a busy upload is no failure of the server.
func TestAClientThatGoesWhileItWaitsIsNoError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		state := memstate.New(nil)
		h, err := tus.NewHandler(state, memstore.New(nil), &tus.Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		u := tus.Upload{ID: "u", Birth: "b", Length: 10, NextSlot: 1}
		if _, err := state.Create(t.Context(), u, tus.Claim{TTL: time.Hour, Nonce: "another process"}); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		r := httptest.NewRequestWithContext(ctx, http.MethodPatch, "/files/u", strings.NewReader("0123456789"))
		r.Header.Set("Tus-Resumable", "1.0.0")
		r.Header.Set("Content-Type", octets)
		r.Header.Set("Upload-Offset", "0")
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		if rec.Code != http.StatusServiceUnavailable || log.Len() > 0 {
			t.Errorf("%d %s, logged %q", rec.Code, rec.Body, log.String())
		}
	})
}

// stuck is a storage that does not get anywhere until it is told to end.
type stuck struct{ *memstore.Store }

func (s stuck) Append(ctx context.Context, l tus.Lease, _ io.Reader) (tus.Receipt, error) {
	<-ctx.Done()
	return tus.Receipt{Cursor: l.Upload.Cursor, NextSlot: l.Slots.First}, ctx.Err()
}

// A storage that stands still is unavailable: the client is to try again, not to give up.
func TestAStorageThatStandsStillIsUnavailable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, err := tus.NewHandler(memstate.New(nil), stuck{memstore.New(nil)}, &tus.Options{Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		made := serve(h, http.MethodPost, "/files/", nil, 0, "Upload-Length", "10")
		resp := serve(h, http.MethodPatch, made.Header.Get("Location"), strings.NewReader("0123456789"), 10, "Content-Type", octets, "Upload-Offset", "0")
		if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
			t.Errorf("%d, Retry-After %q", resp.StatusCode, resp.Header.Get("Retry-After"))
		}
	})
}
