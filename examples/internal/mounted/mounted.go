// Package mounted checks that a router passes uploads on unharmed: it runs the whole protocol table through it.
package mounted

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/fileloft/fileloft/internal/prototest"
	"github.com/fileloft/fileloft/state/memstate"
	"github.com/fileloft/fileloft/storage/memstore"
	"github.com/fileloft/fileloft/tus"
)

// Test runs the table against what router makes of an upload handler. caps says what the router keeps for itself.
func Test(t *testing.T, router func(uploads http.Handler) http.Handler, caps prototest.Caps) {
	if testing.Short() {
		t.Skip("the whole protocol table is too long for -short")
	}
	caps.Streaming, caps.Trailers, caps.Raw, caps.Functions = true, true, true, true
	m := mount{router, caps}
	prototest.Run(t, func(t testing.TB, opt tus.Options) *prototest.Server {
		return m.serve(t, memstate.New(&memstate.Options{Now: opt.Now}), memstore.New(nil), opt)
	})
}

type mount struct {
	router func(http.Handler) http.Handler
	caps   prototest.Caps
}

func (m mount) serve(t testing.TB, state tus.State, storage tus.Storage, opt tus.Options) *prototest.Server {
	t.Helper()
	uploads, err := tus.NewHandler(state, storage, &opt)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(m.router(uploads))
	t.Cleanup(srv.Close)
	return &prototest.Server{
		URL: srv.URL + "/files/", Client: srv.Client(), Caps: m.caps, Sweep: uploads.Sweep, Drain: uploads.Drain,
		Peer: func(t testing.TB) *prototest.Server { return m.serve(t, state, storage, opt) },
	}
}
