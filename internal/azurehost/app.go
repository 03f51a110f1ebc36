// Package azurehost is Azure Functions on this machine, as far as a custom handler with enableProxyingHttpRequest sees it: the
// platform's front end, and behind it the Functions host with its worker process, as many times as there are instances. It reads
// host.json and the functions' function.json from an unpacked deployment package and runs its unmodified executable, so that a mistake
// in them shows; it kills and freezes processes on demand.
//
// It promises that what works here meets nothing new in the parts that it models: routes and methods, the headers and the body that
// reach the handler, limits, time, the timer's invocation, CORS by the host. They are taken from the host's sources
// (github.com/Azure/azure-functions-host, release 4.1037, and for proxying DefaultHttpWorkerService.cs of a later one), from those of the
// reverse proxy in it (YARP, github.com/microsoft/reverse-proxy), and from Microsoft's documentation. Where a comment says "unverified", none of
// them was explicit. It is no emulator: no keys, no authentication, no bindings but httpTrigger, http and timerTrigger, no throttling.
//
// Everything stays on 127.0.0.1. Linux and other Unix systems: it needs SIGSTOP.
package azurehost

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Options are the platform's configuration of a function app. The zero value is fine.
type Options struct {
	// Env are the app settings, "NAME=value" each, besides the platform's. FUNCTIONS_REQUEST_BODY_SIZE_LIMIT among them is heeded.
	Env []string
	// Instances is how many there are. Default 1.
	Instances int
	// Timeout is the front end's: after it a request is answered 502, whatever the function does. Default 230 s.
	Timeout time.Duration
	// Consumption is a Linux plan that scales to zero, Flex Consumption or the older one: there the host's own CORS middleware
	// is always at work.
	Consumption bool
	// AllowedOrigins are the app's CORS setting, for a Consumption plan.
	AllowedOrigins []string
	// DropChunked has bodies that come without a length lost on their way, with the header that says so, as some gateways do.
	DropChunked bool
	// Log takes what the instances print. Nil: thrown away.
	Log io.Writer
}

// frontEndTimeout: "230 seconds is the maximum amount of time that an HTTP triggered function can take to respond to a request. This is
// because of the default idle timeout of Azure Load Balancer" (functions-scale), which "will time out and return an HTTP 502 error"
// (functions-bindings-http-webhook-trigger).
const frontEndTimeout = 230 * time.Second

// maxBody is ScriptConstants.DefaultMaxRequestBodySize, for Kestrel; HttpRequestBodySizeMiddleware.cs reads the variable.
const (
	maxBody         = 104857600
	maxBodyVariable = "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT"
)

// An App is a function app that is deployed and runs.
type App struct {
	opt       Options
	maxBody   int64
	host      hostConfig
	functions []function
	dir       string
	transport *http.Transport

	all    []*instance
	next   atomic.Uint32
	closed chan struct{}
	once   sync.Once
	work   sync.WaitGroup // what watches the processes

	requests, failed atomic.Int64
}

// New deploys the unpacked package in dir and starts its instances. Close it. It returns when all are ready, or with what is wrong
// with the package.
func New(ctx context.Context, dir string, opt *Options) (*App, error) {
	a := &App{dir: dir, closed: make(chan struct{}), maxBody: maxBody, transport: &http.Transport{
		ExpectContinueTimeout: time.Second, // SocketsHttpHandler.Expect100ContinueTimeout
		DisableCompression:    true,
		MaxIdleConnsPerHost:   100,
	}}
	if opt != nil {
		a.opt = *opt
	}
	if a.opt.Timeout == 0 {
		a.opt.Timeout = frontEndTimeout
	}
	if a.opt.Log == nil {
		a.opt.Log = io.Discard
	}
	for _, setting := range a.opt.Env {
		if text, ok := strings.CutPrefix(setting, maxBodyVariable+"="); ok {
			if n, err := strconv.ParseInt(text, 10, 64); err == nil { // else as if it were not there
				a.maxBody = n
			}
		}
	}
	var err error
	if a.host, a.functions, err = readPackage(dir); err != nil {
		return nil, err
	}
	for range max(a.opt.Instances, 1) {
		in, err := newInstance(ctx, a)
		if err != nil {
			a.Close()
			return nil, err
		}
		a.all = append(a.all, in)
	}
	for _, in := range a.all {
		if err := in.wait(ctx); err != nil {
			a.Close()
			return nil, err
		}
	}
	return a, nil
}

// pick returns an instance in turn, whether its worker lives or not: the front end knows of instances, not of workers.
func (a *App) pick() *instance {
	return a.all[int(a.next.Add(1))%len(a.all)]
}

// An Instance is a worker process that runs.
type Instance struct {
	PID  int
	Busy bool // with a request
}

// Instances lists the processes that run.
func (a *App) Instances() []Instance {
	var list []Instance
	for _, in := range a.all {
		if pid := in.pid(); pid != 0 {
			list = append(list, Instance{PID: pid, Busy: in.busy.Load() > 0})
		}
	}
	return list
}

// Counts says how many requests came, and how many of them the host answered 502 because the worker did not answer.
func (a *App) Counts() (requests, failed int64) { return a.requests.Load(), a.failed.Load() }

// Kill ends a process at once, whatever it does, and says whether it was there. The host starts another in its place, as
// HttpFunctionInvocationDispatcher.cs does; after three failures it would end itself, and the platform start another host.
func (a *App) Kill(pid int) bool { return a.signal(pid, syscall.SIGKILL) }

// Freeze stops a process as a machine does that is paused, and says whether it was there.
// It returns when the process stands still, as far as the system tells: a signal takes its time to arrive.
func (a *App) Freeze(pid int) bool {
	ok := a.signal(pid, syscall.SIGSTOP)
	for range 100 {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		// The state stands behind the name, which is in parentheses and may hold some itself: proc(5).
		if _, state, found := bytes.Cut(stat[bytes.LastIndexByte(stat, ')')+1:], []byte(" ")); err != nil || !found || bytes.HasPrefix(state, []byte("T")) {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	return ok
}

// Thaw lets it go on.
func (a *App) Thaw(pid int) bool { return a.signal(pid, syscall.SIGCONT) }

func (a *App) signal(pid int, s syscall.Signal) bool {
	for _, in := range a.all {
		if pid != 0 && in.pid() == pid {
			in.signal(s)
			return true
		}
	}
	return false
}

// KillBusy ends an instance in the middle of a request: it waits a moment for one, else it ends any. PID is 0 if there was none.
func (a *App) KillBusy(ctx context.Context) Instance {
	for range 1000 {
		for _, in := range a.Instances() {
			if in.Busy && a.Kill(in.PID) {
				return in
			}
		}
		if ctx.Err() != nil {
			break
		}
		time.Sleep(time.Millisecond)
	}
	list := a.Instances()
	if len(list) == 0 {
		return Instance{}
	}
	victim := list[rand.IntN(len(list))]
	if !a.Kill(victim.PID) {
		return Instance{}
	}
	return victim
}

// Close kills all instances and returns when all have ended. Requests that are under way fail. It may be called twice.
func (a *App) Close() {
	a.once.Do(func() { close(a.closed) })
	for _, in := range a.all {
		in.end()
	}
	a.work.Wait()
	a.transport.CloseIdleConnections()
}
