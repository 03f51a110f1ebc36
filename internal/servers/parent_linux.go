package servers

import (
	"os/exec"
	"runtime"
	"syscall"
)

// DieWithParent makes the process that cmd will be die with this one, also when this one is killed or times out: nothing that a
// test started is left behind. The kernel means the thread that starts it: see prctl(2), PR_SET_PDEATHSIG.
func DieWithParent(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
}

// keepThread ties the goroutine to its thread until the returned function is called.
func keepThread() func() {
	runtime.LockOSThread()
	return runtime.UnlockOSThread
}
