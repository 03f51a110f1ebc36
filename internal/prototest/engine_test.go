package prototest

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/fileloft/fileloft/state/memstate"
	"github.com/fileloft/fileloft/storage/memstore"
	"github.com/fileloft/fileloft/tus"
)

func TestMemory(t *testing.T) {
	t.Parallel()
	Run(t, func(t testing.TB, opt tus.Options) *Server {
		state, storage := memstate.New(&memstate.Options{Now: opt.Now}), memstore.New(nil)
		t.Cleanup(func() {
			if v := storage.Violations(); len(v) > 0 {
				t.Errorf("the storage was misused: %q", v)
			}
		})
		s := serve(t, state, storage, opt)
		s.Leftovers = func(id tus.ID) ([]string, error) { return append(storage.Pieces(id), recordOf(state, id)...), nil }
		return s
	})
}

func recordOf(state tus.State, id tus.ID) []string {
	if u, err := state.Load(context.Background(), id); err == nil {
		return []string{fmt.Sprintf("record %+v", u)}
	}
	return nil
}

// serve starts a Handler in this process.
func serve(t testing.TB, state tus.State, storage tus.Storage, opt tus.Options) *Server {
	t.Helper()
	h, err := tus.NewHandler(state, storage, &opt)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return &Server{
		URL:    srv.URL + "/files/",
		Client: &http.Client{Transport: srv.Client().Transport, Timeout: 2 * patience},
		Caps:   Caps{Streaming: true, Trailers: true, Raw: true, Functions: true},
		Sweep:  h.Sweep,
		Drain:  h.Drain,
		Peer:   func(t testing.TB) *Server { return serve(t, state, storage, opt) },
	}
}
