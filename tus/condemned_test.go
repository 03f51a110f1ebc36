package tus_test

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fileloft/fileloft/state/memstate"
	"github.com/fileloft/fileloft/storage/memstore"
	"github.com/fileloft/fileloft/tus"
)

// A request that has lost its lease may find the parts of its upload gone, because another one has joined them and cleaned up. It must not say
// that the upload is: it is complete.
func TestWhoLostItsLeaseCondemnsNothing(t *testing.T) {
	var asleep atomic.Int64
	now := func() time.Time { return time.Now().Add(time.Duration(asleep.Load())) }
	state, storage := memstate.New(&memstate.Options{Now: now}), memstore.New(nil)
	opt := tus.Options{EnableConcatenation: true, CleanupPartials: true, Log: slog.New(slog.DiscardHandler), Now: now}
	other, err := tus.NewHandler(state, storage, &opt)
	if err != nil {
		t.Fatal(err)
	}
	var final string
	asked := 0
	opt.Hooks.PreFinish = func(context.Context, tus.Upload) error {
		if asked++; asked == 1 { // the process sleeps here, and another one does all there is to do
			asleep.Store(int64(time.Hour))
			if resp := serve(other, http.MethodHead, final, nil, 0); resp.Header.Get("Upload-Offset") != "5" {
				t.Errorf("the other one: %s", resp.Status)
			}
		}
		return nil
	}
	h, err := tus.NewHandler(state, storage, &opt)
	if err != nil {
		t.Fatal(err)
	}
	part := serve(h, http.MethodPost, "/files/", nil, 0, "Upload-Length", "5", "Upload-Concat", "partial").Header.Get("Location")
	final = serve(h, http.MethodPost, "/files/", nil, 0, "Upload-Concat", "final;"+part).Header.Get("Location")
	// One that does not join others completes the part, so that nobody is woken by it: the HEAD below is the first to see it.
	plain, err := tus.NewHandler(state, storage, &tus.Options{Log: opt.Log, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	resp := serve(plain, http.MethodPatch, part, strings.NewReader("hello"), 5, "Upload-Offset", "0", "Content-Type", octets)
	if resp.StatusCode != http.StatusNoContent {
		t.Fatalf("PATCH: %s", resp.Status)
	}
	if resp := serve(h, http.MethodHead, final, nil, 0); resp.StatusCode != http.StatusLocked {
		t.Errorf("HEAD by who lost its lease: %s", resp.Status)
	}
	if resp := serve(h, http.MethodHead, final, nil, 0); resp.Header.Get("Upload-Offset") != "5" || asked != 1 {
		t.Errorf("HEAD after that: %s, asked %d times", resp.Status, asked)
	}
}
