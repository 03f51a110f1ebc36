//go:build unix

package filestore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fileloft/fileloft/tus"
)

// errGone is a committed file that is not there: to a late writer the sign that the upload was completed or removed, to
// a current one a disk that is not mounted, or the loss of bytes. Nobody must conclude from it that the upload is lost.
var errGone = fmt.Errorf("%w: the data file is gone", tus.ErrUnavailable)

// held is a data file of which this call alone may write the bytes behind the lease's offset, until it is closed.
type held struct {
	*file
	name    string
	copied  string // the file that it was copied from
	fresh   bool   // made by this call: neither it nor its name is durable yet
	witness *witness
}

// hold opens the committed data file for writing, or a copy of its committed bytes if somebody else still holds it.
func (s *Store) hold(ctx context.Context, lease *tus.Lease, p home, name string) (h *held, err error) {
	f, err := s.openPiece(p, name, unix.O_RDWR)
	if err != nil {
		return nil, gone(err)
	}
	defer func() {
		if h == nil || h.file != f {
			_ = f.Close() // after the copy, that is
		}
	}()
	s.step("hold:opened")
	return s.secure(ctx, lease, p, f, name)
}

// secure locks f. Where the lock is taken its holder's lease is over, but it may be frozen in a write, or be about to
// begin one: it keeps the file and we go on in a copy.
func (s *Store) secure(ctx context.Context, lease *tus.Lease, p home, f *file, name string) (*held, error) {
	got, err := s.lock(f)
	if err != nil {
		return nil, err
	}
	s.step("hold:locked")
	fenced, err := s.fence(lease, p, name, got)
	if err != nil {
		return nil, err
	}
	s.step("hold:fenced")
	// Only now is it certain that the name still stands: names go before fences do.
	w := &witness{name: name}
	if w.file, err = f.stat(); err != nil {
		return nil, err
	}
	at, err := p.dir.stat(p.stem + name)
	if err != nil || !same(&at, &w.file) {
		if fenced { // by us, for nobody
			_, _ = p.dir.unlink(p.stem + name + fenceSuffix)
		}
		return nil, gone(err)
	}
	if size := w.file.Size; size < lease.Upload.Offset {
		return nil, fmt.Errorf("%w: file %s has %d bytes of %d", tus.ErrCorrupt, name, size, lease.Upload.Offset)
	}
	if got {
		return &held{file: f, name: name, witness: w}, nil
	}
	s.step("hold:stood")
	h, err := s.create(lease, p, w)
	if err != nil {
		return nil, err
	}
	if err := copyFile(ctx, h.file, f, lease.Upload.Offset); err != nil {
		s.discard(h, p)
		return nil, err
	}
	s.step("hold:copied")
	h.copied = name
	return h, nil
}

// create makes a data file under a name that nobody else can know before a cursor that names it is committed. The lock on it
// is only there for Idle to see.
func (s *Store) create(lease *tus.Lease, p home, w *witness) (*held, error) {
	for n := 0; ; n++ {
		name := dataName(lease.Epoch, n)
		f, err := s.make(p, name, unix.O_RDWR)
		if errors.Is(err, fs.ErrExist) {
			continue // of an earlier call under this lease; it may be committed
		}
		if err != nil {
			return nil, err
		}
		h := &held{file: f, name: name, fresh: true, witness: w}
		kept := false
		defer func() {
			if !kept {
				_ = f.Close()
			}
		}()
		_, _ = s.lock(f)
		s.step("create:made")
		if w != nil {
			if err := s.check(p, w); err != nil {
				s.discard(h, p)
				return nil, err
			}
			s.step("create:checked")
		}
		kept = true
		return h, nil
	}
}

// createFirst is create for an upload of which nothing is committed. What earlier leases left is garbage: they
// cannot commit it any more.
func (s *Store) createFirst(lease *tus.Lease, p home, w *witness) (*held, error) {
	if err := s.clearOlder(p, lease.Epoch); err != nil {
		return nil, err
	}
	s.step("create:cleared")
	return s.create(lease, p, w)
}

// discard removes the name of a file made by this call that no receipt will name.
func (s *Store) discard(h *held, p home) {
	_, _ = p.dir.unlink(p.stem + h.name)
	_ = h.Close()
}

// fence refuses an epoch older than the newest that ever held the lock of the data file, and, where we hold it
// ourselves, leaves ours there. It is not durable, on purpose: after a loss of power no late writer is alive.
func (s *Store) fence(lease *tus.Lease, p home, name string, holding bool) (raised bool, err error) {
	e := lease.Epoch
	newest, _ := epochOf(name)
	if e == newest && lease.Upload.Phase == tus.Sealed {
		return false, nil // no other epoch that appends has ever known the file, or will
	}
	flag := unix.O_RDWR
	if e > newest && holding {
		flag |= unix.O_CREAT
	}
	f, err := p.dir.open(p.stem+name+fenceSuffix, flag)
	if missing(err) && flag&unix.O_CREAT == 0 {
		return false, s.older(e, newest)
	}
	if err != nil {
		return false, gone(err)
	}
	defer f.Close()
	var b [8]byte
	if _, err := f.ReadAt(b[:], 0); err == nil {
		newest = max(newest, tus.Epoch(binary.BigEndian.Uint64(b[:])))
	} else if err != io.EOF {
		return false, err
	}
	if err := s.older(e, newest); err != nil || !holding || e == newest {
		return false, err
	}
	binary.BigEndian.PutUint64(b[:], uint64(e))
	_, err = f.WriteAt(b[:], 0)
	return true, err
}

func (s *Store) older(e, newest tus.Epoch) error {
	if e < newest && s.fenced {
		return fmt.Errorf("%w: epoch %d came after %d", tus.ErrSuperseded, newest, e)
	}
	return nil
}

// lock takes the lock of an open file. It does not wait for a writer, only for Idle, which takes every lock for a
// moment, to see whether it is free.
func lock(f *file) (bool, error) {
	for try := 0; ; try++ {
		ok, err := tryLock(f)
		if ok || err != nil || try == 4 {
			return ok, err
		}
		time.Sleep(time.Millisecond << try)
	}
}

func tryLock(f *file) (bool, error) {
	err := flock(f, unix.LOCK_EX)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return false, nil
	}
	return err == nil, err
}

func flock(f *file, how int) error {
	return again(func() error { return unix.Flock(f.fd, how|unix.LOCK_NB) })
}
