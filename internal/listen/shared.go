package listen

import (
	"errors"
	"net"
	"os"
	"syscall"
)

// shared listens on a socket that other processes have too. Whether accept blocks (O_NONBLOCK) is a property of the socket, not of the
// process, and who hands it to the next process clears it: systemd does so by default, and so does os/exec. net's listeners set it
// once, and from then on stay in accept, deaf to Close, until the next client comes. So it is set before each accept.
//
// Not guaranteed: cleared just between these two calls, it has the same effect, once.
type shared struct {
	file *os.File
	raw  syscall.RawConn
	addr net.Addr
}

// newShared takes fd over.
func newShared(fd int) (*shared, error) {
	f := os.NewFile(uintptr(fd), "handed over")
	defer f.Close()
	ln, err := net.FileListener(f) // another copy, to ask it for its address
	if err != nil {
		return nil, err
	}
	defer ln.Close()
	if fd, err = syscall.Dup(fd); err != nil {
		return nil, os.NewSyscallError("dup", err)
	}
	syscall.CloseOnExec(fd)
	_ = syscall.SetNonblock(fd, true)                                        // FileListener has done so; the next line depends on it
	s := &shared{file: os.NewFile(uintptr(fd), "listener"), addr: ln.Addr()} // not f: Fd, which net calls, makes a File blocking
	s.raw, err = s.file.SyscallConn()
	return s, err
}

// Accept waits for the next connection that no other process takes.
func (s *shared) Accept() (net.Conn, error) {
	var fd int
	var err error
	closed := s.raw.Read(func(listener uintptr) (done bool) {
		if err = syscall.SetNonblock(int(listener), true); err != nil {
			return true
		}
		for {
			fd, _, err = syscall.Accept(int(listener))
			switch {
			case errors.Is(err, syscall.EINTR), errors.Is(err, syscall.ECONNABORTED): // by a signal; by a client that has gone again
				continue
			case errors.Is(err, syscall.EAGAIN):
				return false
			}
			return true
		}
	})
	if closed != nil {
		err = net.ErrClosed
	} else if err != nil {
		err = os.NewSyscallError("accept", err)
	}
	if err != nil {
		return nil, &net.OpError{Op: "accept", Net: s.addr.Network(), Addr: s.addr, Err: err}
	}
	syscall.CloseOnExec(fd)
	f := os.NewFile(uintptr(fd), "accepted")
	defer f.Close() // FileConn makes a copy
	return net.FileConn(f)
}

// Close ends Accept. The socket goes on to listen for the others.
func (s *shared) Close() error { return s.file.Close() }

// Addr returns where the socket listens.
func (s *shared) Addr() net.Addr { return s.addr }
