package gcsstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/fileloft/fileloft/storage/intake"
	"github.com/fileloft/fileloft/tus"
)

// An appender is one Append under way. What it reads goes into a buffer. A body that is no longer than a chunk becomes a piece
// in one request. For a longer one an upload is begun, which takes chunk after chunk: while the client sends one, the next is read.
type appender struct {
	s     *Store
	lease tus.Lease
	base  cursor   // as committed
	list  []piece  // the committed pieces, composed where there were many; not to be touched before wg has ended
	fresh []piece  // of this call, behind them
	drop  []string // pieces that composed ones replaced
	made  []string // pieces that were composed by this call
	old   []string // pieces that the committed cursor dropped and that are still there
	buf   intake.Buffer
	full  *intake.Buffer // a chunk of which is not known yet whether it is the whole body
	out   *upload        // nil while there is no more than a chunk
	n     int64          // bytes in finished pieces
	wg    sync.WaitGroup
}

// tidy takes away what the committed cursor dropped and composes its pieces where there are many, beside the reading. What could
// not be deleted stays listed, what could not be composed is composed the next time.
func (a *appender) tidy(ctx context.Context) {
	a.wg.Go(func() {
		if len(a.base.Drop) > 0 {
			a.old = a.s.removePieces(ctx, &a.lease.Upload, a.base.Drop)
		}
		if intake.InTime(ctx, 5*intake.Slowest) == nil {
			_ = a.fold(ctx)
		}
	})
}

// fold composes pieces in the list.
func (a *appender) fold(ctx context.Context) error {
	list, drop, made, err := a.s.fold(ctx, &a.lease, a.list)
	a.list = list
	a.drop, a.made = append(a.drop, drop...), append(a.made, made...)
	return err
}

// cursor returns what the receipt says.
func (a *appender) cursor() *cursor {
	c := &cursor{Drop: append(a.drop, a.old...)}
	c.Drop = c.Drop[:min(len(c.Drop), maxPieces)] // more than that is left to Remove and Collect
	c.Pieces = append(append(c.Pieces, a.list...), a.fresh...)
	return c
}

// run reads r to its end.
func (a *appender) run(ctx context.Context, r io.Reader) error {
	chunk := a.s.opt.ChunkSize
	for {
		if err := a.goOn(ctx); err != nil {
			return errors.Join(a.end(ctx), err)
		}
		switch {
		case a.full != nil && a.buf.N > 0: // it is not the whole body
			if err := a.begin(ctx); err != nil {
				return err
			}
			continue
		case a.buf.N == chunk && a.out == nil:
			a.full = a.buf.Take()
			continue
		case a.buf.N == chunk:
			if err := a.send(ctx); err != nil {
				return err
			}
			continue
		case !a.buf.Ready(ctx, a.s.wait):
			if err := a.shed(ctx); err != nil {
				return err
			}
			continue
		}
		rerr := a.buf.ReadOnce(r, chunk-a.buf.N)
		if rerr != nil {
			if rerr == io.EOF {
				rerr = nil
			}
			return errors.Join(a.end(ctx), rerr)
		}
	}
}

// goOn says whether another Read may follow: not where what there is to send already takes half of the time that is left. The
// other half is for a Read that takes its time.
func (a *appender) goOn(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if n := a.pending(); n > 0 {
		return intake.InTime(ctx, 2*n+intake.MaxSegment)
	}
	return nil
}

// pending is how many bytes have to be sent yet if the body ends here.
func (a *appender) pending() int64 {
	n := a.buf.N
	if a.full != nil {
		n += a.full.N
	}
	if a.out != nil {
		n += a.out.under
	}
	return n
}

// begin begins an upload with the full chunk. It takes a chunk's memory in the client; where there is none the chunk is a
// piece of its own.
func (a *appender) begin(ctx context.Context) error {
	full := a.full
	a.full = nil
	defer full.Release()
	if err := intake.InTime(ctx, full.N); err != nil {
		return err
	}
	if !a.s.memory.TryAcquire(a.s.opt.ChunkSize) {
		return a.put(ctx, full.Data)
	}
	a.out = a.s.newUpload(ctx, &a.lease)
	return a.check(a.out.write(full.Data))
}

// send hands the buffer over to the upload. It waits until the client has sent the chunk before.
func (a *appender) send(ctx context.Context) error {
	if err := intake.InTime(ctx, a.pending()); err != nil {
		return err
	}
	err := a.check(a.out.write(a.buf.Data))
	a.buf.Release()
	if err == nil && a.out.n >= a.s.opt.PieceSize {
		err = a.finish(ctx)
	}
	return err
}

func (a *appender) check(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("upload piece %s: %w", a.out.name, err)
}

// shed stores what there is, to get its memory back.
func (a *appender) shed(ctx context.Context) error {
	if a.out != nil {
		return a.send(ctx)
	}
	return a.end(ctx)
}

// end makes a piece of what there is.
func (a *appender) end(ctx context.Context) error {
	if a.pending() == 0 && a.out == nil {
		return nil
	}
	if err := intake.InTime(ctx, a.pending()); err != nil {
		return err
	}
	if a.out != nil {
		err := a.check(a.out.write(a.buf.Data))
		a.buf.Release()
		if err == nil {
			err = a.finish(ctx)
		}
		return err
	}
	data := a.buf.Data
	if a.full != nil {
		data = append(a.full.Data[:len(a.full.Data):len(a.full.Data)], data...)
	}
	err := a.put(ctx, data)
	if a.full != nil {
		a.full.Release()
		a.full = nil
	}
	a.buf.Release()
	return err
}

// finish ends the upload under way: what was sent is a piece.
func (a *appender) finish(ctx context.Context) error {
	if err := intake.InTime(ctx, a.out.under); err != nil {
		return err
	}
	p, err := a.out.finish(ctx)
	if err = a.check(err); err != nil {
		return err
	}
	a.close()
	return a.add(ctx, p)
}

// put makes a piece of a few bytes in one request.
func (a *appender) put(ctx context.Context, data [][]byte) error {
	p, err := a.s.put(ctx, &a.lease, data)
	if err != nil {
		return fmt.Errorf("put piece: %w", err)
	}
	return a.add(ctx, p)
}

// add counts a piece. Where a call makes many, they are composed on the way; where that fails too often for the cursor to
// hold them all, no more count.
func (a *appender) add(ctx context.Context, p piece) error {
	if len(a.fresh) >= a.s.fanIn || len(a.base.Pieces)+len(a.fresh) >= maxPieces {
		a.wg.Wait()
		a.list, a.fresh = append(a.list[:len(a.list):len(a.list)], a.fresh...), nil
		err := a.fold(ctx)
		switch {
		case err != nil && len(a.list) >= maxPieces:
			return fmt.Errorf("%w: compose: %w", tus.ErrUnavailable, err)
		case len(a.list) >= maxPieces:
			return errPieces
		}
		a.base.Pieces = a.list
	}
	a.fresh = append(a.fresh, p)
	a.n += p.Size
	return nil
}

// close lets go of what is left: of an upload that did not come to its end nothing stays.
func (a *appender) close() {
	if a.out != nil {
		a.out.cancel()
		_ = a.out.w.Close() // it returns when nothing is being sent any more
		a.s.memory.Release(a.s.opt.ChunkSize)
		a.out = nil
	}
	if a.full != nil {
		a.full.Release()
	}
	a.buf.Release()
}
