// Package servers starts real servers for tests: a process for each test that asks for one, on a free port of 127.0.0.1,
// stopped by its process id when the test ends. The programs are installed by `make servers` from what tools/ pins.
//
// A test whose server is not installed is skipped and says so; where REQUIRE_EMULATORS=1 it fails, unless it runs
// under -short, which is to work with nothing installed.
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
	"testing"
	"time"
)

// patience bounds the wait for a server, with much room for a slow machine.
const patience = 30 * time.Second

// attempts is how often a server is started anew, because somebody else took its port first.
const attempts = 3

// start runs a program until t ends and returns the address that it listens at. Args tells its arguments.
func start(t testing.TB, program string, args func(host, port string) []string) string {
	t.Helper()
	path, err := find(program)
	if err != nil {
		missing(t, program, err)
	}
	for n := 1; ; n++ {
		addr, err := launch(t, path, args)
		if err == nil {
			return addr
		}
		if n == attempts {
			t.Fatalf("%s: %v", filepath.Base(program), err)
		}
	}
}

func missing(t testing.TB, program string, err error) {
	t.Helper()
	if os.Getenv("REQUIRE_EMULATORS") == "1" && !testing.Short() {
		t.Fatalf("%s is missing: %v: run make servers", program, err)
	}
	t.Skipf("=== SKIPPED: %s is missing: %v: run make servers ===", program, err)
}

// find returns the path of a program that is named from the module's root.
func find(program string) (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("this is not run from within the module")
		}
	}
	return exec.LookPath(filepath.Join(dir, filepath.FromSlash(program)))
}

// launch starts the program on a free port and waits until it accepts connections.
func launch(t testing.TB, path string, args func(host, port string) []string) (string, error) {
	var free net.ListenConfig
	l, err := free.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		return "", err
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", err
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context())) // a test's own context ends before its cleanups
	cmd := exec.CommandContext(ctx, path, args(host, port)...)
	var out log
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		stop()
		return "", err
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // killed, or it says why in its log
		close(ended)
	}()
	end := func() {
		stop()
		<-ended
	}
	if err := accepts(ctx, addr, ended); err != nil {
		end()
		return "", fmt.Errorf("%w; it says: %s", err, out.String())
	}
	t.Cleanup(func() {
		end()
		if t.Failed() {
			t.Logf("%s says: %s", filepath.Base(path), out.String())
		}
	})
	return addr, nil
}

// accepts waits for addr to take connections.
func accepts(ctx context.Context, addr string, ended <-chan struct{}) error {
	var d net.Dialer
	for late := time.After(patience); ; {
		c, err := d.DialContext(ctx, "tcp", addr)
		if err == nil {
			return c.Close()
		}
		select {
		case <-ended:
			return errors.New("it ended")
		case <-late:
			return fmt.Errorf("it does not listen after %s: %w", patience, err)
		case <-time.After(5 * time.Millisecond):
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
