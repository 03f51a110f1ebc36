package sim

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/fileloft/fileloft/tus"
)

// placed judges what a call says of the object.
func (o *order) placed(l *life, err error) {
	switch {
	case l.gone:
	case err == nil:
		o.checkObject(l)
		l.placed = true
	case errors.Is(err, tus.ErrNotFound) && slices.ContainsFunc(l.parts, func(p *life) bool { return p.gone }):
	case errors.Is(err, tus.ErrNotFound), errors.Is(err, tus.ErrCorrupt), errors.Is(err, tus.ErrExists):
		o.fail("upload %s: %v", l.up.ID, err)
	}
}

func (o *order) checkObject(l *life) {
	switch got, err := o.store.Object(&l.up); {
	case err != nil:
		o.fail("upload %s is complete, and its object is not there: %v", l.up.ID, err)
	case !bytes.Equal(got, l.data):
		o.fail("the object of %s has %d bytes and is not what was sent, %d bytes", l.up.ID, len(got), len(l.data))
	}
}

// finish puts the object in place, trying again as clients do.
func (o *order) finish(l *life) {
	o.persist(func(ctx context.Context, st tus.Storage) error {
		err := l.rest(ctx, st)
		if err == nil {
			o.placed(l, nil)
			l.up.Phase = tus.Done
		}
		return err
	})
}

// persist makes a call alone, up to ten times.
func (o *order) persist(call func(context.Context, tus.Storage) error) {
	o.alone(func(ctx context.Context, st tus.Storage) {
		var err error
		for range 10 {
			if err = call(ctx, st); err == nil {
				return
			}
			time.Sleep(time.Minute)
		}
		o.fail("nothing goes wrong any more, and still: %v", err)
	})
}

// mustEnd finishes the upload where that is left to do, and wants the object and nothing else, after a sweep. An upload whose part was
// removed may have come to nothing.
func (o *order) mustEnd(l *life) {
	for _, p := range l.parts {
		if p.gone && !l.placed {
			return
		}
	}
	if l.up.Phase != tus.Done {
		o.finish(l)
	}
	o.sweep(append([]*life{l}, l.parts...)...)
	o.checkObject(l)
	if left := o.store.Pieces(l.up.ID); len(left) != 1 {
		o.fail("upload %s is done, and there is %v", l.up.ID, left)
	}
}

// mustBeGone removes the upload where that is left to do, and wants nothing of it after a sweep.
func (o *order) mustBeGone(l *life) {
	if !l.removed {
		o.persist(l.remove)
	}
	o.sweep(append([]*life{l}, l.parts...)...)
	if left := o.store.Pieces(l.up.ID); len(left) > 0 {
		o.fail("upload %s is gone, and still there is %v", l.up.ID, left)
	}
}

func (o *order) sweep(of ...*life) {
	time.Sleep(48 * time.Hour)
	o.persist(func(ctx context.Context, st tus.Storage) error { return o.swept(ctx, st, of) })
}
