package servers

import (
	"os/exec"
	"runtime"
	"syscall"
)

// dieWithParent has the kernel kill the process that cmd will be when this one ends. The kernel means the thread that starts
// it: see prctl(2), PR_SET_PDEATHSIG. So the goroutine keeps its thread until it calls the returned function.
func dieWithParent(cmd *exec.Cmd) (free func()) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	runtime.LockOSThread()
	return runtime.UnlockOSThread
}
