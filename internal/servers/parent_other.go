//go:build !linux

package servers

import "os/exec"

// dieWithParent does nothing here: only Linux can tie one process to another.
func dieWithParent(*exec.Cmd) (free func()) { return func() {} }
