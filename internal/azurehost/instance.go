package azurehost

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/fileloft/fileloft/internal/servers"
)

const (
	// initTimeout is HttpWorkerOptions.InitializationTimeout.
	initTimeout = 30 * time.Second
	// pollEvery is WorkerConstants.WorkerReadyCheckPollingIntervalMilliseconds.
	pollEvery = 25 * time.Millisecond
)

// An instance is a Functions host and its one worker, which it starts again when it ends. The port stays the same: the host chooses it
// once (HttpWorkerOptionsSetup.cs).
type instance struct {
	app  *App
	port string
	busy atomic.Int32

	mu    sync.Mutex
	cmd   *exec.Cmd
	ready chan struct{} // closed when the worker answers
	err   error         // why it never will
}

func newInstance(ctx context.Context, a *App) (*instance, error) {
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("azurehost: find a port: %w", err)
	}
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	_ = ln.Close() // it was only to learn the port
	in := &instance{app: a, port: port, ready: make(chan struct{})}
	ended, err := in.start()
	if err != nil {
		return nil, err
	}
	a.work.Go(func() { in.watch(ended) })
	return in, nil
}

// start starts the worker, with the variables of HttpWorkerProcess.cs.
func (in *instance) start() (ended <-chan struct{}, err error) {
	a := in.app
	cmd := exec.Command(filepath.Join(a.dir, a.host.CustomHandler.Description.DefaultExecutablePath), //nolint:noctx // watch and end end it
		a.host.CustomHandler.Description.Arguments...)
	cmd.Dir = a.dir
	id := newID()
	cmd.Env = append([]string{
		"FUNCTIONS_CUSTOMHANDLER_PORT=" + in.port, "FUNCTIONS_HTTPWORKER_PORT=" + in.port,
		"FUNCTIONS_CUSTOMHANDLER_WORKER_ID=" + id, "FUNCTIONS_HTTPWORKER_ID=" + id, "FUNCTIONS_APP_ROOT_PATH=" + a.dir,
		"FUNCTIONS_WORKER_RUNTIME=custom", "FUNCTIONS_EXTENSION_VERSION=~4", "PATH=/usr/local/bin:/usr/bin:/bin",
	}, a.opt.Env...)
	cmd.Stdout, cmd.Stderr = a.opt.Log, a.opt.Log
	if ended, err = servers.Start(cmd); err != nil {
		return nil, fmt.Errorf("azurehost: start the custom handler: %w", err)
	}
	in.mu.Lock()
	in.cmd = cmd
	in.mu.Unlock()
	return ended, nil
}

// watch lets requests in when the worker answers, and starts another worker when it ends. A first worker that does not come up is the
// package's mistake, and no other is started.
func (in *instance) watch(ended <-chan struct{}) {
	for first := true; ; {
		err := in.poll(ended)
		if err != nil && first {
			in.fail(err)
		}
		if err != nil || in.closed() { // who closes the app may have come before this worker
			in.signal(syscall.SIGKILL)
		}
		<-ended
		if in.closed() || in.failed() != nil {
			return
		}
		if err == nil {
			first = false
			in.mu.Lock()
			in.ready = make(chan struct{})
			in.mu.Unlock()
		}
		if ended, err = in.start(); err != nil {
			in.fail(err)
			return
		}
	}
}

// fail ends all waiting for the worker.
func (in *instance) fail(err error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.err = err
	close(in.ready)
}

// poll asks for / until there is an answer, any at all: "Any Http response indicates a valid server Url" (DefaultHttpWorkerService.cs,
// IsWorkerReady).
func (in *instance) poll(ended <-chan struct{}) error {
	ctx, cancel := context.WithTimeout(context.Background(), initTimeout)
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://127.0.0.1:"+in.port+"/", nil)
		if err != nil {
			return err
		}
		resp, err := in.app.transport.RoundTrip(req)
		if err == nil {
			_ = resp.Body.Close()
			close(in.current())
			return nil
		}
		select {
		case <-ended:
			return errors.New("azurehost: the custom handler has ended at its start")
		case <-in.app.closed:
			return errors.New("azurehost: the app is closed")
		case <-ctx.Done():
			return fmt.Errorf("azurehost: initializing the custom handler timed out: %w", err)
		case <-time.After(pollEvery):
		}
	}
}

// wait returns when the worker answers: requests wait for a worker that is being started.
func (in *instance) wait(ctx context.Context) error {
	select {
	case <-in.current():
		return in.failed()
	case <-in.app.closed:
		return errors.New("azurehost: the app is closed")
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (in *instance) current() chan struct{} {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.ready
}

func (in *instance) failed() error {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.err
}

func (in *instance) closed() bool {
	select {
	case <-in.app.closed:
		return true
	default:
		return false
	}
}

func (in *instance) pid() int {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.cmd.Process.Pid
}

// signal reaches nobody else: os.Process knows when its process has been waited for.
func (in *instance) signal(s syscall.Signal) {
	in.mu.Lock()
	defer in.mu.Unlock()
	_ = in.cmd.Process.Signal(s) // it may have ended, which is seen elsewhere
}

// end kills the worker, also one that is started in this moment: the app is closed before.
func (in *instance) end() { in.signal(syscall.SIGKILL) }

// newURL is where the worker serves what the path and the query name.
func (in *instance) newURL(path string) string {
	return "http://" + net.JoinHostPort("127.0.0.1", in.port) + path
}

var ids atomic.Int64

// newID returns an invocation's or a worker's id. The real ones are GUIDs.
func newID() string { return "00000000-0000-4000-8000-" + pad(strconv.FormatInt(ids.Add(1), 16), 12) }

func pad(s string, n int) string {
	for len(s) < n {
		s = "0" + s
	}
	return s
}
