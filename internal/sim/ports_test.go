package sim

import (
	"cmp"
	"context"
	"errors"
	"io"
	"iter"
	"slices"
	"time"

	"github.com/fileloft/fileloft/state"
	"github.com/fileloft/fileloft/storage/memstore"
	"github.com/fileloft/fileloft/tus"
)

// An actor is what makes calls: a request, a sweep. It travels in the context of all that it does.
type actorKey struct{}

func as(ctx context.Context, who int) context.Context {
	return context.WithValue(ctx, actorKey{}, who)
}

func who(ctx context.Context) int {
	n, _ := ctx.Value(actorKey{}).(int)
	return n
}

// invoke makes a call that the scheduler carries out in one piece. Copies of it may follow, if it may be repeated.
func invoke[T any](ctx context.Context, rep *replica, op string, id tus.ID, f func(context.Context) (T, error)) (T, error) {
	var v, none T
	var err error
	c := &call{who: who(ctx), op: op, id: id, rep: rep}
	c.run = func() { v, err = f(context.Background()) }
	if slices.Contains(changes, op) {
		c.again = func() {
			if (op == "Create" || op == "Insert") && rep.w.table.deleted[id] {
				return // package state says why nothing is promised here
			}
			_, _ = f(context.Background()) // nobody waits for this answer
		}
	}
	switch rep.w.s.park(ctx, c) {
	case lost:
		return none, errLost
	case died:
		return none, errDead
	case gaveUp:
		return none, ctx.Err()
	case passed:
	}
	return v, err
}

// ports are the State of one replica.
type ports struct {
	due
	st *state.Store // over the common table, by the replica's own clock
}

// A stepwise State makes its calls over a link.
type stepwise struct {
	due
	*state.Store
}

func (p ports) Create(ctx context.Context, u tus.Upload, c tus.Claim) (tus.Lease, error) {
	return invoke(ctx, p.rep, "Create", u.ID, func(ctx context.Context) (tus.Lease, error) { return p.st.Create(ctx, u, c) })
}

func (p ports) Load(ctx context.Context, id tus.ID) (tus.Upload, error) {
	return invoke(ctx, p.rep, "Load", id, func(ctx context.Context) (tus.Upload, error) { return p.st.Load(ctx, id) })
}

func (p ports) Acquire(ctx context.Context, id tus.ID, c tus.Claim) (tus.Lease, error) {
	return invoke(ctx, p.rep, "Acquire", id, func(ctx context.Context) (tus.Lease, error) { return p.st.Acquire(ctx, id, c) })
}

func (p ports) Commit(ctx context.Context, l tus.Lease, u tus.Upload, c tus.Claim) (tus.Lease, error) {
	return invoke(ctx, p.rep, "Commit", u.ID, func(ctx context.Context) (tus.Lease, error) { return p.st.Commit(ctx, l, u, c) })
}

func (p ports) Delete(ctx context.Context, l tus.Lease) error {
	_, err := invoke(ctx, p.rep, "Delete", l.Upload.ID, func(ctx context.Context) (struct{}, error) { return struct{}{}, p.st.Delete(ctx, l) })
	return err
}

// A link is the way of one replica to the table, where the calls to the State are not made in one piece: then each access to the
// table is a step, and whatever may happen to a step happens between the read and the write of one call.
type link struct{ rep *replica }

func (k link) Get(ctx context.Context, id tus.ID) (state.Record, string, error) {
	r, err := invoke(ctx, k.rep, "Get", id, func(ctx context.Context) (state.Record, error) {
		r, _, err := k.rep.w.table.Get(ctx, id)
		return r, err
	})
	return r, version(r), err
}

func (k link) Insert(ctx context.Context, r state.Record) error {
	return k.write(ctx, "Insert", r.Upload.ID, func(ctx context.Context) error { return k.rep.w.table.Insert(ctx, r) })
}

func (k link) Swap(ctx context.Context, r state.Record, v string) error {
	return k.write(ctx, "Swap", r.Upload.ID, func(ctx context.Context) error { return k.rep.w.table.Swap(ctx, r, v) })
}

func (k link) Delete(ctx context.Context, id tus.ID, v string) error {
	return k.write(ctx, "Erase", id, func(ctx context.Context) error { return k.rep.w.table.Delete(ctx, id, v) })
}

func (k link) write(ctx context.Context, op string, id tus.ID, f func(context.Context) error) error {
	_, err := invoke(ctx, k.rep, op, id, func(ctx context.Context) (struct{}, error) { return struct{}{}, f(ctx) })
	return err
}

// A due lists what is due, in the order of the ids.
type due struct{ rep *replica }

func (p due) Due(ctx context.Context, now time.Time) iter.Seq2[tus.ID, error] {
	return func(yield func(tus.ID, error) bool) {
		ids, err := invoke(ctx, p.rep, "Due", "", func(context.Context) ([]tus.ID, error) {
			t := p.rep.w.table
			return slices.DeleteFunc(t.all(), func(id tus.ID) bool {
				at := t.records[id].Due
				return at.IsZero() || at.After(now)
			}), nil
		})
		if err != nil {
			yield("", err)
			return
		}
		for _, id := range ids {
			if !yield(id, nil) {
				return
			}
		}
	}
}

// pieces are the Storage of one replica.
type pieces struct {
	rep *replica
	*memstore.Store
}

var (
	_ tus.Concatenator = pieces{}
	_ tus.Collector    = pieces{}
)

// Append lets others come in between before it begins, before each of its reads, and before its answer.
func (p pieces) Append(ctx context.Context, l tus.Lease, r io.Reader) (tus.Receipt, error) {
	none := tus.Receipt{Cursor: l.Upload.Cursor, NextSlot: l.Slots.First}
	if err := p.wait(ctx, "Append", l.Upload.ID); err != nil {
		return none, err
	}
	rc, err := p.Store.Append(ctx, l, &tap{p, ctx, l.Upload.ID, r})
	if e := p.wait(ctx, "Stored", l.Upload.ID); e != nil {
		none.NextSlot = l.Slots.End() // that is all that a driver knows whose answer was lost
		return none, e
	}
	return rc, err
}

// wait stands still without anything to do. The end of ctx does not end it: a storage may be slow to notice.
func (p pieces) wait(ctx context.Context, op string, id tus.ID) error {
	switch p.rep.w.s.park(context.WithoutCancel(ctx), &call{who: who(ctx), op: op, id: id, rep: p.rep}) {
	case lost:
		return errLost
	case died:
		return errDead
	case passed, gaveUp:
	}
	return nil
}

// A tap is the body of an Append.
type tap struct {
	p   pieces
	ctx context.Context
	id  tus.ID
	r   io.Reader
}

func (t *tap) Read(b []byte) (int, error) {
	if err := t.p.wait(t.ctx, "Read", t.id); err != nil {
		return 0, err
	}
	return t.r.Read(b)
}

func (p pieces) Complete(ctx context.Context, l tus.Lease) (tus.Stored, error) {
	return invoke(ctx, p.rep, "Complete", l.Upload.ID, func(ctx context.Context) (tus.Stored, error) {
		st, err := p.Store.Complete(ctx, l)
		if p.rep.w.files[l.Upload.ID].corrupt {
			st.CRC32C++
		}
		return st, err
	})
}

func (p pieces) Concat(ctx context.Context, l tus.Lease, parts []tus.Upload) (tus.Stored, error) {
	return invoke(ctx, p.rep, "Concat", l.Upload.ID, func(ctx context.Context) (tus.Stored, error) { return p.Store.Concat(ctx, l, parts) })
}

func (p pieces) Remove(ctx context.Context, l tus.Lease) error {
	_, err := invoke(ctx, p.rep, "Remove", l.Upload.ID, func(ctx context.Context) (struct{}, error) { return struct{}{}, p.Store.Remove(ctx, l) })
	return err
}

type looker = func(context.Context, tus.ID, string) (tus.Upload, error)

// Collect asks for the lives in an order of its own: memstore's is that of a map. It acts on all answers after the last.
func (p pieces) Collect(ctx context.Context, before time.Time, look looker) (int, error) {
	type life struct {
		id    tus.ID
		birth string
	}
	var old []life
	_, err := p.Store.Collect(ctx, before, func(_ context.Context, id tus.ID, birth string) (tus.Upload, error) {
		old = append(old, life{id, birth})
		return tus.Upload{Phase: tus.Open}, nil
	})
	if err != nil {
		return 0, err
	}
	slices.SortFunc(old, func(a, b life) int { return cmp.Compare(a.id, b.id) })
	type answer struct {
		u   tus.Upload
		err error
	}
	answers := map[life]answer{}
	for _, l := range old {
		u, err := look(ctx, l.id, l.birth)
		if err != nil && !errors.Is(err, tus.ErrNotFound) {
			return 0, err
		}
		answers[l] = answer{u, err}
	}
	return p.Store.Collect(ctx, before, func(_ context.Context, id tus.ID, birth string) (tus.Upload, error) {
		a := answers[life{id, birth}] // who was not asked for is Open
		return a.u, a.err
	})
}
