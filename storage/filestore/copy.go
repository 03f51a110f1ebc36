//go:build unix

package filestore

import (
	"context"
	"fmt"
	"io"

	"github.com/fileloft/fileloft/tus"
)

// copyFile copies the first n bytes of src to the end of dst, which this call has made. Between files the system does it where
// it can: Linux shares the blocks (reflink) on Btrfs, XFS and others, or copies them in the kernel (copy_file_range).
func copyFile(ctx context.Context, dst, src *file, n int64) error {
	from, err := src.std()
	if err != nil {
		return err
	}
	defer from.Close()
	if _, err := from.Seek(0, io.SeekStart); err != nil {
		return err
	}
	to, err := dst.std()
	if err != nil {
		return err
	}
	defer to.Close()
	if _, err := to.Seek(0, io.SeekEnd); err != nil {
		return err
	}
	const step = 64 << 20 // a multiple of every block size, so that every step can share blocks
	for n > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		m, err := io.CopyN(to, from, min(n, step))
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
