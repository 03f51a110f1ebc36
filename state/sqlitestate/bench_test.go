package sqlitestate_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/fileloft/fileloft/state/sqlitestate"
	"github.com/fileloft/fileloft/tus"
)

// An ordinary upload: the cursor and digest of an S3 upload with some parts, metadata as browsers send it.
func ordinary(id tus.ID) tus.Upload {
	return tus.Upload{
		ID: id, Birth: "mark-of-birth", Length: 1 << 30, Metadata: "filename d29ybGRfZG9taW5hdGlvbl9wbGFuLnBkZg==,filetype YXBwbGljYXRpb24vcGRm",
		Created: time.UnixMilli(1_800_000_000_000), Expires: time.UnixMilli(1_800_086_400_000),
		Cursor: make(tus.Cursor, 120), Digest: make([]byte, 5),
	}
}

func claim(ttl time.Duration, slots uint32) tus.Claim {
	return tus.Claim{Offset: tus.AnyOffset, TTL: ttl, Slots: slots, Nonce: tus.NewNonce()}
}

func open(t testing.TB, opt *sqlitestate.Options) *sqlitestate.Store {
	t.Helper()
	st, err := sqlitestate.Open(filepath.Join(t.TempDir(), "state.db"), opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	return st
}

// everySync runs a benchmark once for each of the modes.
func everySync(b *testing.B, f func(b *testing.B, st *sqlitestate.Store)) {
	for _, sync := range []sqlitestate.Sync{sqlitestate.Full, sqlitestate.Normal, sqlitestate.Off} {
		b.Run(sync.String(), func(b *testing.B) {
			st := open(b, &sqlitestate.Options{Sync: sync})
			b.ReportAllocs()
			b.ResetTimer()
			f(b, st)
		})
	}
}

func BenchmarkLoad(b *testing.B) {
	ctx, cancel := context.WithCancel(context.Background()) // as a request's: it can be cancelled
	defer cancel()
	st := open(b, nil)
	lease := create(b, st, time.Hour)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := st.Load(ctx, lease.Upload.ID); err != nil {
			b.Fatal(err)
		}
	}
}

func create(b *testing.B, st *sqlitestate.Store, ttl time.Duration) tus.Lease {
	lease, err := st.Create(context.Background(), ordinary(tus.NewID()), claim(ttl, 0))
	if err != nil {
		b.Fatal(err)
	}
	return lease
}

func BenchmarkCreate(b *testing.B) {
	everySync(b, func(b *testing.B, st *sqlitestate.Store) {
		for b.Loop() {
			create(b, st, time.Hour)
		}
	})
}

// patch does what a PATCH does to the state.
func patch(b *testing.B, st *sqlitestate.Store, id tus.ID) {
	ctx := context.Background()
	lease, err := st.Acquire(ctx, id, claim(time.Hour, 2))
	if err != nil {
		b.Fatal(err)
	}
	next := lease.Upload
	next.Offset++
	next.NextSlot++
	if _, err := st.Commit(ctx, lease, next, claim(0, 0)); err != nil {
		b.Fatal(err)
	}
}

func BenchmarkAcquireCommit(b *testing.B) {
	everySync(b, func(b *testing.B, st *sqlitestate.Store) {
		id := create(b, st, 0).Upload.ID
		for b.Loop() {
			patch(b, st, id)
		}
	})
}

// Sixteen clients at once: their writes share transactions.
func BenchmarkAcquireCommit16(b *testing.B) {
	everySync(b, func(b *testing.B, st *sqlitestate.Store) {
		b.SetParallelism(8) // times GOMAXPROCS
		b.RunParallel(func(pb *testing.PB) {
			id := create(b, st, 0).Upload.ID
			for pb.Next() {
				patch(b, st, id)
			}
		})
	})
}
