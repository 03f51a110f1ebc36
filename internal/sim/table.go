package sim

import (
	"context"
	"slices"
	"strconv"

	"github.com/fileloft/fileloft/state"
	"github.com/fileloft/fileloft/tus"
)

// A table is the database: one for all replicas. It holds every record that is written against what was there before, and what
// it says of the bytes against what the clients sent. Only the scheduler's goroutine touches it.
type table struct {
	w       *world
	records map[tus.ID]state.Record
	deleted map[tus.ID]bool
}

var _ state.Swapper = (*table)(nil)

func (t *table) Get(_ context.Context, id tus.ID) (state.Record, string, error) {
	r, ok := t.records[id]
	if !ok {
		return r, "", tus.ErrNotFound
	}
	return r, version(r), nil
}

func (t *table) Insert(_ context.Context, r state.Record) error {
	if _, ok := t.records[r.Upload.ID]; ok {
		return tus.ErrExists
	}
	t.records[r.Upload.ID] = r
	t.w.checkRecord(&r)
	return nil
}

func (t *table) Swap(_ context.Context, r state.Record, v string) error {
	old, ok := t.records[r.Upload.ID]
	if !ok || version(old) != v {
		return state.ErrConflict
	}
	t.records[r.Upload.ID] = r
	a, b := &old.Upload, &r.Upload
	switch {
	case b.Birth != a.Birth:
		t.w.s.failLocked("record %s: the birth changed", b.ID)
	case b.Offset < a.Offset:
		t.w.s.failLocked("record %s: the offset went back from %d to %d", b.ID, a.Offset, b.Offset)
	case b.Phase < a.Phase:
		t.w.s.failLocked("record %s: the phase went back from %s to %s", b.ID, a.Phase, b.Phase)
	case r.Epoch < old.Epoch:
		t.w.s.failLocked("record %s: the epoch went back from %d to %d", b.ID, old.Epoch, r.Epoch)
	}
	t.w.checkRecord(&r)
	if b.Phase == tus.Done && a.Phase != tus.Done {
		t.w.checkObject(b)
	}
	return nil
}

func (t *table) Delete(_ context.Context, id tus.ID, v string) error {
	old, ok := t.records[id]
	if !ok || version(old) != v {
		return state.ErrConflict
	}
	delete(t.records, id)
	t.deleted[id] = true
	if u := &old.Upload; t.w.files[id] != nil {
		if p := t.w.store.Pieces(id); len(p) > 0 && u.Phase != tus.Doomed {
			t.w.s.failLocked("record %s is deleted in phase %s, and there is still %v", id, u.Phase, p)
		}
	}
	return nil
}

// all returns the ids of the records in order.
func (t *table) all() []tus.ID {
	ids := make([]tus.ID, 0, len(t.records))
	for id := range t.records {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// version joins the three marks that no two writes share.
func version(r state.Record) string {
	return strconv.FormatUint(uint64(r.Epoch), 10) + " " + r.Nonce + " " + r.Upload.Birth
}

// A versioned table saves Commit and Delete their read.
type versioned struct{ state.Swapper }

var _ state.Versioner = versioned{}

func (versioned) VersionOf(r state.Record) string { return version(r) }
