package lambdagate

import (
	"fmt"
	"os/exec"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/fileloft/fileloft/internal/servers"
)

// An invocation is one event on its way through an instance.
type invocation struct {
	id    string
	event []byte

	posted chan struct{} // closed when answer or err is there
	once   sync.Once
	answer []byte
	err    error
	done   chan struct{} // closed when the instance is done with it

	start    time.Time // of what is billed
	init     time.Duration
	deadline time.Time
	end      time.Time
}

func newInvocation(event []byte) *invocation {
	return &invocation{id: uuid(), event: event, posted: make(chan struct{}), done: make(chan struct{})}
}

// settle keeps the first outcome.
func (inv *invocation) settle(answer []byte, err error) {
	inv.once.Do(func() {
		inv.answer, inv.err, inv.end = answer, err, time.Now()
		close(inv.posted)
	})
}

func (inv *invocation) bill() Invocation {
	d := (inv.end.Sub(inv.start) + time.Millisecond - 1).Truncate(time.Millisecond)
	return Invocation{EventBytes: len(inv.event), AnswerBytes: len(inv.answer), Duration: d, Init: inv.init, Err: inv.err}
}

// An instance is an execution environment: a process with a Runtime API of its own. It serves one invocation at a time and is
// frozen in between.
type instance struct {
	f       *Function
	api     *runtimeAPI
	process atomic.Pointer[exec.Cmd]
	ended   <-chan struct{} // the process has ended; nil before it is started
	killed  chan struct{}
	once    sync.Once

	still sync.Mutex
	idle  bool // stopped between invocations
	stuck bool // stopped by Freeze
}

func newInstance(f *Function) *instance {
	return &instance{f: f, killed: make(chan struct{})}
}

// serve runs one invocation from its beginning to the end, which is when the instance asks for the next, or ends.
func (in *instance) serve(inv *invocation) {
	inv.start = time.Now()
	if in.ended == nil {
		if err := in.boot(); err != nil {
			inv.settle(nil, err)
			in.retire()
			return
		}
		inv.init = time.Since(inv.start)
	}
	in.rest(false)
	timeout := time.NewTimer(in.f.opt.Timeout)
	defer timeout.Stop()
	inv.deadline = time.Now().Add(in.f.opt.Timeout)
	in.api.hand(inv)
	if !in.await(inv, inv.posted, timeout.C) || !in.await(inv, in.api.waiting, timeout.C) {
		in.retire()
		return
	}
	in.rest(true)
	in.f.release(in)
}

// boot starts the process and waits until it asks for an event.
func (in *instance) boot() error {
	api, err := newRuntimeAPI(in.f.opt.Name)
	if err != nil {
		return err
	}
	in.api = api
	cmd := exec.Command(in.f.binary) //nolint:noctx // it outlives the invocation that starts it; retire and Close end it
	cmd.Env = in.f.environment(api.addr)
	cmd.Stdout, cmd.Stderr = in.f.opt.Log, in.f.opt.Log
	if in.ended, err = servers.Start(cmd); err != nil {
		return &FunctionError{Type: "Runtime.InvalidEntrypoint", Message: err.Error()}
	}
	in.process.Store(cmd)
	in.f.work.Go(in.watch)
	late := time.NewTimer(initTimeout)
	defer late.Stop()
	select {
	case <-api.waiting:
		return nil
	case <-in.killed:
		return &FunctionError{Type: exitError, Message: "killed in its init phase"}
	case <-in.ended:
		if err := api.initError(); err != nil {
			return err
		}
		return &FunctionError{Type: exitError, Message: fmt.Sprintf("Runtime exited: %s", cmd.ProcessState)}
	case <-late.C:
		return &FunctionError{Type: timeoutError, Message: fmt.Sprintf("Init timed out after %s", initTimeout)}
	}
}

// await waits for what the instance must do next. False: it is of no use any more, and the invocation is settled.
func (in *instance) await(inv *invocation, what <-chan struct{}, timeout <-chan time.Time) bool {
	select {
	case <-what:
		return true
	case <-in.killed:
		<-in.ended
	case <-in.ended:
	case <-timeout:
		// The words are the service's, without the time and the id in front.
		inv.settle(nil, &FunctionError{timeoutError, fmt.Sprintf("Task timed out after %.2f seconds", in.f.opt.Timeout.Seconds())})
		return false
	}
	inv.settle(nil, &FunctionError{exitError, fmt.Sprintf("RequestId: %s Error: Runtime exited: %s", inv.id, in.process.Load().ProcessState)})
	return false
}

// watch waits for the end of the process, at work or frozen, and tidies up after it.
func (in *instance) watch() {
	<-in.ended
	in.f.forget(in)
	in.api.close()
}

// retire takes the instance out of use and waits for its end.
func (in *instance) retire() {
	in.kill()
	if in.process.Load() != nil {
		<-in.ended
	}
}

func (in *instance) kill() {
	in.once.Do(func() { close(in.killed) })
	in.signal(syscall.SIGKILL)
	in.f.forget(in)
}

func (in *instance) pid() int {
	if cmd := in.process.Load(); cmd != nil {
		return cmd.Process.Pid
	}
	return 0
}

// signal reaches nobody else: os.Process knows when its process has been waited for.
func (in *instance) signal(s syscall.Signal) {
	if cmd := in.process.Load(); cmd != nil {
		_ = cmd.Process.Signal(s) // it may have ended, which is seen elsewhere
	}
}

// rest stops the process between invocations, and lets it go on, unless it is frozen besides.
func (in *instance) rest(idle bool) {
	in.still.Lock()
	defer in.still.Unlock()
	in.idle = idle
	in.move()
}

// freeze stops and wakes the process amid work. One that is idle cannot be frozen, and one that became it is not woken.
func (in *instance) freeze(stuck bool) bool {
	in.still.Lock()
	defer in.still.Unlock()
	if in.idle && stuck {
		return false
	}
	in.stuck = stuck
	in.move()
	return true
}

func (in *instance) move() {
	if in.idle || in.stuck {
		in.signal(syscall.SIGSTOP)
	} else {
		in.signal(syscall.SIGCONT)
	}
}

const (
	region  = "us-east-1"
	account = "123456789012"
)

// environment is what a function on provided.al2023 sees:
// https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime. Credentials come with Env.
func (f *Function) environment(api string) []string {
	return append([]string{
		"AWS_LAMBDA_RUNTIME_API=" + api, "_HANDLER=bootstrap", "AWS_EXECUTION_ENV=AWS_Lambda_provided.al2023",
		"AWS_REGION=" + region, "AWS_DEFAULT_REGION=" + region, "AWS_LAMBDA_INITIALIZATION_TYPE=on-demand",
		"AWS_LAMBDA_FUNCTION_NAME=" + f.opt.Name, "AWS_LAMBDA_FUNCTION_VERSION=$LATEST",
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE=" + strconv.Itoa(f.opt.MemoryMB),
		"AWS_LAMBDA_LOG_GROUP_NAME=/aws/lambda/" + f.opt.Name, "AWS_LAMBDA_LOG_STREAM_NAME=local",
		"LANG=en_US.UTF-8", "TZ=:UTC", "PATH=/usr/local/bin:/usr/bin:/bin:/opt/bin",
		"LAMBDA_TASK_ROOT=/var/task", "LAMBDA_RUNTIME_DIR=/var/runtime",
	}, f.opt.Env...)
}
