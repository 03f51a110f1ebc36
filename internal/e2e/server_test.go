package e2e

import (
	"bytes"
	"errors"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience bounds every wait, with much room for a slow machine.
const patience = 60 * time.Second

// A server is one process of the real binary. It can be killed and started again at the same address.
type server struct {
	t    testing.TB
	addr string
	dir  string
	env  []string
	log  *lockedBuffer

	mu   sync.Mutex
	cmd  *exec.Cmd
	done chan struct{} // closed when cmd has ended
}

// serve starts a server over a data directory; several may share one.
func serve(t testing.TB, dir string, env ...string) *server {
	t.Helper()
	if err := buildServer(); err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, addr: freeAddr(t), dir: dir, env: env, log: &lockedBuffer{}}
	s.start()
	t.Cleanup(func() {
		s.kill()
		if t.Failed() {
			t.Logf("log of %s:\n%s", s.addr, s.log.tail(20_000))
		}
	})
	return s
}

// freeAddr returns an address that nobody listens at.
func freeAddr(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// start runs the process and waits until it accepts connections.
func (s *server) start() {
	s.mu.Lock()
	defer s.mu.Unlock()
	cmd := exec.Command(filepath.Join(bin, "fileloft"), "serve")
	cmd.Env = append(cleanEnv(), append([]string{
		"FILELOFT_BIND=" + s.addr, "FILELOFT_DATA_DIR=" + s.dir, "FILELOFT_ENABLE_CONCATENATION=true", "FILELOFT_ENABLE_DOWNLOAD=true",
		"FILELOFT_LOG_LEVEL=warn",
	}, s.env...)...)
	cmd.Stdout, cmd.Stderr = s.log, s.log
	// If this process dies, so does the server.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(done)
	}()
	s.cmd, s.done = cmd, done
	for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		c, err := net.Dial("tcp", s.addr)
		if err == nil {
			_ = c.Close()
			return
		}
		select {
		case <-done:
			s.t.Fatalf("the server ended: %s", s.log.tail(2000))
		default:
		}
		if time.Now().After(end) {
			s.t.Fatalf("the server does not listen: %v", err)
		}
	}
}

// cleanEnv is the environment less what would configure a server.
func cleanEnv() []string {
	var env []string
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "FILELOFT_") && !strings.HasPrefix(e, "AWS_") {
			env = append(env, e)
		}
	}
	return env
}

// kill ends the process by SIGKILL and waits for its end.
func (s *server) kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.cmd.Process.Signal(syscall.SIGCONT) // a frozen one as well
	_ = s.cmd.Process.Kill()
	<-s.done
}

// signal sends one of SIGSTOP, SIGCONT, SIGTERM.
func (s *server) signal(sig syscall.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Errorf("signal %v: %v", sig, err)
	}
}

// endpoint is the URL of the collection.
func (s *server) endpoint() string { return "http://" + s.addr + "/files/" }

// holds fails the test unless the data directory has source's bytes under files/<id>.
func (s *server) holds(t testing.TB, url, source string) {
	t.Helper()
	stored := filepath.Join(s.dir, "files", url[strings.LastIndexByte(strings.TrimSuffix(url, "/"), '/')+1:])
	var err error
	for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) { // a file appears at once, when it is whole
		if _, err = os.Stat(stored); !errors.Is(err, fs.ErrNotExist) || time.Now().After(end) {
			break
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	want, got := digest(t, source), digest(t, stored)
	if want != got {
		t.Fatalf("%s is not %s: %s, want %s", stored, source, got, want)
	}
}

// A lockedBuffer collects what a process prints.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) tail(n int) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.b.String()
	return s[max(0, len(s)-n):]
}
