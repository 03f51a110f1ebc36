//go:build unix

package filestore

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"sync"

	"golang.org/x/sys/unix"
)

// A folder is an open directory. All names that its methods take are single segments, and none follows a symbolic link.
// Other goroutines may close it or open it anew meanwhile: the lock, one for all folders that a store keeps open, holds
// the descriptor from becoming somebody else's during a system call.
type folder struct {
	mu *sync.RWMutex
	fd int // -1: not open
	at string
}

const dirFlags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC

// use makes a system call with the directory's descriptor.
func (d *folder) use(op, name string, call func(fd int) error) error {
	d.mu.RLock()
	defer d.mu.RUnlock()
	err := fs.ErrClosed
	if d.fd >= 0 {
		err = again(func() error { return call(d.fd) })
	}
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: op, Path: path.Join(d.at, name), Err: err}
}

func (d *folder) open(name string, flag int) (*file, error) {
	f := &file{fd: -1, name: name}
	err := d.use("open", name, func(dir int) (err error) {
		f.fd, err = unix.Openat(dir, name, flag|unix.O_NOFOLLOW|unix.O_CLOEXEC, fileMode)
		return err
	})
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (d *folder) stat(name string) (st unix.Stat_t, err error) {
	err = d.use("stat", name, func(dir int) error { return unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW) })
	return st, err
}

// unlink removes a name and reports whether it was there.
func (d *folder) unlink(name string) (bool, error) {
	err := d.use("unlink", name, func(dir int) error { return unix.Unlinkat(dir, name, 0) })
	if missing(err) {
		return false, nil
	}
	return err == nil, err
}

func (d *folder) rmdir(name string) error {
	return d.use("rmdir", name, func(dir int) error { return unix.Unlinkat(dir, name, unix.AT_REMOVEDIR) })
}

// mkdir makes a directory, unless the name is there.
func (d *folder) mkdir(name string) (made bool, err error) {
	err = d.use("mkdir", name, func(dir int) error { return unix.Mkdirat(dir, name, dirMode) })
	if errors.Is(err, unix.EEXIST) {
		return false, nil
	}
	return err == nil, err
}

// link gives a file a second name, in place of nothing.
func (d *folder) link(from string, to *folder, name string) error {
	return d.use("link", from, func(dir int) error {
		if to.fd < 0 { // under the same lock, or of this call alone
			return fs.ErrClosed
		}
		return unix.Linkat(dir, from, to.fd, name, 0)
	})
}

// sub opens a directory in d, for the caller alone; with mk it makes it if need be.
func (d *folder) sub(name string, mk bool) (*folder, error) {
	s := &folder{mu: new(sync.RWMutex), fd: -1, at: path.Join(d.at, name)}
	open := func(dir int) (err error) {
		s.fd, err = unix.Openat(dir, name, dirFlags, 0)
		if err == unix.ELOOP {
			err = unix.ENOTDIR // what other systems say of a link that is not to be followed
		}
		return err
	}
	err := d.use("open", name, open)
	if mk && missing(err) {
		if _, err = d.mkdir(name); err == nil {
			err = d.use("open", name, open)
		}
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

func (d *folder) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closeLocked()
}

func (d *folder) closeLocked() {
	if d.fd >= 0 {
		_ = unix.Close(d.fd)
		d.fd = -1
	}
}

// names lists the directory.
func (d *folder) names() ([]string, error) {
	var f *os.File
	err := d.use("open", ".", func(dir int) error { // a place in the listing of its own
		fd, err := unix.Openat(dir, ".", dirFlags, 0)
		if err == nil {
			f = os.NewFile(uintptr(fd), d.at)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Readdirnames(-1)
}

// sync makes the names in the directory durable.
func (d *folder) sync() error {
	err := d.use("sync", "", fullsync)
	// Some file systems know no fsync of a directory.
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOTSUP) {
		return nil
	}
	return err
}
