//go:build unix && !linux && !darwin

package filestore

import "golang.org/x/sys/unix"

func datasync(f *file) error { return f.sync() }

func writeback(*file, int64, int64) {}

func fullsync(fd int) error { return unix.Fsync(fd) }
