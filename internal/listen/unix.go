package listen

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"syscall"
	"time"
)

// Unix listens on a Unix socket. A socket file that nobody listens on is replaced; one with a server is an error, and so is any
// other file. Mode holds the permissions of the socket file, that is, who may connect; 0 leaves them to the umask. Close removes the
// file, unless another one is there by then.
//
// Not guaranteed: of two processes that find the same stale file at the same moment, one may take the other's new socket for it.
func Unix(ctx context.Context, path string, mode fs.FileMode) (net.Listener, error) {
	if err := removeStale(ctx, path); err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		if mode == 0 {
			return nil
		}
		// Linux takes the file's permissions from the socket's, less the umask: so they are never wider than asked for. Where a
		// socket has none, the Chmod below must do.
		return c.Control(func(fd uintptr) { _ = syscall.Fchmod(int(fd), uint32(mode)) })
	}}
	ln, err := lc.Listen(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	u := &unixListener{UnixListener: ln.(*net.UnixListener), path: path}
	if u.file, err = os.Lstat(path); err == nil && mode != 0 {
		err = os.Chmod(path, mode)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("listen: %w", err), ln.Close())
	}
	u.SetUnlinkOnClose(false)
	return u, nil
}

type unixListener struct {
	*net.UnixListener
	path string
	file fs.FileInfo
}

// Close ends the listening and removes the file if it is still this listener's: somebody may have removed it and started
// another server there.
func (u *unixListener) Close() error {
	if now, err := os.Lstat(u.path); err == nil && os.SameFile(now, u.file) {
		_ = os.Remove(u.path) // what stays is a stale file, which the next start removes
	}
	return u.UnixListener.Close()
}

// removeStale makes room for a socket.
func removeStale(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("%s is there and is not a socket: it is left alone", path)
	}
	d := net.Dialer{Timeout: time.Second}
	conn, err := d.DialContext(ctx, "unix", path)
	switch {
	case err == nil:
		_ = conn.Close()
		return fmt.Errorf("%s: a server is listening there already", path)
	case errors.Is(err, syscall.ECONNREFUSED):
		return os.Remove(path)
	}
	return fmt.Errorf("%s is there, and it cannot be told whether a server is: %w", path, err)
}
