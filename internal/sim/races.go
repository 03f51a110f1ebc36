package sim

import (
	"context"
	"fmt"
	"time"

	"github.com/fileloft/fileloft/tus"
)

// A race is what was before, calls at once, and what must be so when they have ended.
type race struct {
	name   string
	play   func(*order)
	engine bool // it is of requests to the whole engine, not of calls to a driver
}

// An adder adds a race under a name.
type adder func(play func(*order), format string, args ...any)

// races are of two calls each, under different leases: the newer one's makes the other late.
func races() (all []race) {
	add := func(play func(*order), format string, args ...any) {
		all = append(all, race{name: fmt.Sprintf(format, args...), play: play})
	}
	for _, size := range []int{0, 40, 130} {
		endings(add, size)
	}
	for _, sizes := range [][]int{{0, 0}, {40, 70}, {150}} {
		joinings(add, sizes)
	}
	add(func(o *order) {
		l := o.begun(o.newLife(0, tus.Whole, 130), 70)
		o.append(l)
		o.bring(l)
		o.play()
		o.mustEnd(l)
	}, "Append beside the rest of the upload")
	add(func(o *order) {
		l := o.begun(o.newLife(0, tus.Whole, 130), 70)
		o.append(l)
		o.remove(l)
		o.play()
		o.mustBeGone(l)
	}, "Append beside Remove")
	return all
}

// endings are of an upload with all its bytes.
func endings(add adder, size int) {
	sealed := func(o *order) *life { return o.sealed(o.newLife(0, tus.Whole, size)) }
	add(func(o *order) {
		l := sealed(o)
		o.complete(l)
		o.remove(l)
		o.play()
		o.mustBeGone(l)
	}, "Complete beside Remove, %d bytes", size)
	add(func(o *order) {
		l := sealed(o)
		o.complete(l)
		o.complete(l)
		o.play()
		o.mustEnd(l)
	}, "Complete beside Complete, %d bytes", size)
	add(func(o *order) {
		l := sealed(o)
		o.remove(l)
		o.remove(l)
		o.play()
		o.mustBeGone(l)
	}, "Remove beside Remove, %d bytes", size)
	add(func(o *order) {
		l := o.begun(o.newLife(0, tus.Whole, size), size/2)
		o.spoil(l)
		o.finish(l)
		time.Sleep(48 * time.Hour)
		o.complete(l)
		o.collect(l)
		o.play()
		o.mustEnd(l)
	}, "Complete of an upload that is done beside Collect, %d bytes", size)
	add(func(o *order) {
		l := sealed(o)
		o.finish(l)
		o.complete(l)
		o.remove(l)
		o.play()
		o.mustBeGone(l)
	}, "Complete of an upload that is done beside Remove, %d bytes", size)
}

// joinings are of a final upload.
func joinings(add adder, sizes []int) {
	add(func(o *order) {
		l := o.joined(sizes)
		o.complete(l)
		o.remove(l)
		o.play()
		o.mustBeGone(l)
	}, "Concat beside Remove, parts of %d bytes", sizes)
	add(func(o *order) {
		l := o.joined(sizes)
		o.complete(l)
		o.complete(l)
		o.play()
		o.mustEnd(l)
	}, "Concat beside Concat, parts of %d bytes", sizes)
	add(func(o *order) {
		l := o.joined(sizes)
		o.complete(l)
		o.remove(l.parts[0])
		o.play()
		o.mustBeGone(l.parts[0])
		o.mustEnd(l)
	}, "Concat beside Remove of a part, parts of %d bytes", sizes)
}

// sealed is an upload with all its bytes, which came in a few bodies.
func (o *order) sealed(l *life) *life {
	o.begun(l, len(l.data))
	l.up.Phase = tus.Sealed
	return l
}

// begun brings in an upload's first n bytes.
func (o *order) begun(l *life, n int) *life {
	o.alone(func(ctx context.Context, st tus.Storage) {
		for int(l.up.Offset) < n {
			if err := l.put(ctx, st, min(n, int(l.up.Offset)+90)); err != nil {
				o.fail("append: %v", err)
				return
			}
		}
	})
	return l
}

// joined is a final upload that waits for its parts to be joined.
func (o *order) joined(sizes []int) *life {
	l := o.newLife(0, tus.Final, 0)
	for i, size := range sizes {
		p := o.sealed(o.newLife(i+1, tus.Partial, size))
		o.finish(p)
		l.parts, l.data = append(l.parts, p), append(l.data, p.data...)
		l.up.Concat.Parts = append(l.up.Concat.Parts, p.up.ID)
	}
	l.up.Length, l.up.Offset, l.up.Phase = int64(len(l.data)), int64(len(l.data)), tus.Sealed
	return l
}

// complete begins to put the object in place, under a lease of its own.
func (o *order) complete(l *life) {
	o.begin(func(ctx context.Context, st tus.Storage) { o.placed(l, l.place(ctx, st)) })
}

// append begins to append what is next, which is not committed.
func (o *order) append(l *life) {
	o.begin(func(ctx context.Context, st tus.Storage) { l.spill(ctx, st, 60) })
}

// spoil leaves behind what was appended and is not committed.
func (o *order) spoil(l *life) {
	if len(l.data) > 0 {
		o.alone(func(ctx context.Context, st tus.Storage) { l.spill(ctx, st, 20) })
	}
}

// bring begins to bring in what is missing, and puts the object in place.
func (o *order) bring(l *life) {
	o.begin(func(ctx context.Context, st tus.Storage) { o.placed(l, l.rest(ctx, st)) })
}

// remove begins to remove an upload.
func (o *order) remove(l *life) {
	l.gone = true
	o.begin(func(ctx context.Context, st tus.Storage) {
		_ = l.remove(ctx, st) // what it could not do is left to mustBeGone
	})
}

// collect begins a sweep.
func (o *order) collect(of ...*life) {
	o.begin(func(ctx context.Context, st tus.Storage) { _ = o.swept(ctx, st, of) })
}

func (o *order) swept(ctx context.Context, st tus.Storage, of []*life) error {
	c, ok := st.(tus.Collector)
	if !ok {
		return nil
	}
	_, err := c.Collect(ctx, time.Now().Add(-24*time.Hour), func(_ context.Context, id tus.ID, birth string) (tus.Upload, error) {
		for _, l := range of {
			if l.up.ID == id && l.up.Birth == birth && !l.removed {
				return l.up, nil
			}
		}
		return tus.Upload{}, tus.ErrNotFound
	})
	return err
}
