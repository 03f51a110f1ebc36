package tus_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/fileloft/fileloft/state/memstate"
	"github.com/fileloft/fileloft/storage/memstore"
	"github.com/fileloft/fileloft/tus"
)

// An upload that was deleted is gone to clients, also while the news of it cannot be delivered.
func TestAnUploadIsGoneBeforeAnybodyWasTold(t *testing.T) {
	var down atomic.Bool
	down.Store(true)
	told := 0
	h, err := tus.NewHandler(memstate.New(nil), memstore.New(nil), &tus.Options{
		Log: slog.New(slog.DiscardHandler),
		Hooks: tus.Hooks{Events: tus.Terminated, Event: func(context.Context, tus.Event) error {
			if down.Load() {
				return errors.New("nobody answers")
			}
			told++
			return nil
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	loc := serve(h, http.MethodPost, "/files/", nil, 0, "Upload-Length", "5").Header.Get("Location")
	if resp := serve(h, http.MethodDelete, loc, nil, 0); resp.StatusCode != http.StatusNoContent {
		t.Fatalf("DELETE: %s", resp.Status)
	}
	for range 2 {
		resp := serve(h, http.MethodPatch, loc, strings.NewReader("hello"), 5, "Upload-Offset", "0", "Content-Type", octets)
		if resp.StatusCode != http.StatusNotFound {
			body, _ := io.ReadAll(resp.Body)
			t.Errorf("PATCH: %s, %s", resp.Status, body)
		}
		down.Store(false)
	}
	if told != 1 {
		t.Errorf("told %d times", told)
	}
}

// A process without hooks that drops what another owes says so: it is most likely a sweeper that lacks the others' settings.
func TestDroppedEventsAreLogged(t *testing.T) {
	state, storage := memstate.New(nil), memstore.New(nil)
	var log bytes.Buffer
	opt := tus.Options{Log: slog.New(slog.NewTextHandler(&log, nil))}
	without, err := tus.NewHandler(state, storage, &opt)
	if err != nil {
		t.Fatal(err)
	}
	opt.Hooks = tus.Hooks{Events: tus.Created, Event: func(context.Context, tus.Event) error { return errors.New("nobody answers") }}
	with, err := tus.NewHandler(state, storage, &opt)
	if err != nil {
		t.Fatal(err)
	}
	loc := serve(with, http.MethodPost, "/files/", nil, 0, "Upload-Length", "5").Header.Get("Location")
	log.Reset()
	serve(without, http.MethodHead, loc, nil, 0)
	if !strings.Contains(log.String(), "level=WARN") || !strings.Contains(log.String(), "events=created") {
		t.Errorf("the log has %q", log.String())
	}
}
