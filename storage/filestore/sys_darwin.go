package filestore

import "golang.org/x/sys/unix"

func datasync(f *file) error { return f.sync() }

func writeback(*file, int64, int64) {}

// fullsync has the disk empty its cache, too, which fsync on this system does not.
func fullsync(fd int) error {
	_, err := unix.FcntlInt(uintptr(fd), unix.F_FULLFSYNC, 0)
	if err == unix.ENOTSUP || err == unix.EINVAL { // some file systems cannot
		return unix.Fsync(fd)
	}
	return err
}
