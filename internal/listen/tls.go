package listen

import (
	"crypto/tls"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"sync"
)

// A Certificate is a chain and its key in two PEM files. It is safe for concurrent use.
type Certificate struct {
	chain, key string
	log        *slog.Logger

	mu      sync.Mutex
	current *tls.Certificate
	seen    [2]fs.FileInfo // of the files when they were last read; nil where there was none
}

// NewCertificate reads the two files. It is an error if they are not a certificate and its key.
func NewCertificate(chain, key string, log *slog.Logger) (*Certificate, error) {
	c := &Certificate{chain: chain, key: key, log: log}
	c.seen = c.look()
	if err := c.read(); err != nil {
		return nil, err
	}
	return c, nil
}

// Listener puts TLS, of version oldest or newer, in front of ln. It offers HTTP/2 and HTTP/1.1.
func (c *Certificate) Listener(ln net.Listener, oldest uint16) net.Listener {
	return tls.NewListener(ln, &tls.Config{MinVersion: oldest, NextProtos: []string{"h2", "http/1.1"}, GetCertificate: c.get})
}

// get is asked in each handshake. Where the files have changed since they were read, they are read again: connections that exist go on
// with what they have. Files that cannot be used are logged, once, and the certificate before them stays: they may be half written, and
// no certificate would be worse than an old one.
//
// Not guaranteed: that two changes within one tick of the file system's clock, a few milliseconds, which keep size and inode, are
// told apart.
func (c *Certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	// Looked at before they are read: what is written in between shows the next time.
	if now := c.look(); !same(now[0], c.seen[0]) || !same(now[1], c.seen[1]) {
		c.seen = now
		if err := c.read(); err != nil {
			c.log.Error("the certificate has changed and cannot be used: the one before it stays", "error", err)
		}
	}
	return c.current, nil
}

// look asks for what tells one content of the files from another. It follows links, which is how Kubernetes replaces files.
func (c *Certificate) look() (now [2]fs.FileInfo) {
	for i, name := range []string{c.chain, c.key} {
		if info, err := os.Stat(name); err == nil {
			now[i] = info
		}
	}
	return now
}

func same(a, b fs.FileInfo) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

func (c *Certificate) read() error {
	pair, err := tls.LoadX509KeyPair(c.chain, c.key)
	if err != nil {
		return fmt.Errorf("listen: read certificate %s with key %s: %w", c.chain, c.key, err)
	}
	c.current = &pair
	c.log.Info("certificate", "names", pair.Leaf.DNSNames, "expires", pair.Leaf.NotAfter, "file", c.chain)
	return nil
}
