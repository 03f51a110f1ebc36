package ledger

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/fileloft/fileloft/internal/servers"
)

const (
	root   = "../.."
	bucket = "uploads"
)

var bin string // where the binaries are built

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "fileloft-ledger-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	bin = dir
	code := m.Run()
	for _, p := range []*servers.Process{emulator.process, azurite.process} {
		if p != nil {
			p.Stop()
		}
	}
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

var programs sync.Map // what builds each, once

// program builds one of this module's programs.
func program(t *testing.T, dir string) string {
	t.Helper()
	out := filepath.Join(bin, filepath.Base(dir))
	build, _ := programs.LoadOrStore(dir, sync.OnceValue(func() error {
		cmd := exec.Command("go", "-C", root, "build", "-trimpath", "-tags", "lambda.norpc", "-o", out, "./"+dir)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if b, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("build %s: %w\n%s", dir, err, b)
		}
		return nil
	}))
	if err := build.(func() error)(); err != nil {
		t.Fatal(err)
	}
	return out
}

// A process is a server that runs, and can be killed and started again.
type process struct {
	t     *testing.T
	addr  string
	cmd   func() *exec.Cmd
	mu    sync.Mutex
	stop  func()
	ended <-chan struct{}
}

// run starts a server, with its settings alone, and waits until it listens.
func run(t *testing.T, binary string, env ...string) *process {
	t.Helper()
	log, home := &output{}, t.TempDir()
	p := &process{t: t, addr: freeAddr(t)}
	p.cmd = func() *exec.Cmd {
		cmd := exec.Command(binary)
		cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "FILELOFT_BIND=" + p.addr}, env...)
		cmd.Stdout, cmd.Stderr = log, log
		return cmd
	}
	p.start()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("the server's log:\n%s", log)
		}
	})
	return p
}

func (p *process) start() {
	p.t.Helper()
	cmd := p.cmd()
	ended, err := servers.Start(cmd)
	if err != nil {
		p.t.Fatal(err)
	}
	p.mu.Lock()
	p.stop, p.ended = func() { _ = cmd.Process.Kill() }, ended
	p.mu.Unlock()
	waitFor(p.t, p.addr)
}

// kill ends the process by SIGKILL.
func (p *process) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stop()
	<-p.ended
}

// front serves a ledger's proxy. HTTP/2 without TLS is allowed too.
func front(t *testing.T, h http.Handler, err error) *httptest.Server {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewUnstartedServer(h)
	srv.Config.Protocols = new(http.Protocols)
	srv.Config.Protocols.SetHTTP1(true)
	srv.Config.Protocols.SetUnencryptedHTTP2(true)
	srv.Start()
	t.Cleanup(srv.Close)
	return srv
}

// output keeps what a process prints.
type output struct {
	mu sync.Mutex
	b  []byte
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.b = append(o.b, p...)
	return len(p), nil
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return string(o.b)
}
