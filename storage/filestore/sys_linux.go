package filestore

import (
	"os"

	"golang.org/x/sys/unix"
)

// datasync makes the bytes and the size of f durable, without its times.
func datasync(f *os.File) error {
	for {
		if err := unix.Fdatasync(int(f.Fd())); err != unix.EINTR {
			return os.NewSyscallError("fdatasync", err)
		}
	}
}

// writeback begins to write the range to the disk, so that the fsync at the end has less to wait for.
func writeback(f *os.File, off, n int64) {
	_ = unix.SyncFileRange(int(f.Fd()), off, n, unix.SYNC_FILE_RANGE_WRITE)
}
