package badinput

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fileloft/fileloft/internal/servers"
)

// patience bounds every wait, with much room for a slow machine.
const patience = 60 * time.Second

// A server is one process of the real binary.
type server struct {
	t     testing.TB
	addr  string
	dir   string // its data directory
	cmd   *exec.Cmd
	ended <-chan struct{}
	log   *lockedBuffer
}

// A setup is how a server is started. All of it may be zero.
type setup struct {
	env    []string
	addr   string              // default: a free one
	dir    string              // default: one of the test's own
	within []string            // steps of the helper, which come before the server
	change func(cmd *exec.Cmd) // to the command
}

// launch starts a server and does not wait for it to listen.
func launch(t testing.TB, o setup) *server {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, addr: o.addr, dir: o.dir, log: &lockedBuffer{}}
	if s.addr == "" {
		s.addr = freeAddr(t)
	}
	if s.dir == "" {
		s.dir = t.TempDir()
	}
	s.cmd = exec.Command(path, "serve")
	s.cmd.Env = append(cleanEnv(), append([]string{
		"FILELOFT_BIND=" + s.addr, "FILELOFT_DATA_DIR=" + s.dir, "FILELOFT_ENABLE_CONCATENATION=true", "FILELOFT_ENABLE_DOWNLOAD=true",
		"FILELOFT_FS_SYNC=off", // a disk's speed is not what is tested here
	}, o.env...)...)
	s.cmd.Stdout, s.cmd.Stderr = s.log, s.log
	if o.within != nil {
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		s.cmd.Path, s.cmd.Args = self, append(append([]string{self}, o.within...), "--", path, "serve")
		s.cmd.Env = append(s.cmd.Env, asHelper+"=1")
	}
	if o.change != nil {
		o.change(s.cmd)
	}
	if s.ended, err = servers.Start(s.cmd); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.kill()
		if t.Failed() {
			t.Logf("log of %s:\n%s", s.addr, s.log.tail(20_000))
		}
	})
	return s
}

// serve starts a server and waits until it answers. Where somebody else has taken its port meanwhile, it takes another.
func serve(t testing.TB, o setup) *server {
	t.Helper()
	for try := 1; ; try++ {
		s := launch(t, o)
		if s.answers() {
			return s
		}
		if log := s.log.tail(2000); try == 3 || !strings.Contains(log, "address already in use") {
			t.Fatalf("the server does not answer: %s", log)
		}
	}
}

// answers waits for an answer, and returns false where the process has ended before.
func (s *server) answers() bool {
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		select {
		case <-s.ended:
			return false
		default:
		}
		if a, err := s.try("GET", "/healthz", nil); err == nil && a.status == 200 {
			return true
		}
	}
	return false
}

// kill ends the process by SIGKILL and waits for its end.
func (s *server) kill() {
	_ = s.cmd.Process.Kill() // it may have ended by itself
	<-s.ended
}

// lives fails the test if the process has ended or has panicked, also within a request.
func (s *server) lives() {
	s.t.Helper()
	select {
	case <-s.ended:
		s.t.Fatalf("the server ended: %v: %s", s.cmd.ProcessState, s.log.tail(4000))
	default:
	}
	if log := s.log.tail(1 << 20); strings.Contains(log, "panic") {
		s.t.Errorf("something panicked: %s", log)
	}
}

// peak is the most memory that the process has had so far, in MiB.
func (s *server) peak() int { return s.status("VmHWM:") / 1024 }

// resident is the memory that the process has now, in MiB.
func (s *server) resident() int { return s.status("VmRSS:") / 1024 }

func (s *server) status(field string) int {
	s.t.Helper()
	b, err := os.ReadFile("/proc/" + strconv.Itoa(s.cmd.Process.Pid) + "/status")
	if err != nil {
		s.t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), field)
	n, err := strconv.Atoi(strings.Fields(rest + " x")[0])
	if err != nil {
		s.t.Fatalf("%s: %v", field, err)
	}
	return n
}

func freeAddr(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// cleanEnv is the environment less what would configure a server.
func cleanEnv() []string {
	var env []string
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "FILELOFT_") && !strings.HasPrefix(e, "AWS_") && !strings.HasPrefix(e, "AZURE_") {
			env = append(env, e)
		}
	}
	return env
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
