package prototest

import (
	"testing"

	"github.com/fileloft/fileloft/state/memstate"
	"github.com/fileloft/fileloft/storage/gcsstore"
	"github.com/fileloft/fileloft/storage/gcsstore/gcsfake"
	"github.com/fileloft/fileloft/tus"
)

// TestGCS runs the table over Google Cloud Storage, as far as the fake of it is one.
func TestGCS(t *testing.T) {
	t.Parallel()
	Run(t, func(t testing.TB, opt tus.Options) *Server {
		fake := gcsfake.New(nil, "b")
		l, err := fake.Listen(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(l.Close)
		client, err := l.Client(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		storage, err := gcsstore.New(client, "b", &gcsstore.Options{ChunkSize: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		state := memstate.New(&memstate.Options{Now: opt.Now})
		s := serve(t, state, linkless{storage, storage, storage, storage}, opt)
		s.Leftovers = func(id tus.ID) ([]string, error) {
			// Objects alone: a writer that is overtaken in its middle may leave a piece, which Collect takes away a day later.
			return append(recordOf(state, id), fake.Names("b", func(_ string, meta map[string]string) bool {
				return meta["fileloft-id"] == string(id)
			})...), nil
		}
		return s
	})
}

// linkless is a storage whose links are not asked for: the table is about this server's own downloads.
type linkless struct {
	tus.Storage
	tus.Concatenator
	tus.Opener
	tus.Collector
}
