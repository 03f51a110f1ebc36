package azurestore

import (
	"context"
	"crypto/md5" //nolint:gosec // Azure's own checksum of blobs, not a secret's
	"encoding"
	"errors"
	"fmt"
	"hash"
	"io"
	"sync"

	"github.com/fileloft/fileloft/storage/intake"
	"github.com/fileloft/fileloft/tus"
)

// An appender is one Append under way. One goroutine reads; blocks are sent by up to Options.Parallel others, which all
// have ended when Append returns. What counts is the longest row of steps, from the first on, that succeeded.
type appender struct {
	s      *Store
	lease  tus.Lease
	base   cursor // as committed
	work   cursor // as it will be if every step succeeds; without sums
	bound  []uint32
	next   uint32 // next slot to use
	size   int64  // of a block
	sum    hash.Hash
	buf    intake.Buffer
	n      int64 // bytes in steps
	steps  []*step
	places chan struct{} // one for each block that may be on its way
	ended  chan struct{} // tells that one of them was sent, since the last look
	wg     sync.WaitGroup

	mu     sync.Mutex
	failed error
}

// A step is a block on its way to the store.
type step struct {
	n    int64 // bytes of the reader up to its end
	slot uint32
	size int64
	sum  []byte // MD5 state after it
	ok   bool
}

func (a *appender) begin(ctx context.Context) error {
	c, err := parseCursor(a.lease.Upload.Cursor)
	if err != nil {
		return err
	}
	if !a.s.opt.NoMD5 && (len(c.Sum) > 0 || a.lease.Upload.Offset == 0) {
		if a.sum, err = unpackMD5(c.Sum); err != nil {
			return err
		}
	}
	a.base, a.work = c, c.clone()
	unbound := c.unbound()
	switch {
	case len(unbound) == 0:
	case c.packed() > maxPacked-stagePacked:
		// The cursor has no room for more before these have become one blob each.
		for _, st := range unbound {
			if err := a.bind(ctx, st); isNoBlock(err) {
				return fmt.Errorf("%w: %w", tus.ErrCorrupt, err) // for an older lease it means nothing: it commits nothing
			} else if err != nil {
				return err
			}
		}
		a.base.bind(a.bound)
		a.work = a.base.clone()
	case intake.InTime(ctx, 5*intake.Slowest) == nil:
		a.wg.Go(func() { // beside the reading; what does not succeed is done by the next Append, or by Complete
			for _, st := range unbound {
				_ = a.bind(ctx, st)
			}
		})
	}
	return nil
}

// bind makes one blob of a full stage's blocks. Only stages that the committed cursor says are full are bound: to these nobody will ever
// add a block, so whoever does it, and how late, binds the same ones. A list with fewer would throw the others away.
func (a *appender) bind(ctx context.Context, st stage) error {
	u := &a.lease.Upload
	if _, err := a.s.commit(ctx, u, a.s.stageName(lifeOf(u), st.N), st.ids(), nil, st.Size); err != nil {
		return fmt.Errorf("bind stage %d: %w", st.N, err)
	}
	a.bound = append(a.bound, st.N)
	return nil
}

// run reads r to its end. No Read crosses the end of a block, so that every block ends with a Read.
func (a *appender) run(ctx context.Context, r io.Reader) error {
	for {
		if a.stopped() {
			return nil // Append reports it
		}
		if err := a.goOn(ctx); err != nil {
			return errors.Join(a.send(ctx), err)
		}
		room := a.size - a.buf.N
		switch {
		case room == 0:
			if err := a.send(ctx); err != nil {
				return err
			}
			continue
		case a.buf.Ready(ctx, a.s.wait):
		case len(a.places) > 0:
			a.await(ctx) // what is on its way gives back more than a short block would
			continue
		default:
			if err := a.send(ctx); err != nil {
				return err
			}
			continue
		}
		before := a.buf.N
		rerr := a.buf.ReadOnce(r, room)
		if a.sum != nil {
			last := a.buf.Data[len(a.buf.Data)-1]
			a.sum.Write(last[len(last)-int(a.buf.N-before):])
		}
		if rerr != nil {
			if rerr == io.EOF {
				rerr = nil
			}
			return errors.Join(a.send(ctx), rerr)
		}
	}
}

// goOn says whether another Read may follow: not where what there is to send already takes half of the time that is left. The
// other half is for a Read that takes its time.
func (a *appender) goOn(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if n := a.buf.N; n > 0 {
		return intake.InTime(ctx, 2*n+intake.MaxSegment)
	}
	return nil
}

// await waits until one of the body's own blocks was sent. It waits for the store alone, not for others' clients.
func (a *appender) await(ctx context.Context) {
	select {
	case <-a.ended:
		a.buf.Hope()
	case <-ctx.Done():
	}
}

// send sends the buffer on its way as the next block.
func (a *appender) send(ctx context.Context) error {
	if a.buf.N == 0 || a.stopped() {
		return nil
	}
	if err := intake.InTime(ctx, a.buf.N); err != nil {
		return err
	}
	if a.next >= a.lease.Slots.End() {
		return errSlots
	}
	if err := a.work.room(); err != nil {
		return err
	}
	chunk := a.buf.Take()
	st := &step{n: a.n + chunk.N, slot: a.next, size: chunk.N}
	if a.sum != nil {
		st.sum = packMD5(a.sum)
	}
	name := a.s.stageName(lifeOf(&a.lease.Upload), a.work.open())
	a.steps, a.n, a.next = append(a.steps, st), st.n, a.next+1
	a.work.add(st.slot, st.size, a.s.full)
	a.places <- struct{}{}
	a.wg.Go(func() {
		defer func() {
			<-a.places
			select {
			case a.ended <- struct{}{}:
			default:
			}
		}()
		defer chunk.Release()
		if err := a.s.stage(ctx, name, st.slot, chunk.Data); err != nil {
			a.fail(fmt.Errorf("stage block %d: %w", st.slot, err))
			return
		}
		st.ok = true
	})
	return nil
}

// outcome returns the cursor after the last step before which all succeeded, and the bytes up to there.
func (a *appender) outcome() (*cursor, int64) {
	c, n := a.base.clone(), int64(0)
	c.bind(a.bound)
	for _, st := range a.steps {
		if !st.ok {
			break
		}
		c.add(st.slot, st.size, a.s.full)
		c.Sum = st.sum
		n = st.n
	}
	return &c, n
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

func packMD5(h hash.Hash) []byte {
	b, _ := h.(encoding.BinaryMarshaler).MarshalBinary() // never fails
	return b
}

// unpackMD5 restores what packMD5 wrote; nothing is the state before the first byte.
func unpackMD5(b []byte) (hash.Hash, error) {
	h := md5.New()
	if len(b) == 0 {
		return h, nil
	}
	return h, h.(encoding.BinaryUnmarshaler).UnmarshalBinary(b)
}
