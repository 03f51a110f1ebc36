package listen

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io/fs"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

func TestHandedGoesByTheProcess(t *testing.T) {
	for _, env := range []map[string]string{nil, {"LISTEN_FDS": "1"}, {"LISTEN_FDS": "1", "LISTEN_PID": "1"}} {
		list, err := Handed(func(name string) (string, bool) { v, ok := env[name]; return v, ok })
		if list != nil || err != nil {
			t.Errorf("%v: %v %v", env, list, err)
		}
	}
	for _, count := range []string{"", "x", "-1", "256"} {
		env := map[string]string{"LISTEN_PID": fmt.Sprint(os.Getpid()), "LISTEN_FDS": count}
		if _, err := Handed(func(name string) (string, bool) { v, ok := env[name]; return v, ok }); err == nil {
			t.Errorf("LISTEN_FDS=%s is taken", count)
		}
	}
}

// While a server runs, somebody removes its socket and starts another one in its place.
func TestCloseRemovesNobodyElsesSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	first, err := Unix(t.Context(), path, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	second, err := Unix(t.Context(), path, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil {
		t.Error(err)
	}
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatalf("the second server lost its socket: %v", err)
	}
	_ = conn.Close()
	if err := second.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); err == nil {
		t.Error("the last one leaves its socket")
	}
}

func TestTheSocketHasThePermissionsThatWereAskedForWhateverTheUmask(t *testing.T) {
	old := syscall.Umask(0o077) // of the whole process: this test is not parallel
	defer syscall.Umask(old)
	for _, mode := range []fs.FileMode{0o600, 0o660, 0o666} {
		path := filepath.Join(t.TempDir(), "s")
		ln, err := Unix(t.Context(), path, mode)
		if err != nil {
			t.Fatal(err)
		}
		if info, err := os.Lstat(path); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%v, want %v (%v)", info.Mode(), mode, err)
		}
		_ = ln.Close()
	}
}

// pair writes a new certificate with a serial number and its key, one after the other, as careless programs do.
func pair(t testing.TB, chain, key string, serial int64) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(serial), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{chain: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// Handshakes never fail while the files are written in place, and the last pair is the one that stays.
func TestACertificateChangesUnderManyHandshakes(t *testing.T) {
	dir := t.TempDir()
	chain, key := filepath.Join(dir, "c"), filepath.Join(dir, "k")
	pair(t, chain, key, 1)
	c, err := NewCertificate(chain, key, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	const changes = 15
	done := make(chan struct{})
	var askers sync.WaitGroup
	for range 4 {
		askers.Go(func() {
			last := int64(0)
			for {
				got, err := c.get(&tls.ClientHelloInfo{})
				if err != nil || got == nil {
					t.Errorf("no certificate: %v", err)
					return
				}
				if n := got.Leaf.SerialNumber.Int64(); n < last {
					t.Errorf("certificate %d after %d", n, last)
				} else {
					last = n
				}
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	for i := range int64(changes) {
		time.Sleep(20 * time.Millisecond) // more than a tick of the file system's clock: two changes within one look the same
		pair(t, chain, key, i+2)
	}
	close(done)
	askers.Wait()
	got, err := c.get(&tls.ClientHelloInfo{})
	if err != nil || got.Leaf.SerialNumber.Int64() != changes+1 {
		t.Errorf("in the end it is number %v, want %d (%v)", got.Leaf.SerialNumber, changes+1, err)
	}
}

// What a handshake pays for a certificate that may have changed.
func BenchmarkUnchangedCertificate(b *testing.B) {
	dir := b.TempDir()
	chain, key := filepath.Join(dir, "c"), filepath.Join(dir, "k")
	pair(b, chain, key, 1)
	c, err := NewCertificate(chain, key, slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := c.get(nil); err != nil {
			b.Fatal(err)
		}
	}
}

// The next process has got the socket, and who handed it over has cleared O_NONBLOCK, for both.
func TestCloseEndsAnAcceptThatBlocks(t *testing.T) {
	t.Parallel()
	theirs, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer theirs.Close()
	f, err := theirs.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fd, err := syscall.Dup(int(f.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	ln, err := handed(fd)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.SetNonblock(int(f.Fd()), false); err != nil {
		t.Fatal(err)
	}
	accepted := make(chan error)
	go func() {
		for range 2 {
			conn, err := ln.Accept()
			if err == nil {
				_ = conn.Close()
			}
			accepted <- err
		}
	}()
	conn, err := net.Dial("tcp", ln.Addr().String()) // wakes the first Accept, so that the second one goes on to the kernel
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := <-accepted; err != nil {
		t.Fatal(err)
	}
	time.Sleep(100 * time.Millisecond)
	closed := make(chan error)
	go func() { closed <- ln.Close() }()
	for _, c := range []chan error{accepted, closed} {
		select {
		case <-c:
		case <-time.After(10 * time.Second):
			t.Fatal("Close waits for the next client")
		}
	}
}
