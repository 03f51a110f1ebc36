package sim

import (
	"context"
	"io"
	"iter"
	"slices"
	"time"

	"github.com/fileloft/fileloft/state"
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
	if slices.Contains(rep.w.s.kinds.changes, c.name()) {
		c.again = func() {
			if (op == "Create" || op == "Insert") && rep.w.table.deleted[id] {
				return // package state says why nothing is promised here
			}
			_, _ = f(context.Background()) // nobody waits for this answer
		}
	}
	switch rep.w.s.park(ctx, c) {
	case lost:
		return none, ErrLost
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

// A storage is the way of one replica to its driver: it lets others come in between before an Append begins and before each Read in it.
// The driver's own calls are steps that it takes itself, by [Do].
type storage struct {
	rep    *replica
	driver tus.Storage
}

func (st storage) Unwrap() tus.Storage  { return st.driver }
func (st storage) Slots(n int64) uint32 { return st.driver.Slots(n) }

func (st storage) Append(ctx context.Context, l tus.Lease, r io.Reader) (tus.Receipt, error) {
	// The end of ctx does not end the standing still: a storage may be slow to notice.
	if err := st.wait(context.WithoutCancel(ctx), "Append", l.Upload.ID); err != nil {
		return tus.Receipt{Cursor: l.Upload.Cursor, NextSlot: l.Slots.First}, err
	}
	return st.driver.Append(ctx, l, &tap{st, context.WithoutCancel(ctx), l.Upload.ID, r})
}

// Complete has the store say, of some files, that it holds something else.
func (st storage) Complete(ctx context.Context, l tus.Lease) (tus.Stored, error) {
	s, err := st.driver.Complete(ctx, l)
	if st.rep.w.fileOf(l.Upload.ID).corrupt {
		if s.CRC32C++; !s.HasCRC32C {
			s.Size++
		}
	}
	return s, err
}

func (st storage) Remove(ctx context.Context, l tus.Lease) error { return st.driver.Remove(ctx, l) }

func (st storage) wait(ctx context.Context, op string, id tus.ID) error {
	return (&Process{st.rep}).Wait(ctx, op, id)
}

// A tap is the body of an Append.
type tap struct {
	st  storage
	ctx context.Context
	id  tus.ID
	r   io.Reader
}

func (t *tap) Read(b []byte) (int, error) {
	if err := t.st.wait(t.ctx, "Read", t.id); err != nil {
		return 0, err
	}
	return t.r.Read(b)
}
