//go:build unix

package filestore

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fileloft/fileloft/tus"
)

// Open implements tus.Opener. For a whole object it returns the *os.File itself; for a range a reader that
// hands io.Copy the file, so that the system can send it without passing it through this process.
func (s *Store) Open(_ context.Context, u tus.Upload, off, n int64) (io.ReadCloser, error) {
	p, err := s.home(&u)
	if err != nil {
		return nil, wrap("open", &u, err)
	}
	raw, err := s.openObject(p)
	if missing(err) {
		err = fmt.Errorf("%w: %w", tus.ErrNotFound, err)
	}
	if err != nil {
		return nil, wrap("open", &u, err)
	}
	f := os.NewFile(uintptr(raw.fd), raw.name)
	st, err := raw.stat()
	if err == nil && !is(&st, u.Length) {
		err = fmt.Errorf("%w: the object has changed", tus.ErrCorrupt)
	}
	if err == nil && p.key != "" {
		// After the file was opened: who owns the key now owned it then.
		var o owner
		if o, err = s.owner(p); err == nil && o != ownerOf(&u) {
			err = tus.ErrNotFound
		}
	}
	if err == nil && (off < 0 || n < 0 || off > st.Size-n) {
		err = fmt.Errorf("%d bytes from %d on are not within %d", n, off, st.Size)
	}
	if err == nil && off > 0 {
		_, err = f.Seek(off, io.SeekStart)
	}
	if err != nil {
		_ = f.Close()
		return nil, wrap("open", &u, err)
	}
	if off == 0 && n == st.Size {
		return f, nil
	}
	return &span{io.LimitedReader{R: f, N: n}, f}, nil
}

// A span is a range of a file.
type span struct {
	io.LimitedReader
	f *os.File
}

func (s *span) WriteTo(w io.Writer) (int64, error) { return io.Copy(w, &s.LimitedReader) }
func (s *span) Close() error                       { return s.f.Close() }

// idlePause is how long a living holder may need between two Appends, at a checkpoint.
const idlePause = 75 * time.Millisecond

// Idle implements tus.Prober: it looks twice whether any data file of the upload is locked. An Append or Complete holds a
// lock from its first moment on, before it reads anything; a lease whose holder has not called yet cannot be seen,
// but will be after the pause, unless its holder is dead or frozen. It is true only of processes on this host.
func (s *Store) Idle(ctx context.Context, u tus.Upload) bool {
	p, err := s.home(&u)
	if err != nil || !s.free(p) {
		return false
	}
	t := time.NewTimer(idlePause)
	defer t.Stop()
	select {
	case <-t.C:
		return s.free(p)
	case <-ctx.Done():
		return false
	}
}

// free reports whether no data file is locked.
func (s *Store) free(p home) bool {
	names, err := s.tree.list(p.dir)
	if err != nil {
		return false
	}
	for _, name := range names {
		rest, ok := strings.CutPrefix(name, p.stem)
		if !ok || kindOf(rest) != dataPiece {
			continue
		}
		f, err := p.dir.open(name, unix.O_RDONLY)
		if missing(err) {
			continue
		}
		if err != nil {
			return false
		}
		err = flock(f, unix.LOCK_SH)
		_ = f.Close()
		if err != nil {
			return false
		}
	}
	return true
}
