package sim

import (
	"cmp"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/fileloft/fileloft/storage/memstore"
	"github.com/fileloft/fileloft/tus"
)

// inMemory is the simulation over memstore, each call of the port one step.
var inMemory = Config{
	Package: "./internal/sim",
	New: func(*rand.Rand) Store {
		return memory{memstore.New(&memstore.Options{PartSize: PartSize})}
	},
	Changes: []string{"Complete", "Concat", "Remove"},
	Reads:   []string{"Stored"},
	Rare:    []string{"Complete", "Concat", "Remove"},
}

type memory struct{ *memstore.Store }

func (m memory) Storage(p *Process) tus.Storage { return pieces{p, m.Store} }

func (m memory) Object(u *tus.Upload) ([]byte, error) {
	if u.Concat.Role == tus.Partial {
		r, err := m.Open(context.Background(), *u, 0, u.Length)
		if err != nil {
			return nil, err
		}
		return io.ReadAll(r)
	}
	if b, ok := m.Store.Object(u.ObjectKey()); ok {
		return b, nil
	}
	return nil, tus.ErrNotFound
}

// pieces are the driver of one replica.
type pieces struct {
	p *Process
	*memstore.Store
}

var (
	_ tus.Concatenator = pieces{}
	_ tus.Collector    = pieces{}
)

// Append lets others come in between before its answer.
func (p pieces) Append(ctx context.Context, l tus.Lease, r io.Reader) (tus.Receipt, error) {
	rc, err := p.Store.Append(ctx, l, r)
	if e := p.p.Wait(context.WithoutCancel(ctx), "Stored", l.Upload.ID); e != nil {
		// That is all that a driver knows whose answer was lost.
		return tus.Receipt{Cursor: l.Upload.Cursor, NextSlot: l.Slots.End()}, e
	}
	return rc, err
}

func (p pieces) Complete(ctx context.Context, l tus.Lease) (tus.Stored, error) {
	return Do(ctx, p.p, "Complete", l.Upload.ID, func() (tus.Stored, error) { return p.Store.Complete(context.Background(), l) })
}

func (p pieces) Concat(ctx context.Context, l tus.Lease, parts []tus.Upload) (tus.Stored, error) {
	return Do(ctx, p.p, "Concat", l.Upload.ID, func() (tus.Stored, error) { return p.Store.Concat(context.Background(), l, parts) })
}

func (p pieces) Remove(ctx context.Context, l tus.Lease) error {
	_, err := Do(ctx, p.p, "Remove", l.Upload.ID, func() (struct{}, error) { return struct{}{}, p.Store.Remove(context.Background(), l) })
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
