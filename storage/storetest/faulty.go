package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/fileloft/fileloft/tus"
)

// A Fault is what goes wrong in one call.
type Fault uint8

// The faults.
const (
	NoFault     Fault = iota
	LostRequest       // nothing is done, and the caller is told so by an error that could mean anything
	LostAnswer        // everything is done, and the caller gets the same error
	CutShort          // of an Append: the first half of what it reads is stored and counts; of other calls LostRequest
)

// ErrInjected is in every error that an injected fault makes.
var ErrInjected = errors.New("storetest: injected fault")

// Faulty returns s with the faults that plan chooses. It is asked before every call of Append, Complete, Remove and
// Concat, with that name, and must be safe for concurrent use. The abilities of s are found through Unwrap.
//
// An Append whose answer is lost returns a receipt for no bytes, with all slots of the lease spoilt: that is all that
// a driver knows whose requests went nowhere.
func Faulty(s tus.Storage, plan func(op string) Fault) tus.Storage {
	f := &faulty{s, plan}
	if c, ok := find[tus.Concatenator](s); ok {
		return &faultyConcat{f, c}
	}
	return f
}

type faulty struct {
	s    tus.Storage
	plan func(op string) Fault
}

func injected(op string) error { return fmt.Errorf("%s: %w: %w", op, tus.ErrUnavailable, ErrInjected) }

func (f *faulty) Unwrap() tus.Storage  { return f.s }
func (f *faulty) Slots(n int64) uint32 { return f.s.Slots(n) }

func (f *faulty) Append(ctx context.Context, lease tus.Lease, r io.Reader) (tus.Receipt, error) {
	none := tus.Receipt{Cursor: lease.Upload.Cursor, NextSlot: lease.Slots.First}
	switch f.plan("Append") {
	case LostRequest:
		return none, injected("append")
	case LostAnswer:
		_, err := f.s.Append(ctx, lease, r)
		none.NextSlot = lease.Slots.End()
		return none, errors.Join(injected("append"), err)
	case CutShort:
		return f.s.Append(ctx, lease, &cut{r: r})
	}
	return f.s.Append(ctx, lease, r)
}

// cut ends with an error after half of the Reads, for all one can know: after the first that was not small.
type cut struct {
	r    io.Reader
	over bool
}

func (c *cut) Read(p []byte) (int, error) {
	if c.over {
		return 0, injected("read")
	}
	c.over = true
	n, err := c.r.Read(p[:(len(p)+1)/2])
	if err == nil || err == io.EOF && n > 0 {
		return n, nil
	}
	return n, err
}

func (f *faulty) Complete(ctx context.Context, lease tus.Lease) (tus.Stored, error) {
	return twist(f, "Complete", func() (tus.Stored, error) { return f.s.Complete(ctx, lease) })
}

func (f *faulty) Remove(ctx context.Context, lease tus.Lease) error {
	_, err := twist(f, "Remove", func() (struct{}, error) { return struct{}{}, f.s.Remove(ctx, lease) })
	return err
}

func twist[T any](f *faulty, op string, call func() (T, error)) (T, error) {
	var none T
	switch f.plan(op) {
	case LostRequest, CutShort:
		return none, injected(op)
	case LostAnswer:
		_, err := call()
		return none, errors.Join(injected(op), err)
	}
	return call()
}

type faultyConcat struct {
	*faulty
	c tus.Concatenator
}

func (f *faultyConcat) Concat(ctx context.Context, lease tus.Lease, parts []tus.Upload) (tus.Stored, error) {
	return twist(f.faulty, "Concat", func() (tus.Stored, error) { return f.c.Concat(ctx, lease, parts) })
}

// checkFaults drives uploads to their end through a storage of which every second call goes wrong.
func (w *world) checkFaults() {
	plain := w.s
	defer func() { w.s = plain }()
	w.s = Faulty(plain, func(string) Fault {
		if w.rng.IntN(2) == 0 {
			return NoFault
		}
		return Fault(1 + w.rng.IntN(3))
	})
	for range 25 {
		size := w.size()
		body := w.bytes(size)
		l := w.newLife(int64(size))
		lease := l.acquire(w.s, int64(size))
		for l.up.Offset < int64(size) {
			left := body[l.up.Offset:]
			r := &recorder{r: bytes.NewReader(left)}
			rec, err := w.s.Append(w.ctx, lease, r)
			if err != nil && !errors.Is(err, ErrInjected) {
				w.fail("append: %w", err)
			}
			lease, _ = l.record(w.s, lease, rec, left, int64(len(left))-rec.N)
			if w.rng.IntN(2) == 0 {
				lease = l.acquire(w.s, int64(len(left))-rec.N)
			}
		}
		lease = w.insist(l, l.to(w, lease, tus.Sealed), "complete", func(lease tus.Lease) error {
			st, err := w.s.Complete(w.ctx, lease)
			if err == nil {
				w.checkStored(l, st)
			}
			return err
		})
		w.check(l, "after faults")
		w.insist(l, l.to(w, lease, tus.Doomed), "remove", func(lease tus.Lease) error { return w.s.Remove(w.ctx, lease) })
		w.checkGone(l, "removed")
		w.checkPieces(l, "removed")
	}
}

// insist repeats a call until it succeeds, under the same lease or the next.
func (w *world) insist(l *life, lease tus.Lease, what string, call func(tus.Lease) error) tus.Lease {
	for {
		err := call(lease)
		if err == nil {
			return lease
		}
		if !errors.Is(err, ErrInjected) {
			w.fail("%s: %w", what, err)
		}
		if w.rng.IntN(2) == 0 {
			lease = l.acquire(w.s, 0)
		}
	}
}
