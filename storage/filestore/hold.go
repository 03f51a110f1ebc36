//go:build unix

package filestore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fileloft/fileloft/tus"
)

// errGone is a committed file that is not there: to a late writer the sign that the upload was completed or removed,
// to a current one the loss of bytes.
var errGone = fmt.Errorf("%w: the data file is gone", tus.ErrCorrupt)

// held is a data file of which this call alone may write the bytes behind the lease's offset, until it is closed.
type held struct {
	*os.File
	name   string
	copied string // the file that it was copied from
	fresh  bool   // made by this call: neither it nor its name is durable yet
}

// hold opens the committed data file for writing, or a copy of its committed bytes if somebody else still holds it.
func (s *Store) hold(ctx context.Context, lease *tus.Lease, p paths, name string) (*held, error) {
	f, err := s.root.OpenFile(path.Join(p.dir, name), os.O_RDWR, 0)
	if err != nil {
		return nil, gone(err)
	}
	s.step("hold:opened")
	h, err := s.secure(ctx, lease, p, f, name)
	if h == nil || h.File != f {
		_ = f.Close() // after the copy, that is
	}
	return h, err
}

// secure locks f. Where the lock is taken its holder's lease is over, but it may be frozen in a write, or be about to
// begin one: it keeps the file and we go on in a copy.
func (s *Store) secure(ctx context.Context, lease *tus.Lease, p paths, f *os.File, name string) (*held, error) {
	got, err := s.lock(f)
	if err != nil {
		return nil, err
	}
	s.step("hold:locked")
	if err := s.fence(lease.Epoch, p, name, got); err != nil {
		return nil, err
	}
	s.step("hold:fenced")
	// Only now is it certain that the name still stands: names go before fences do.
	fi, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if at, err := s.root.Lstat(path.Join(p.dir, name)); err != nil || !os.SameFile(fi, at) {
		return nil, gone(err)
	}
	if fi.Size() < lease.Upload.Offset {
		return nil, fmt.Errorf("%w: file %s has %d bytes of %d", tus.ErrCorrupt, name, fi.Size(), lease.Upload.Offset)
	}
	if got {
		return &held{File: f, name: name}, nil
	}
	h, err := s.create(lease, p)
	if err != nil {
		return nil, err
	}
	if err := copyFile(ctx, h.File, f, lease.Upload.Offset); err != nil {
		s.discard(h, p)
		return nil, err
	}
	s.step("hold:copied")
	h.copied = name
	return h, nil
}

// create makes a data file under a name that nobody else can know before a cursor that names it is committed. The lock on it
// is only there for Idle to see.
func (s *Store) create(lease *tus.Lease, p paths) (*held, error) {
	for n := 0; ; n++ {
		name := dataName(lease.Epoch, n)
		f, err := s.root.OpenFile(path.Join(p.dir, name), os.O_RDWR|os.O_CREATE|os.O_EXCL, fileMode)
		if errors.Is(err, fs.ErrExist) {
			continue // of an earlier call under this lease; it may be committed
		}
		if err != nil {
			return nil, gone(err)
		}
		_, _ = s.lock(f)
		s.step("create:made")
		return &held{File: f, name: name, fresh: true}, nil
	}
}

// createFirst is create for an upload of which nothing is committed. What earlier leases left is garbage: they
// cannot commit it any more.
func (s *Store) createFirst(lease *tus.Lease, p paths) (*held, error) {
	err := s.root.Mkdir(p.dir, dirMode)
	if errors.Is(err, fs.ErrExist) {
		err = s.clear(p.dir, func(name string) bool {
			e, ok := epochOf(name)
			return !ok || e >= lease.Epoch
		})
	}
	if err != nil {
		return nil, err
	}
	s.step("create:dir")
	return s.create(lease, p)
}

// discard removes a file made by this call that no receipt will name.
func (s *Store) discard(h *held, p paths) {
	_ = s.root.Remove(path.Join(p.dir, h.name))
	_ = h.Close()
}

// fence refuses an epoch older than the newest that ever held the lock of the data file, and, where we hold it
// ourselves, leaves ours there. It is not durable, on purpose: after a loss of power no late writer is alive.
func (s *Store) fence(e tus.Epoch, p paths, name string, holding bool) error {
	newest, _ := epochOf(name)
	flag := os.O_RDWR
	if e > newest && holding {
		flag |= os.O_CREATE
	}
	f, err := s.root.OpenFile(path.Join(p.dir, name+fenceSuffix), flag, fileMode)
	if errors.Is(err, fs.ErrNotExist) && flag&os.O_CREATE == 0 {
		return s.older(e, newest)
	}
	if err != nil {
		return gone(err)
	}
	defer f.Close()
	var b [8]byte
	if _, err := f.ReadAt(b[:], 0); err == nil {
		newest = max(newest, tus.Epoch(binary.BigEndian.Uint64(b[:])))
	} else if err != io.EOF {
		return err
	}
	if err := s.older(e, newest); err != nil || !holding || e == newest {
		return err
	}
	binary.BigEndian.PutUint64(b[:], uint64(e))
	_, err = f.WriteAt(b[:], 0)
	return err
}

func (s *Store) older(e, newest tus.Epoch) error {
	if e < newest && s.fenced {
		return fmt.Errorf("%w: epoch %d came after %d", tus.ErrSuperseded, newest, e)
	}
	return nil
}

// lock takes the lock of an open file. It does not wait for a writer, only for Idle, which takes every lock for a
// moment, to see whether it is free.
func lock(f *os.File) (bool, error) {
	for try := 0; ; try++ {
		ok, err := tryLock(f)
		if ok || err != nil || try == 4 {
			return ok, err
		}
		time.Sleep(time.Millisecond << try)
	}
}

func tryLock(f *os.File) (bool, error) {
	err := flock(f, unix.LOCK_EX)
	if err == unix.EWOULDBLOCK {
		return false, nil
	}
	return err == nil, err
}

func flock(f *os.File, how int) error {
	for {
		if err := unix.Flock(int(f.Fd()), how|unix.LOCK_NB); err != unix.EINTR {
			return err
		}
	}
}

// copyFile copies the first n bytes of src to the position of dst. Between files the system does it where it can: Linux shares
// the blocks (reflink) on Btrfs, XFS and others, or copies them in the kernel (copy_file_range).
func copyFile(ctx context.Context, dst, src *os.File, n int64) error {
	if _, err := src.Seek(0, io.SeekStart); err != nil {
		return err
	}
	const step = 64 << 20 // a multiple of every block size, so that every step can share blocks
	for n > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		m, err := io.CopyN(dst, src, min(n, step))
		if err == io.EOF {
			return fmt.Errorf("%w: a file became shorter", tus.ErrCorrupt)
		}
		if err != nil {
			return err
		}
		n -= m
	}
	return nil
}

// gone explains an error of opening what a committed cursor names.
func gone(err error) error {
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return errGone
	}
	return err
}
