package filestore

import "golang.org/x/sys/unix"

// datasync makes the bytes and the size of f durable, without its times.
func datasync(f *file) error {
	return f.fail("sync", again(func() error { return unix.Fdatasync(f.fd) }))
}

// writeback begins to write the range to the disk, so that the fsync at the end has less to wait for.
func writeback(f *file, off, n int64) {
	_ = unix.SyncFileRange(f.fd, off, n, unix.SYNC_FILE_RANGE_WRITE)
}

func fullsync(fd int) error { return unix.Fsync(fd) }
