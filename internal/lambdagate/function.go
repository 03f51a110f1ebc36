// Package lambdagate is AWS Lambda on this machine, with the four doors that lead to it over HTTP: HTTP API, REST API, Function
// URL and Application Load Balancer. It runs an unmodified Lambda binary as real processes that speak the real Runtime API, freezes
// them between invocations, kills them on demand, and turns HTTP into the event that each service would send, within its limits.
//
// It promises that what works here meets nothing new in the parts that it models: events and answers, limits, freezing,
// concurrency, time. It is no emulator of AWS: no authorisers, no CORS of the gateways, no streaming answers. Where a comment
// says "unverified", AWS's documentation was silent or not at hand.
//
// Everything stays on 127.0.0.1. Linux and other Unix systems: it needs SIGSTOP.
package lambdagate

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// Options are the function's configuration. The zero value is fine.
type Options struct {
	// Env is the function's own environment, "NAME=value" each, besides Lambda's.
	Env []string
	// MaxInstances bounds concurrency: an invocation beyond it is throttled. Default 10.
	MaxInstances int
	// Timeout is the function's. Default 60 s.
	Timeout time.Duration
	// MemoryMB is only told to the function. Default 512.
	MemoryMB int
	// Name is the function's. Default "fileloft".
	Name string
	// Log takes what the instances print. Nil: thrown away.
	Log io.Writer
	// Invoked is told of each invocation when it is over; calls may overlap. Nil: nobody is.
	Invoked func(Invocation)
}

// An Invocation is what a bill would be made of.
type Invocation struct {
	EventBytes, AnswerBytes int
	Duration                time.Duration // what is billed: with Init, as for all functions since August 2025, rounded up to 1 ms
	Init                    time.Duration // of a cold start, else 0
	Err                     error         // nil: the function answered
}

// Limits of an invocation, in bytes: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html. The service
// words its errors with 6291456 bytes for requests and 6291556 for answers.
const (
	maxEvent  = 6_291_456
	maxAnswer = 6_291_556
)

// initTimeout is what the Init phase may take: https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html.
const initTimeout = 10 * time.Second

// A Function is a deployed Lambda function: a binary, and the instances of it that run.
type Function struct {
	binary string
	opt    Options

	mu     sync.Mutex
	all    []*instance // booting, at work, or idle
	idle   []*instance // the one used last comes last, and is used next
	closed bool
	work   sync.WaitGroup // invocations, and what watches the processes
}

// New returns the function of a binary, which is what a deployment package calls bootstrap. Close it.
func New(binary string, opt *Options) *Function {
	f := &Function{binary: binary}
	if opt != nil {
		f.opt = *opt
	}
	f.opt.MaxInstances = or(f.opt.MaxInstances, 10)
	f.opt.Timeout = or(f.opt.Timeout, 60*time.Second)
	f.opt.MemoryMB = or(f.opt.MemoryMB, 512)
	f.opt.Name = or(f.opt.Name, "fileloft")
	if f.opt.Log == nil {
		f.opt.Log = io.Discard
	}
	return f
}

func or[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

// Invoke runs the function on one event and returns its answer, as a synchronous invocation does. When ctx ends Invoke returns, and
// the function goes on, as it does behind a gateway that has given up. Errors are ErrThrottled, ErrTooLarge, a *FunctionError, or
// ctx's own.
func (f *Function) Invoke(ctx context.Context, event []byte) ([]byte, error) {
	if len(event) > maxEvent {
		return nil, ErrTooLarge
	}
	in, err := f.reserve()
	if err != nil {
		return nil, err
	}
	inv := newInvocation(event)
	go func() {
		defer f.work.Done()
		in.serve(inv)
		if f.opt.Invoked != nil {
			f.opt.Invoked(inv.bill())
		}
		close(inv.done)
	}()
	select {
	case <-inv.done:
		return inv.answer, inv.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// reserve returns an idle instance or a new one, for one invocation.
func (f *Function) reserve() (*instance, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch n := len(f.idle); {
	case f.closed:
		return nil, fmt.Errorf("lambdagate: invoke: the function is closed")
	case n > 0:
		in := f.idle[n-1]
		f.idle = f.idle[:n-1]
		f.work.Add(1)
		return in, nil
	case len(f.all) >= f.opt.MaxInstances:
		return nil, ErrThrottled
	}
	in := newInstance(f)
	f.all = append(f.all, in)
	f.work.Add(1)
	return in, nil
}

// release takes an instance back that is frozen and can serve again.
func (f *Function) release(in *instance) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if slices.Contains(f.all, in) {
		f.idle = append(f.idle, in)
	}
}

// forget drops an instance that has ended.
func (f *Function) forget(in *instance) {
	f.mu.Lock()
	defer f.mu.Unlock()
	same := func(other *instance) bool { return other == in }
	f.all = slices.DeleteFunc(f.all, same)
	f.idle = slices.DeleteFunc(f.idle, same)
}

// An Instance is a process that runs.
type Instance struct {
	PID  int
	Busy bool // in an invocation, or still starting for one
}

// Instances lists the processes that run.
func (f *Function) Instances() []Instance {
	f.mu.Lock()
	defer f.mu.Unlock()
	var list []Instance
	for _, in := range f.all {
		if pid := in.pid(); pid != 0 {
			list = append(list, Instance{PID: pid, Busy: !slices.Contains(f.idle, in)})
		}
	}
	return list
}

// Kill ends an instance at once, whatever it does, and says whether it was there. The next invocation starts a new one.
func (f *Function) Kill(pid int) bool {
	in := f.find(pid)
	if in != nil {
		in.kill()
	}
	return in != nil
}

// Freeze stops an instance amid an invocation, or while it starts for one, as a machine does that is paused, and says whether there was such
// a one: between invocations all are stopped anyway. Time goes on: what takes too long fails.
func (f *Function) Freeze(pid int) bool {
	in := f.find(pid)
	return in != nil && in.freeze(true)
}

// Thaw lets it go on, and says whether it was still there.
func (f *Function) Thaw(pid int) bool {
	in := f.find(pid)
	return in != nil && in.freeze(false)
}

func (f *Function) find(pid int) *instance {
	f.mu.Lock()
	defer f.mu.Unlock()
	i := slices.IndexFunc(f.all, func(in *instance) bool { return pid != 0 && in.pid() == pid })
	if i < 0 {
		return nil
	}
	return f.all[i]
}

// KillRandom ends any one instance and returns what it was; PID is 0 if there was none.
func (f *Function) KillRandom() Instance {
	list := f.Instances()
	if len(list) == 0 {
		return Instance{}
	}
	victim := list[rand.IntN(len(list))]
	if !f.Kill(victim.PID) {
		return Instance{}
	}
	return victim
}

// Close kills all instances and returns when all have ended. What is being invoked fails.
func (f *Function) Close() {
	f.mu.Lock()
	f.closed = true
	all := slices.Clone(f.all)
	f.mu.Unlock()
	for _, in := range all {
		in.kill()
	}
	f.work.Wait()
}
