//go:build !linux

package servers

import "os/exec"

// DieWithParent does nothing here: only Linux can tie one process to another.
func DieWithParent(*exec.Cmd) {}

func keepThread() func() { return func() {} }
