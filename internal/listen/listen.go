// Package listen opens what a server answers on besides plain TCP addresses: Unix sockets, sockets that systemd or another
// supervisor hands over, and TLS with a certificate that is read again when its files change.
//
// All of them are net.Listeners for one http.Server. Nothing runs in the background: the certificate's files are looked at in each
// handshake, which costs two calls of stat. Nothing is sent, but that a Unix socket which is there already is tried.
package listen

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"syscall"
)

// firstHanded is the first descriptor behind the three standard ones (SD_LISTEN_FDS_START in sd_listen_fds(3)).
const firstHanded = 3

// Handed returns the listeners that whoever started this process has opened for it, as sd_listen_fds(3) has it: LISTEN_PID says
// which process is meant and LISTEN_FDS how many there are. Nil if none. It takes the descriptors over: it is called once.
//
// Such a listener outlives the process. Who connects while one process ends and the next one starts waits, and is not refused.
func Handed(lookup func(name string) (value string, ok bool)) ([]net.Listener, error) {
	pid, _ := lookup("LISTEN_PID")
	if pid != strconv.Itoa(os.Getpid()) {
		return nil, nil
	}
	count, _ := lookup("LISTEN_FDS")
	n, err := strconv.ParseUint(count, 10, 8)
	if err != nil {
		return nil, fmt.Errorf("listen: LISTEN_FDS is %q, want a number of descriptors", count)
	}
	list := make([]net.Listener, 0, n)
	for fd := firstHanded; fd < firstHanded+int(n); fd++ {
		ln, err := handed(fd)
		if err != nil {
			for _, ln := range list {
				_ = ln.Close() // the first error is the one that counts
			}
			return nil, fmt.Errorf("listen: take over descriptor %d: %w", fd, err)
		}
		list = append(list, ln)
	}
	return list, nil
}

func handed(fd int) (net.Listener, error) {
	// Any other descriptor would be found out by the first Accept only.
	switch listens, err := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_ACCEPTCONN); {
	case err != nil:
		return nil, os.NewSyscallError("getsockopt", err)
	case listens == 0:
		return nil, fmt.Errorf("the socket does not listen")
	}
	return newShared(fd)
}
