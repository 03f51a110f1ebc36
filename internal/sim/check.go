package sim

import (
	"bytes"
	"maps"
	"slices"
	"strings"

	"github.com/fileloft/fileloft/state"
	"github.com/fileloft/fileloft/tus"
)

// mayVanish reports whether somebody has a right to the removal of the upload. A final upload may when a part of it was deleted, or
// cleaned up for a twin of it, whose creation was not answered.
func (w *world) mayVanish(f *file) bool {
	switch {
	case f.deleted || f.reject || f.corrupt || w.shortLife:
		return true
	case f.role == tus.Partial:
		return f.joined && w.opt.CleanupPartials
	case f.role == tus.Final && w.opt.CleanupPartials && f.made > 1:
		return true
	}
	return slices.ContainsFunc(f.parts, func(p *file) bool { return p.deleted })
}

// checkRecord holds a record that was just written against what the clients sent.
func (w *world) checkRecord(r *state.Record) {
	u := &r.Upload
	f := w.files[u.ID]
	if f == nil || f.role == tus.Final && u.Phase == tus.Open {
		return
	}
	sums, err := u.Sums()
	switch {
	case err != nil:
		w.s.failLocked("record %s: %v", u.ID, err)
	case u.Offset > int64(len(f.data)), u.Length != tus.Unknown && u.Length != int64(len(f.data)) && u.Phase != tus.Doomed:
		w.s.failLocked("record %s: offset %d, length %d of a file of %d bytes", u.ID, u.Offset, u.Length, len(f.data))
	case sums.CRC32C != f.sums[u.Offset]:
		w.s.failLocked("record %s: the first %d bytes are not what was sent", u.ID, u.Offset)
	case u.Phase == tus.Done && (f.reject || f.corrupt):
		w.s.failLocked("upload %s is done, and was rejected (%v) or is corrupt (%v)", u.ID, f.reject, f.corrupt)
	}
}

// checkObject wants an upload's object in place.
func (w *world) checkObject(u *tus.Upload) {
	f := w.files[u.ID]
	got, err := w.store.Object(u)
	switch {
	case err != nil:
		w.s.failLocked("upload %s is complete, and its object is not there: %v", u.ID, err)
	case !bytes.Equal(got, f.data):
		w.s.failLocked("the object of %s has %d bytes and is not what was sent, %d bytes", u.ID, len(got), len(f.data))
	}
}

// checkEnd holds what is left, after all clients have gone and all sweeps are over, against what there should be.
func (w *world) checkEnd() {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	for _, id := range w.table.all() {
		r := w.table.records[id]
		u := &r.Upload
		if w.files[id] == nil {
			w.s.failLocked("record %s is left behind: no upload's, due %v", id, r.Due)
			continue
		}
		if u.Phase != tus.Done || u.Pending != 0 {
			w.s.failLocked("record %s is left behind: %s at %d of %d, owing %v, due %v", id, u.Phase, u.Offset, u.Length, u.Pending, r.Due)
			continue
		}
		w.checkObject(u)
		if w.files[id].role != tus.Partial && len(w.events[string(id)+" finished"]) != 1 {
			w.s.failLocked("upload %s is done, and that was told as %v", id, w.events[string(id)+" finished"])
		}
		if left := w.store.Pieces(id); len(left) != 1 { // its object
			w.s.failLocked("upload %s is done, and there is %v", id, left)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(w.files)) {
		if _, ok := w.table.records[id]; !ok && len(w.store.Pieces(id)) > 0 {
			w.s.failLocked("upload %s is gone, and still there is %v", id, w.store.Pieces(id))
		}
	}
	for _, what := range slices.Sorted(maps.Keys(w.events)) {
		if n := len(w.events[what]); n > 1 && !strings.HasSuffix(what, " progress") {
			w.s.failLocked("%s was told under %d ids", what, n)
		}
	}
	if v := w.store.Violations(); len(v) > 0 {
		w.s.failLocked("the store saw %v", v)
	}
}

// checkNothing wants nothing left, after the finished uploads were deleted too.
func (w *world) checkNothing() {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	for _, id := range w.table.all() {
		w.s.failLocked("record %s is left behind: %s", id, w.table.records[id].Upload.Phase)
	}
	for _, id := range slices.Sorted(maps.Keys(w.files)) {
		if p := w.store.Pieces(id); len(p) > 0 {
			w.s.failLocked("upload %s was deleted, and still there is %v", id, p)
		}
	}
}
