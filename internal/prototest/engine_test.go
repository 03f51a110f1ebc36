package prototest

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
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

// TestHTTP2 has many requests on one connection, where closing it is no way to end one of them.
func TestHTTP2(t *testing.T) {
	t.Parallel()
	Run(t, func(t testing.TB, opt tus.Options) *Server {
		h, err := tus.NewHandler(memstate.New(&memstate.Options{Now: opt.Now}), memstore.New(nil), &opt)
		if err != nil {
			t.Fatal(err)
		}
		srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.ProtoMajor != 2 {
				t.Errorf("%s %s came by %s", r.Method, r.URL, r.Proto)
			}
			h.ServeHTTP(w, r)
		}))
		srv.EnableHTTP2 = true
		srv.StartTLS()
		t.Cleanup(srv.Close)
		return &Server{
			URL: srv.URL + "/files/", Client: srv.Client(), Caps: Caps{Streaming: true, Trailers: true, Functions: true}, Sweep: h.Sweep, Drain: h.Drain,
		}
	})
}

func TestBasePath(t *testing.T) {
	for given, base := range map[string]string{"/api/v1/uploads": "/api/v1/uploads/", "/": "/", "/up/": "/up/"} {
		s := serve(t, memstate.New(nil), memstore.New(nil), tus.Options{BasePath: given, EnableConcatenation: true, EnableDownload: true, Log: logger()})
		s.URL = strings.TrimSuffix(s.URL, "/files/") + base
		want := data(100)
		url := s.upload(t, want, "Upload-Concat", "partial")
		s.holds(t, url, want)
		path := base + string(id(url))
		s.holds(t, s.location(t, s.post(t, nil, "Upload-Concat", "final;"+path).want(t, 201)), want)
		if base != "/" {
			s.do(t, "HEAD", strings.TrimSuffix(s.URL, base)+"/"+string(id(url)), nil).want(t, 404)
		}
		s.do(t, "DELETE", url, nil).want(t, 204)
	}
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
