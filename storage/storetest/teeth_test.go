package storetest_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/fileloft/fileloft/storage/memstore"
	"github.com/fileloft/fileloft/storage/storetest"
	"github.com/fileloft/fileloft/tus"
)

const partSize = 1000

// TestTeeth: each of these drivers does one thing as most servers do it, and the schedules must notice.
func TestTeeth(t *testing.T) {
	mem := func() tus.Storage { return memstore.New(&memstore.Options{PartSize: partSize}) }
	for name, s := range map[string]tus.Storage{
		"parts numbered by their place": byPlace{mem()},
		"one file, written in place":    inPlace{t.TempDir()},
		"removes under a wrong name":    forgetful{mem()},
		"removes nothing":               keeper{mem()},
		"counts past the last Read":     boaster{mem()},
	} {
		t.Run(name, func(t *testing.T) {
			caught := 0
			var last error
			for seed := uint64(1); seed <= 300 && caught < 3; seed++ {
				if err := storetest.Schedule(t.Context(), s, storetest.Config{PartSize: partSize}, seed); err != nil {
					caught, last = caught+1, err
				}
			}
			if caught < 3 {
				t.Errorf("300 schedules caught it %d times", caught)
			}
			t.Logf("%.150v", last)
		})
	}
}

// TestTeethOfCollect: each of these takes an upload for something else, and the checks of Collect must notice.
func TestTeethOfCollect(t *testing.T) {
	const strays, done, rest = "Collect removes strays and only those",
		"Collect takes what lies beside a finished upload", "Collect leaves an upload that is not finished alone"
	cfg := storetest.Config{PartSize: partSize, Pieces: func(s tus.Storage, u tus.Upload) []string {
		return s.(interface{ Pieces(tus.ID) []string }).Pieces(u.ID)
	}}
	taken := func(from, to tus.Phase) func(tus.Upload, error) (tus.Upload, error) {
		return func(u tus.Upload, err error) (tus.Upload, error) {
			if err == nil && u.Phase == from {
				u.Phase = to
			}
			return u, err
		}
	}
	for name, c := range map[string]struct {
		check string
		as    func(tus.Upload, error) (tus.Upload, error)
	}{
		"leaves what lies beside a finished upload": {done, taken(tus.Done, tus.Open)},
		"takes an open upload for a finished one":   {rest, taken(tus.Open, tus.Done)},
		"takes a sealed upload for a finished one":  {rest, taken(tus.Sealed, tus.Done)},
		"takes all uploads for gone":                {strays, func(tus.Upload, error) (tus.Upload, error) { return tus.Upload{}, tus.ErrNotFound }},
		"takes no upload for gone":                  {strays, func(u tus.Upload, _ error) (tus.Upload, error) { return u, nil }},
		"takes a question for an answer": {strays, func(u tus.Upload, err error) (tus.Upload, error) {
			if err != nil {
				err = tus.ErrNotFound
			}
			return u, err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s := memstore.New(&memstore.Options{PartSize: partSize})
			if err := storetest.Check(t.Context(), s, cfg, c.check); err != nil {
				t.Fatalf("as it is: %v", err)
			}
			err := storetest.Check(t.Context(), mistaken{memstore.New(&memstore.Options{PartSize: partSize}), c.as}, cfg, c.check)
			if err == nil {
				t.Errorf("%s: not noticed", c.check)
			}
			t.Logf("%.150v", err)
		})
	}
}

// mistaken makes something else of what it is told about an upload.
type mistaken struct {
	*memstore.Store
	as func(tus.Upload, error) (tus.Upload, error)
}

func (s mistaken) Collect(
	ctx context.Context, before time.Time, look func(context.Context, tus.ID, string) (tus.Upload, error),
) (int, error) {
	return s.Store.Collect(ctx, before, func(ctx context.Context, id tus.ID, birth string) (tus.Upload, error) {
		return s.as(look(ctx, id, birth))
	})
}

// byPlace numbers S3 parts from the upload's offset, as a server would that knows nothing of leases.
type byPlace struct{ tus.Storage }

func (s byPlace) Unwrap() tus.Storage { return s.Storage }

func (s byPlace) Append(ctx context.Context, l tus.Lease, r io.Reader) (tus.Receipt, error) {
	granted := l.Slots
	l.Slots = tus.Slots{First: uint32(l.Upload.Offset/partSize) + 1, N: 1000}
	rec, err := s.Storage.Append(ctx, l, r)
	rec.NextSlot = granted.First
	return rec, err
}

// forgetful removes what it can find of an upload, and finds nothing.
type forgetful struct{ tus.Storage }

func (s forgetful) Unwrap() tus.Storage { return s.Storage }

func (s forgetful) Remove(ctx context.Context, l tus.Lease) error {
	l.Upload.Birth = "nobody" // finds neither session nor object
	return s.Storage.Remove(ctx, l)
}

// keeper leaves the object where it is.
type keeper struct{ tus.Storage }

func (s keeper) Unwrap() tus.Storage                     { return s.Storage }
func (s keeper) Remove(context.Context, tus.Lease) error { return nil }

// boaster counts a byte that it did not read.
type boaster struct{ tus.Storage }

func (s boaster) Unwrap() tus.Storage { return s.Storage }

func (s boaster) Append(ctx context.Context, l tus.Lease, r io.Reader) (tus.Receipt, error) {
	rec, err := s.Storage.Append(ctx, l, r)
	if err != nil && rec.N > 1 {
		rec.N--
	}
	return rec, err
}

// inPlace is the simplest driver for a directory: one file for each upload, written at its offset.
type inPlace struct{ dir string }

func (s inPlace) path(u *tus.Upload) string { return filepath.Join(s.dir, string(u.ID)+u.Birth) }

func (s inPlace) Slots(int64) uint32 { return 0 }

func (s inPlace) Append(_ context.Context, l tus.Lease, r io.Reader) (tus.Receipt, error) {
	rec := tus.Receipt{Cursor: l.Upload.Cursor, NextSlot: l.Slots.First}
	f, err := os.OpenFile(s.path(&l.Upload), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return rec, err
	}
	rec.N, err = io.Copy(io.NewOffsetWriter(f, l.Upload.Offset), r)
	return rec, errors.Join(err, f.Close())
}

func (s inPlace) Complete(_ context.Context, l tus.Lease) (tus.Stored, error) {
	f, err := os.OpenFile(s.path(&l.Upload), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return tus.Stored{}, err
	}
	return tus.Stored{Size: l.Upload.Length}, errors.Join(f.Truncate(l.Upload.Length), f.Close())
}

func (s inPlace) Remove(_ context.Context, l tus.Lease) error { return os.RemoveAll(s.path(&l.Upload)) }

func (s inPlace) Open(_ context.Context, u tus.Upload, off, n int64) (io.ReadCloser, error) {
	f, err := os.Open(s.path(&u))
	if err != nil {
		return nil, err
	}
	_, err = f.Seek(off, io.SeekStart)
	return f, err
}
