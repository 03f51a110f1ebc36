//go:build unix

package filestore

import (
	"errors"
	"io"
	"io/fs"
	"math"
	"os"

	"golang.org/x/sys/unix"
)

// A file is an open regular file, by its descriptor alone: an os.File would be offered to the poller and asked for its
// flags, which costs a small upload more than its bytes do. One call uses it and closes it.
type file struct {
	fd   int
	name string // for messages
}

// Close may be called again, to no effect.
func (f *file) Close() error {
	fd := f.fd
	f.fd = -1
	if fd < 0 {
		return nil
	}
	if err := unix.Close(fd); err != unix.EINTR { // after EINTR it is closed as well
		return f.fail("close", err)
	}
	return nil
}

func (f *file) fail(op string, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: op, Path: f.name, Err: err}
}

// ReadAt implements io.ReaderAt.
func (f *file) ReadAt(p []byte, off int64) (n int, err error) {
	for n < len(p) {
		var m int
		err := again(func() (err error) { m, err = unix.Pread(f.fd, p[n:], off+int64(n)); return err })
		if err != nil {
			return n, f.fail("read", err)
		}
		if m == 0 {
			return n, io.EOF
		}
		n += m
	}
	return n, nil
}

// WriteAt implements io.WriterAt.
func (f *file) WriteAt(p []byte, off int64) (n int, err error) {
	for n < len(p) {
		var m int
		err := again(func() (err error) { m, err = unix.Pwrite(f.fd, p[n:], off+int64(n)); return err })
		if err != nil {
			return n, f.fail("write", err)
		}
		if m == 0 {
			return n, f.fail("write", io.ErrShortWrite)
		}
		n += m
	}
	return n, nil
}

func (f *file) readAll() ([]byte, error) { return io.ReadAll(io.NewSectionReader(f, 0, math.MaxInt64)) }

func (f *file) stat() (st unix.Stat_t, err error) {
	err = again(func() error { return unix.Fstat(f.fd, &st) })
	return st, f.fail("stat", err)
}

func (f *file) truncate(n int64) error {
	return f.fail("truncate", again(func() error { return unix.Ftruncate(f.fd, n) }))
}

// sync makes the bytes and all that is known of the file durable.
func (f *file) sync() error {
	return f.fail("sync", again(func() error { return fullsync(f.fd) }))
}

// std returns the same open file as an os.File, to be closed beside it.
func (f *file) std() (*os.File, error) {
	fd, err := unix.FcntlInt(uintptr(f.fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, f.fail("dup", err)
	}
	return os.NewFile(uintptr(fd), f.name), nil
}

// again repeats a system call that a signal has interrupted.
func again(call func() error) error {
	for {
		err := call()
		if errno, _ := err.(unix.Errno); errno != unix.EINTR { //nolint:errorlint // it is the bare number, several times in each call
			return err
		}
	}
}

// same reports whether both are the same file. One of them must be open, or the number may belong to a later one.
func same(a, b *unix.Stat_t) bool { return a.Dev == b.Dev && a.Ino == b.Ino }

// is reports whether st is of a regular file of that size.
func is(st *unix.Stat_t, size int64) bool {
	return st.Mode&unix.S_IFMT == unix.S_IFREG && st.Size == size
}

func missing(err error) bool { return errors.Is(err, fs.ErrNotExist) }
