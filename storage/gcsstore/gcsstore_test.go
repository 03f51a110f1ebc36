package gcsstore

import (
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/storage"
	gax "github.com/googleapis/gax-go/v2"

	"github.com/fileloft/fileloft/storage/gcsstore/gcsfake"
	"github.com/fileloft/fileloft/storage/storetest"
	"github.com/fileloft/fileloft/tus"
)

// onFake returns a Store on a fake, over HTTP, that repeats requests without long pauses.
func onFake(tb testing.TB, o Options, f gcsfake.Options) (*Store, *gcsfake.Server) {
	tb.Helper()
	srv := gcsfake.New(&f, "b")
	return storeOn(tb, srv, "b", o), srv
}

func storeOn(tb testing.TB, srv *gcsfake.Server, bucket string, o Options) *Store {
	tb.Helper()
	l, err := srv.Listen(tb.Context(), "")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(l.Close)
	client, err := l.Client(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	client.SetRetry(storage.WithBackoff(gax.Backoff{Initial: time.Millisecond, Max: 2 * time.Millisecond}))
	s, err := New(client, bucket, &o)
	if err != nil {
		tb.Fatal(err)
	}
	s.pause, s.wait = time.Millisecond, time.Millisecond
	return s
}

// left lists what is there of an id in all its lives, signs apart.
func left(s *Store, f *gcsfake.Server, u tus.Upload) []string {
	return f.Names("b", func(name string, meta map[string]string) bool {
		l, piece, ok := s.parsePiece(name)
		return ok && l.id == u.ID && piece != signName || meta[metaID] == string(u.ID)
	})
}

func suite(t *testing.T, o Options, c storetest.Config) {
	fakes := map[tus.Storage]*gcsfake.Server{}
	c.New = func(tb testing.TB) tus.Storage {
		s, f := onFake(tb, o, gcsfake.Options{PageSize: 10})
		fakes[s] = f
		return s
	}
	c.MaxHeap = -1 // the fake keeps bodies
	c.Pause = 25 * time.Millisecond
	c.Violations = func(s tus.Storage) []string { return fakes[s].Replaced() }
	c.Pieces = func(s tus.Storage, u tus.Upload) []string { return left(s.(*Store), fakes[s], u) }
	storetest.Run(t, c)
}

func TestStore(t *testing.T) { suite(t, Options{}, storetest.Config{PartSize: 1000}) }

// Pieces that are begun as uploads of many chunks, and end and begin anew on the way.
func TestChunks(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: its bodies are long, and -short is to be quick")
	}
	suite(t, Options{ChunkSize: quantum, PieceSize: 2 * quantum, Prefix: "in/", StorageClass: "NEARLINE"},
		storetest.Config{PartSize: quantum, Seeds: 400})
}

func TestErrorsOfNew(t *testing.T) {
	client := &storage.Client{}
	for what, o := range map[string]*Options{
		"a chunk of no whole quanta": {ChunkSize: quantum + 1},
		"a chunk that is too small":  {ChunkSize: 1000},
		"a chunk that is too large":  {ChunkSize: 2 * maxChunk},
		"a negative number":          {Parallel: -1},
		"links for too long":         {LinkTTL: 8 * 24 * time.Hour},
		"pieces without a slash":     {Pieces: "p"},
	} {
		if _, err := New(client, "b", o); err == nil || !strings.HasPrefix(err.Error(), "gcsstore: ") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := New(client, "", nil); err == nil {
		t.Error("no bucket: no error")
	}
}
