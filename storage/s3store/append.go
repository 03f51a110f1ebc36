package s3store

import (
	"context"
	"errors"
	"fmt"
	"hash"
	"io"
	"sync"

	"github.com/fileloft/fileloft/storage/intake"
	"github.com/fileloft/fileloft/tus"
)

// An appender is one Append under way. One goroutine reads; parts are sent by up to Options.Parallel others, which all
// have ended when Append returns. What counts is the longest row of steps, from the first on, that succeeded.
type appender struct {
	s      *Store
	lease  tus.Lease
	base   cursor   // as committed
	old    []string // tails that the committed cursor dropped and that are still there
	work   cursor   // as it will be if every step succeeds; without sums
	next   uint32   // next slot to use
	tail   int64    // bytes in the working cursor's tails
	sum    hash.Hash
	buf    buffer
	n      int64 // bytes in steps
	fresh  bool  // the session was made by this call
	steps  []*step
	places chan struct{} // one for each part that may be on its way
	ended  chan struct{} // tells that one of them was sent, since the last look
	wg     sync.WaitGroup

	mu     sync.Mutex
	failed error
}

// Append implements tus.Storage.
func (s *Store) Append(ctx context.Context, lease tus.Lease, r io.Reader) (tus.Receipt, error) {
	u := &lease.Upload
	a := &appender{
		s: s, lease: lease, next: lease.Slots.First, buf: buffer{Buffer: s.memory.Buffer()},
		places: make(chan struct{}, s.opt.Parallel), ended: make(chan struct{}, 1),
	}
	if err := a.begin(); err != nil {
		return tus.Receipt{Cursor: u.Cursor, NextSlot: a.next}, wrap("append", u.ID, err)
	}
	a.dropOld(ctx)
	err := a.run(ctx, r)
	a.wg.Wait()
	a.buf.Release()
	c, n := a.outcome()
	rec := tus.Receipt{N: n, Cursor: u.Cursor, NextSlot: a.next}
	if n > 0 {
		c.Drop = append(a.old, c.Drop...)
		rec.Cursor = c.format()
	}
	return rec, wrap("append", u.ID, errors.Join(err, a.failure()))
}

func (a *appender) begin() error {
	u := &a.lease.Upload
	c, err := parseCursor(u.Cursor)
	if err != nil {
		return err
	}
	if c.Part == 0 {
		c.Part = a.s.firstPart(u.Length)
		if a.lease.Slots.N > longBody && c.Part == a.s.opt.PartSize {
			c.Part = min(2*c.Part, maxPartSize)
		}
	}
	if a.sum, err = unpackMD5(c.TailSum); err != nil {
		return err
	}
	a.old, c.Drop = c.Drop, nil
	a.base, a.work, a.tail = c, c, c.tailSize()
	return nil
}

// dropOld takes away what the committed cursor dropped, beside the reading. What could not be deleted stays listed.
func (a *appender) dropOld(ctx context.Context) {
	names := a.old
	if len(names) == 0 {
		return
	}
	a.wg.Go(func() {
		var kept []string
		for _, name := range names {
			if err := a.s.remove(ctx, a.s.tailKey(&a.lease.Upload, name)); err != nil && len(kept) < maxTails {
				kept = append(kept, name) // more than that is left to Remove and Collect
			}
		}
		a.old = kept
	})
}

// run reads r to its end. No Read crosses the end of a part, so that every part ends with a Read.
func (a *appender) run(ctx context.Context, r io.Reader) error {
	for {
		if a.stopped() {
			return nil // Append reports it
		}
		if err := ctx.Err(); err != nil {
			return errors.Join(a.flush(ctx), err)
		}
		room := a.work.Part - a.tail - a.buf.N
		switch {
		case room == 0:
			err := a.takeSlot()
			switch {
			case errors.Is(err, errNumbers) && !a.s.opt.UniformParts && a.work.Part < maxPartSize:
				a.work.Part = maxPartSize // all that is still to come is Complete's part
			case err != nil:
				return errors.Join(a.flush(ctx), err)
			default:
				if err := a.putPart(ctx); err != nil {
					return err
				}
			}
			continue
		case a.buf.N < a.s.chunk && a.buf.Ready(ctx, a.s.wait):
		case a.buf.N < a.s.chunk && len(a.places) > 0:
			a.await(ctx) // what is on its way gives back more than a tail would
			continue
		default:
			if err := a.flush(ctx); err != nil {
				return err
			}
			continue
		}
		rerr := a.buf.ReadOnce(r, room)
		if len(a.places) == 0 {
			// Nothing is on its way yet: hash while the next bytes arrive. Later parts are hashed while they wait for their turn
			// to be read, beside one another.
			a.buf.hashTo(a.sum)
		}
		if rerr != nil {
			if rerr == io.EOF {
				rerr = nil
			}
			return errors.Join(a.end(ctx), rerr)
		}
	}
}

// await waits until one of the body's own parts has ended. It waits for the store alone, not for others' clients.
func (a *appender) await(ctx context.Context) {
	select {
	case <-a.ended:
		a.buf.Hope()
	case <-ctx.Done():
	}
}

// takeSlot makes sure that there is a number for a part. The last one is Complete's.
func (a *appender) takeSlot() error {
	switch {
	case a.next == 0:
		return errZero
	case a.next >= maxNumber:
		return errNumbers
	case a.next >= a.lease.Slots.End():
		return errSlots
	}
	return nil
}

// end stores what is left. The end of an upload that has parts is a part at once, where there is a slot for it: a
// tail would be read and written once more by Complete.
func (a *appender) end(ctx context.Context) error {
	u := &a.lease.Upload
	if u.Left() == a.n+a.buf.N && a.buf.N > 0 && a.work.Session != "" && a.takeSlot() == nil && !a.stopped() {
		return a.putPart(ctx)
	}
	return a.flush(ctx)
}

// flush stores what is short of a part as a tail.
func (a *appender) flush(ctx context.Context) error {
	if a.buf.N == 0 || a.stopped() {
		return nil
	}
	if err := intake.InTime(ctx, a.buf.N); err != nil {
		return err
	}
	st := &step{n: a.n + a.buf.N, part: a.work.Part}
	chunks := a.buf.take()
	defer chunks.Release()
	chunks.hashTo(a.sum)
	st.tailSum = packMD5(a.sum)
	pieces, sum := chunks.pieces(), a.sum.Sum(nil)
	if a.tail > 0 && len(a.work.Tails) < maxTails {
		sum = sumOf(chunks.Data) // of this tail alone
	}
	st.tail = tail{fresh(a.lease.Epoch), chunks.N}
	if len(a.work.Tails) >= maxTails {
		st.merged = true
		pieces = append(a.tailPieces(), pieces...)
		st.tail.Size += a.tail
	}
	a.add(st)
	a.tail += chunks.N
	err := a.s.putTail(ctx, a.s.tailKey(&a.lease.Upload, st.tail.Name), pieces, sum)
	if err != nil {
		a.fail(fmt.Errorf("put tail %s: %w", st.tail.Name, err))
	}
	st.ok = err == nil
	return nil
}

// putPart sends the tails and the buffer on their way as the next part.
func (a *appender) putPart(ctx context.Context) error {
	u := &a.lease.Upload
	if err := intake.InTime(ctx, a.tail+a.buf.N); err != nil {
		return err
	}
	if a.work.Session == "" {
		id, err := a.s.begin(ctx, u)
		if err != nil {
			return fmt.Errorf("create session: %w", err)
		}
		a.work.Session, a.base.Session, a.fresh = id, id, true
	}
	number, session, chunks, sum := a.next, a.work.Session, a.buf.take(), a.sum
	pieces := append(a.tailPieces(), chunks.pieces()...)
	a.sum, _ = unpackMD5(nil)
	left := u.Left()
	if left >= 0 {
		left -= a.n + chunks.N
	}
	a.next++
	st := &step{n: a.n + chunks.N, number: number, part: a.s.nextPart(a.work.Part, a.next, left)}
	a.add(st)
	a.tail = 0
	a.places <- struct{}{}
	a.wg.Go(func() {
		defer func() {
			<-a.places
			select {
			case a.ended <- struct{}{}:
			default:
			}
		}()
		defer chunks.Release()
		chunks.hashTo(sum)
		st.sum = sum.Sum(nil)
		etag, err := a.s.putPart(ctx, u, session, number, pieces, st.sum)
		switch {
		case err == nil:
			st.etag, st.ok = etag, true
			return
		case isNoUpload(err) && a.fresh:
			err = fmt.Errorf("%w: %w", tus.ErrUnavailable, err) // whoever ended it, no committed byte was in it
		case isNoUpload(err):
			err = fmt.Errorf("%w: %w", tus.ErrCorrupt, err)
		}
		a.fail(fmt.Errorf("upload part %d: %w", number, err))
	})
	return nil
}

func (a *appender) tailPieces() []piece {
	var ps []piece
	for _, t := range a.work.Tails {
		ps = append(ps, piece{key: a.s.tailKey(&a.lease.Upload, t.Name), n: t.Size})
	}
	return ps
}

func (a *appender) add(st *step) {
	a.steps = append(a.steps, st)
	a.n = st.n
	st.apply(&a.work)
}

func (a *appender) fail(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.failed == nil {
		a.failed = err
	}
}

func (a *appender) failure() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.failed
}

func (a *appender) stopped() bool { return a.failure() != nil }
