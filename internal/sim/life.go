package sim

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/fileloft/fileloft/tus"
)

// A life is an upload, as the state would keep it.
type life struct {
	up    tus.Upload
	data  []byte
	epoch tus.Epoch
	slots uint32
	parts []*life // of a final upload

	placed  bool // a call has told that the object is there
	gone    bool // it is being removed, or is
	removed bool // a call has told so
}

func (o *order) newLife(n int, role tus.Role, size int) *life {
	id := tus.ID(fmt.Sprintf("u%d-0", n))
	l := &life{slots: 1, up: tus.Upload{
		ID: id, Birth: fmt.Sprintf("birth%07d", n), Key: "o/" + string(id), Length: int64(size), Created: time.Now(), Concat: tus.Concat{Role: role},
	}}
	for i := range size {
		l.data = append(l.data, byte(i*7+i/50+n))
	}
	return l
}

// lease grants the next lease, for a body of n bytes.
func (l *life) lease(st tus.Storage, n int) tus.Lease {
	l.epoch++
	first := l.slots
	k := st.Slots(int64(n))
	l.slots += k
	u := l.up
	u.Cursor, u.NextSlot = slices.Clone(u.Cursor), first
	return tus.Lease{Upload: u, Epoch: l.epoch, Slots: tus.Slots{First: first, N: k}, Nonce: fmt.Sprint("n", l.epoch)}
}

// put appends the bytes before the offset to, under a new lease, and commits.
func (l *life) put(ctx context.Context, st tus.Storage, to int) error {
	body := l.data[l.up.Offset:to]
	lease := l.lease(st, len(body))
	rc, err := st.Append(ctx, lease, bytes.NewReader(body))
	if lease.Epoch == l.epoch {
		l.up.Offset, l.up.Cursor, l.slots = l.up.Offset+rc.N, rc.Cursor, max(l.slots, rc.NextSlot)
	}
	return err
}

// spill appends n bytes under a new lease, and does not commit.
func (l *life) spill(ctx context.Context, st tus.Storage, n int) {
	lease := l.lease(st, n)
	_, _ = st.Append(ctx, lease, bytes.NewReader(l.data[lease.Upload.Offset:][:n]))
}

// remove calls Remove under a new lease. When that has ended well, the record goes.
func (l *life) remove(ctx context.Context, st tus.Storage) error {
	lease := l.lease(st, 0)
	lease.Upload.Phase = tus.Doomed
	err := st.Remove(ctx, lease)
	l.removed = l.removed || err == nil
	return err
}

// place calls Complete, or what takes its place, under a new lease.
func (l *life) place(ctx context.Context, st tus.Storage) error {
	lease := l.lease(st, 0)
	lease.Upload.Phase = tus.Sealed
	if l.up.Concat.Role != tus.Final {
		_, err := st.Complete(ctx, lease)
		return err
	}
	var parts []tus.Upload
	for _, p := range l.parts {
		parts = append(parts, p.up)
	}
	_, err := st.(tus.Concatenator).Concat(ctx, lease, parts)
	return err
}

// rest brings in what is missing, and puts the object in place.
func (l *life) rest(ctx context.Context, st tus.Storage) error {
	for int(l.up.Offset) < len(l.data) {
		if err := l.put(ctx, st, min(len(l.data), int(l.up.Offset)+90)); err != nil {
			return err
		}
	}
	l.up.Phase = max(l.up.Phase, tus.Sealed)
	return l.place(ctx, st)
}
