package servers

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// patience bounds the wait for a server, with much room for a slow machine.
const patience = 30 * time.Second

// attempts is how often a server is started anew, because somebody else took its port first.
const attempts = 3

// A Process is a running server. It lives until Stop, or until the context that it was started with ends. On Linux it dies
// with the program that started it too, however that ends.
type Process struct {
	Addr string // host and port

	stop  context.CancelFunc
	ended <-chan struct{}
	out   log
}

// start runs a program on a free port and waits until it accepts connections. Args tells its arguments.
func start(ctx context.Context, path string, args func(host, port string) []string) (*Process, error) {
	for n := 1; ; n++ {
		p, err := launch(ctx, path, args)
		if err == nil || n == attempts || ctx.Err() != nil {
			return p, err
		}
	}
}

func launch(ctx context.Context, path string, args func(host, port string) []string) (*Process, error) {
	addr, err := freeAddr(ctx)
	if err != nil {
		return nil, err
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(ctx)
	p := &Process{Addr: addr, stop: stop}
	cmd := exec.CommandContext(ctx, path, args(host, port)...)
	cmd.Stdout, cmd.Stderr = &p.out, &p.out
	if p.ended, err = Start(cmd); err != nil {
		stop()
		return nil, err
	}
	if err := p.accepts(ctx); err != nil {
		p.Stop()
		return nil, fmt.Errorf("servers: start %s: %w; it says: %s", filepath.Base(path), err, p.Log())
	}
	return p, nil
}

// Start starts cmd, such that on Linux it dies with this program, also when this one is killed or times out: nothing that a
// test started is left behind. It waits for cmd by itself, and closes ended then.
func Start(cmd *exec.Cmd) (ended <-chan struct{}, err error) {
	done, started := make(chan struct{}), make(chan error)
	go func() {
		defer close(done)
		defer dieWithParent(cmd)()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // killed, or it says why where it logs
		}
	}()
	return done, <-started
}

// Stop kills the server and waits for its end. It may be called twice.
func (p *Process) Stop() {
	p.stop()
	<-p.ended
}

// Log returns the end of what the server printed.
func (p *Process) Log() string { return p.out.String() }

func freeAddr(ctx context.Context) (string, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// accepts waits for the server to take connections.
func (p *Process) accepts(ctx context.Context) error {
	var d net.Dialer
	for late := time.After(patience); ; {
		c, err := d.DialContext(ctx, "tcp", p.Addr)
		if err == nil {
			return c.Close()
		}
		select {
		case <-p.ended:
			return errors.New("it ended")
		case <-late:
			return fmt.Errorf("it does not listen after %s: %w", patience, err)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// find returns the path of a program that is named from the module's root.
func find(program string) (string, error) {
	path, err := inModule(program)
	if err != nil {
		return "", err
	}
	if path, err = exec.LookPath(path); err != nil {
		return "", fmt.Errorf("servers: %s is missing (make servers): %w", program, err)
	}
	return path, nil
}

// inModule returns the path of a file that is named from the module's root. The file need not be there.
func inModule(name string) (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(dir, filepath.FromSlash(name)), nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("this is not run from within the module")
		}
	}
}

// log keeps the end of what a server prints.
type log struct {
	mu  sync.Mutex
	end string
}

const maxLog = 16 << 10

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.end += string(p)
	if n := len(l.end); n > maxLog {
		l.end = l.end[n-maxLog:]
	}
	return len(p), nil
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.TrimSpace(l.end)
}
