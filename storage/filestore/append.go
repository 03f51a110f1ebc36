//go:build unix

package filestore

import (
	"context"
	"errors"
	"io"

	"github.com/fileloft/fileloft/tus"
)

const (
	bufSize  = 256 << 10
	minRead  = 32 << 10 // a Read is given at least so much room
	maxReads = 512      // Reads in one buffer
)

// A buffer gathers Reads into one write, and remembers where each ended.
type buffer struct {
	p    [bufSize]byte
	ends [maxReads]int
}

// Append implements tus.Storage.
func (s *Store) Append(ctx context.Context, lease tus.Lease, r io.Reader) (tus.Receipt, error) {
	u := &lease.Upload
	none := tus.Receipt{Cursor: u.Cursor, NextSlot: lease.Slots.First}
	p, err := s.home(u)
	if err != nil {
		return none, wrap("append", u, err)
	}
	h, err := s.target(ctx, &lease, p)
	if err != nil {
		return none, wrap("append", u, err)
	}
	defer h.Close()
	s.step("append:open")
	n, err := s.fill(ctx, h, u.Offset, r)
	s.step("append:written")
	if n == 0 {
		if h.fresh {
			_, _ = p.dir.unlink(p.stem + h.name)
		}
		return none, wrap("append", u, err)
	}
	if serr := s.settle(h, p); serr != nil {
		return none, wrap("append", u, errors.Join(err, serr)) // what is durable cannot be known
	}
	s.step("append:synced")
	rec := none
	rec.N = n
	rec.Cursor = cursor{file: h.name, dropped: h.copied}.format()
	return rec, wrap("append", u, err)
}

// target returns the file to append to.
func (s *Store) target(ctx context.Context, lease *tus.Lease, p home) (*held, error) {
	c, err := parseCursor(lease.Upload.Cursor)
	if err != nil {
		return nil, err
	}
	if c.file == "" {
		return s.createFirst(lease, p, nil)
	}
	if c.dropped != "" { // the cursor is committed, so nobody can need it
		if err := s.removeData(p, c.dropped); err != nil {
			return nil, err
		}
	}
	return s.hold(ctx, lease, p, c.file)
}

// settle makes the file durable and, if it is new, its name. The file goes first: on journalling file systems
// that brings the names along, and the rest costs little.
func (s *Store) settle(h *held, p home) error {
	if !s.sync {
		return nil
	}
	if err := datasync(h.file); err != nil {
		return err
	}
	if !h.fresh {
		return nil
	}
	s.step("settle:data")
	return p.dir.sync()
}

// fill writes r to h from off on and returns how many bytes count: all, or where a write failed, those up to the end
// of the last Read that was written in full.
func (s *Store) fill(ctx context.Context, h *held, off int64, r io.Reader) (int64, error) {
	b := s.bufs.Get().(*buffer)
	defer s.bufs.Put(b)
	var n int64
	for {
		used, reads, rerr := b.fill(r)
		if used > 0 {
			m, err := s.writeAt(h.file, b.p[:used], off+n)
			if err != nil {
				for reads > 0 && b.ends[reads-1] > m {
					reads--
				}
				if reads > 0 {
					n += int64(b.ends[reads-1])
				}
				if rerr == io.EOF {
					rerr = nil
				}
				return n, errors.Join(err, rerr)
			}
			n += int64(used)
			if s.sync {
				writeback(h.file, off+n-int64(used), int64(used))
			}
		}
		if rerr == io.EOF {
			return n, nil
		}
		if rerr == nil {
			rerr = ctx.Err()
		}
		if rerr != nil {
			return n, rerr
		}
	}
}

// fill reads until the buffer is full enough or r ends.
func (b *buffer) fill(r io.Reader) (used, reads int, err error) {
	empty := 0
	for used <= bufSize-minRead && reads < maxReads {
		n, err := r.Read(b.p[used:])
		used += n
		if n > 0 {
			b.ends[reads] = used
			reads++
			empty = 0
		} else if empty++; empty == 100 && err == nil {
			err = io.ErrNoProgress
		}
		if err != nil {
			return used, reads, err
		}
	}
	return used, reads, nil
}
