//go:build unix

package filestore

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"golang.org/x/sys/unix"

	"github.com/fileloft/fileloft/tus"
)

// A source finds or makes the file whose first Upload.Length bytes are to be the object.
type source func(ctx context.Context, lease *tus.Lease, p home) (*held, error)

// Complete implements tus.Storage.
func (s *Store) Complete(ctx context.Context, lease tus.Lease) (tus.Stored, error) {
	st, err := s.finish(ctx, &lease, s.committed)
	return st, wrap("complete", &lease.Upload, err)
}

// Concat implements tus.Concatenator.
func (s *Store) Concat(ctx context.Context, lease tus.Lease, parts []tus.Upload) (tus.Stored, error) {
	st, err := s.finish(ctx, &lease, func(ctx context.Context, lease *tus.Lease, p home) (*held, error) {
		h, err := s.createLast(lease, p)
		if err != nil {
			return nil, err
		}
		for i := range parts {
			if err := s.addPart(ctx, h.file, &parts[i]); err != nil {
				s.discard(h, p)
				return nil, fmt.Errorf("part %s: %w", parts[i].ID, err)
			}
			s.step("concat:part")
		}
		return h, nil
	})
	return st, wrap("concat", &lease.Upload, err)
}

// finish puts the object in place unless it is there. Everything in it may have been done before, up to any point, and another
// epoch may be doing it at the same time.
func (s *Store) finish(ctx context.Context, lease *tus.Lease, src source) (st tus.Stored, err error) {
	u := &lease.Upload
	p, err := s.home(u)
	if err != nil {
		return st, err
	}
	if u.Length < 0 {
		return st, errors.New("the upload has no length")
	}
	done, err := s.published(u, p)
	if err != nil {
		return st, err
	}
	if !done {
		st, err = s.publishFrom(ctx, lease, p, src)
		if err != nil {
			// Another epoch may have been faster and taken away what we needed.
			if done, _ = s.published(u, p); !done {
				s.tree.prune(p.key) // directories made in vain
				return st, err
			}
		}
	}
	if done {
		if st, err = s.checkPublished(ctx, u, p); err != nil {
			return st, err
		}
	}
	s.step("complete:published")
	return st, s.tidy(p, lease)
}

// publishFrom puts the file that src finds in place.
func (s *Store) publishFrom(ctx context.Context, lease *tus.Lease, p home, src source) (tus.Stored, error) {
	u := &lease.Upload
	h, err := src(ctx, lease, p)
	if err != nil {
		return tus.Stored{}, err
	}
	defer h.Close()
	if h.fresh { // published or not, the name has done its duty
		defer s.discard(h, p)
	}
	if err := s.trim(h, u.Length); err != nil {
		return tus.Stored{}, err
	}
	s.step("complete:trimmed")
	st, err := s.stored(ctx, h.file, u)
	if err != nil {
		return st, err
	}
	if p.key == "" {
		return st, s.publishPartial(u, p, h)
	}
	return st, s.publish(lease, p, h)
}

// committed is the source of an ordinary upload.
func (s *Store) committed(ctx context.Context, lease *tus.Lease, p home) (*held, error) {
	u := &lease.Upload
	if u.Offset != u.Length {
		return nil, fmt.Errorf("%w: %d bytes of %d are committed", tus.ErrCorrupt, u.Offset, u.Length)
	}
	c, err := parseCursor(u.Cursor)
	if err != nil {
		return nil, err
	}
	if c.file != "" {
		return s.hold(ctx, lease, p, c.file)
	}
	if u.Length > 0 {
		return nil, fmt.Errorf("%w: the cursor names no file", tus.ErrCorrupt)
	}
	return s.createLast(lease, p)
}

// createLast makes the file of an object that needs no committed file: an empty one, or one made of others. What keeps such a
// call, where it comes late, from bringing a removed upload back is the sign that Remove puts up before it looks for pieces:
// either it is seen here, or Remove finds the file that was just made.
func (s *Store) createLast(lease *tus.Lease, p home) (*held, error) {
	return s.createFirst(lease, p, new(witness))
}

// addPart appends the object of a finished Partial upload to dst.
func (s *Store) addPart(ctx context.Context, dst *file, part *tus.Upload) error {
	p, err := s.home(part)
	if err != nil {
		return err
	}
	if part.Concat.Role != tus.Partial {
		return fmt.Errorf("%w among the partial uploads", tus.ErrNotFound)
	}
	f, err := s.openPiece(p, doneName, unix.O_RDONLY)
	if missing(err) {
		return fmt.Errorf("%w: %w", tus.ErrNotFound, err)
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if st, err := f.stat(); err != nil || st.Size != part.Length {
		return errors.Join(fmt.Errorf("%w: its size is not %d", tus.ErrCorrupt, part.Length), err)
	}
	return copyFile(ctx, dst, f, part.Length)
}

// trim gives the file its length and makes it durable where an Append has not done that already.
func (s *Store) trim(h *held, length int64) error {
	size := h.witness.file.Size
	if h.fresh {
		st, err := h.stat()
		if err != nil {
			return err
		}
		size = st.Size
	}
	if size < length {
		return fmt.Errorf("%w: %d bytes of %d", tus.ErrCorrupt, size, length)
	}
	longer := size > length
	if longer {
		if err := h.truncate(length); err != nil {
			return err
		}
	}
	if s.sync && (h.fresh || longer) {
		return h.sync()
	}
	return nil
}

// stored says what the file holds, read back if that is wanted; what does not match is not published.
func (s *Store) stored(ctx context.Context, f *file, u *tus.Upload) (tus.Stored, error) {
	st := tus.Stored{Size: u.Length}
	if u.Length > s.verify {
		return st, nil
	}
	b := s.bufs.Get().(*buffer)
	defer s.bufs.Put(b)
	for off := int64(0); off < u.Length; {
		if err := ctx.Err(); err != nil {
			return st, err
		}
		n, err := f.ReadAt(b.p[:min(bufSize, u.Length-off)], off)
		if n == 0 {
			if err == io.EOF {
				err = tus.ErrCorrupt
			}
			return st, err
		}
		st.CRC32C = crc32.Update(st.CRC32C, castagnoli, b.p[:n])
		off += int64(n)
	}
	st.HasCRC32C = true
	if len(u.Digest) == 0 {
		return st, nil
	}
	sums, err := u.Sums()
	if err == nil && sums.CRC32C != st.CRC32C {
		err = fmt.Errorf("%w: crc32c %08x is not %08x", tus.ErrCorrupt, st.CRC32C, sums.CRC32C)
	}
	return st, err
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)
