package proof

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fileloft/fileloft/internal/servers"
)

var (
	root = filepath.Join("..", "..")
	tmp  string // of the whole run: the binaries
)

// ownClient asks whatever needs no client of a special kind.
var ownClient = servers.NewClient(0)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "fileloft-proof-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	tmp = dir
	defer func() { _ = os.RemoveAll(dir) }()
	return m.Run()
}

// build makes a program of this module and returns its path.
func build(t testing.TB, pkg string, flags ...string) string {
	t.Helper()
	path := filepath.Join(tmp, strings.NewReplacer("/", "-", " ", "-").Replace(strings.Join(append([]string{pkg}, flags...), "")))
	if _, err := os.Stat(path); err == nil {
		return path
	}
	args := append([]string{"-C", root, "build", "-trimpath", "-buildvcs=false", "-o", path}, flags...)
	cmd := exec.Command("go", append(args, "./"+pkg)...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, out)
	}
	return path
}

// A process is a replica that is a process with an address of its own. It keeps it when it is killed and started again.
type process struct {
	addr  string
	probe string // the path of a request that is answered when it is up
	cmd   func() *exec.Cmd
	log   *os.File

	mu    sync.Mutex
	pid   int // 0: not running
	ended <-chan struct{}
	stays bool // nobody starts it again
}

// startProcess starts a replica. cmd makes its command for an address.
func startProcess(t testing.TB, probe string, cmd func(addr string) *exec.Cmd) *process {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &process{addr: l.Addr().String(), probe: probe}
	_ = l.Close()
	p.cmd = func() *exec.Cmd { return cmd(p.addr) }
	if p.log, err = os.CreateTemp(t.TempDir(), "log"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.mu.Lock()
		p.stays = true
		p.mu.Unlock()
		p.kill()
		if b, _ := os.ReadFile(p.log.Name()); t.Failed() {
			t.Logf("%s says: %s", p.addr, b[max(0, len(b)-3000):])
		}
		_ = p.log.Close()
	})
	if err := p.start(); err != nil {
		t.Fatal(err)
	}
	if err := p.up(t.Context()); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *process) start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pid != 0 || p.stays {
		return nil
	}
	cmd := p.cmd()
	cmd.Stdout, cmd.Stderr = p.log, p.log
	ended, err := servers.Start(cmd)
	if err != nil {
		return err
	}
	p.pid, p.ended = cmd.Process.Pid, ended
	return nil
}

// up waits until the process answers.
func (p *process) up(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.addr+p.probe, nil)
		if err != nil {
			return err
		}
		resp, err := ownClient.Do(req)
		if err == nil {
			return resp.Body.Close()
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%s is not up: %w", p.addr, errors.Join(err, ctx.Err()))
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// kill ends the process by SIGKILL.
func (p *process) kill() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pid == 0 {
		return false
	}
	_ = syscall.Kill(p.pid, syscall.SIGKILL)
	<-p.ended
	p.pid = 0
	return true
}

// signal sends a signal to the process, if it is the one of this pid (0: whichever it is), and tells which one it was.
func (p *process) signal(pid int, s syscall.Signal) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pid == 0 || (pid != 0 && p.pid != pid) || syscall.Kill(p.pid, s) != nil {
		return 0
	}
	return p.pid
}

// processes is a fleet of them.
type processes struct {
	all  []*process
	path string // of the collection
	wait sync.WaitGroup
}

func (f *processes) endpoints() (urls []string) {
	for _, p := range f.all {
		urls = append(urls, "http://"+p.addr+f.path)
	}
	return urls
}

func (f *processes) kill(r *rand.Rand) bool {
	p, down := f.all[r.IntN(len(f.all))], time.Duration(r.IntN(2000))*time.Millisecond
	if !p.kill() {
		return false
	}
	f.wait.Go(func() {
		time.Sleep(down)
		_ = p.start()
	})
	return true
}

func (f *processes) freeze(r *rand.Rand, d time.Duration) bool {
	p := f.all[r.IntN(len(f.all))]
	pid := p.signal(0, syscall.SIGSTOP)
	if pid == 0 {
		return false
	}
	f.wait.Go(func() {
		time.Sleep(d)
		p.signal(pid, syscall.SIGCONT)
	})
	return true
}

func (f *processes) calm(ctx context.Context) error {
	f.wait.Wait()
	for _, p := range f.all {
		if err := errors.Join(p.start(), p.up(ctx)); err != nil {
			return err
		}
	}
	return nil
}
