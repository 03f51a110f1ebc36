package badinput

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// asHelper makes this test's own program stand between a test and the server: it gives the server limits or a small disk, which a process
// can do to itself and its children only.
const asHelper = "BADINPUT_HELPER"

// helper takes steps, such as nofile=256, up to "--", then the server's command line. Where the steps mount something it stays, runs the server as
// a child, and goes on taking steps, a line each, from its input; else it becomes the server.
func helper(args []string) int {
	runtime.LockOSThread() // the child is to die with this thread
	stays := false
	for i, step := range args {
		if step != "--" {
			err := take(step)
			if err != nil {
				fmt.Fprintf(os.Stderr, "helper: %s: %v\n", step, err)
				return 3
			}
			stays = stays || strings.HasPrefix(step, "tmpfs=")
			continue
		}
		if args = args[i+1:]; !stays {
			err := syscall.Exec(args[0], args, os.Environ())
			fmt.Fprintln(os.Stderr, "helper: exec:", err)
			return 3
		}
		break
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(os.Stderr, "helper:", err)
		return 3
	}
	go func() {
		for in := bufio.NewScanner(os.Stdin); in.Scan(); {
			if err := take(in.Text()); err != nil {
				fmt.Println(err)
				continue
			}
			fmt.Println("done")
		}
	}()
	_ = cmd.Wait()
	return cmd.ProcessState.ExitCode()
}

// take does one step.
func take(step string) error {
	verb, what, _ := strings.Cut(step, "=")
	limits := map[string]int{"nofile": syscall.RLIMIT_NOFILE, "fsize": syscall.RLIMIT_FSIZE}
	switch verb {
	case "nofile", "fsize":
		n, err := strconv.ParseUint(what, 10, 64)
		if err != nil {
			return err
		}
		return syscall.Setrlimit(limits[verb], &syscall.Rlimit{Cur: n, Max: n})
	case "tmpfs": // DIR:SIZE
		dir, size, _ := strings.Cut(what, ":")
		// Nothing that is mounted here is to be seen elsewhere.
		if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
			return err
		}
		return syscall.Mount("tmpfs", dir, "tmpfs", 0, "mode=0700,size="+size)
	case "readonly":
		return syscall.Mount("", what, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, "")
	case "writable":
		return syscall.Mount("", what, "", syscall.MS_REMOUNT, "")
	}
	return errors.New("no such step")
}

// A disk is a small file system that only a helper and its server see.
type disk struct {
	*server
	in  io.Writer
	out *bufio.Reader
	top string // how this process reaches its directory
}

// onDisk starts a server with small disks over directories.
func onDisk(t *testing.T, o setup, sizes map[string]string) *disk {
	t.Helper()
	d := &disk{}
	for dir, size := range sizes {
		o.within = append(o.within, "tmpfs="+dir+":"+size)
	}
	o.change = func(cmd *exec.Cmd) {
		cmd.SysProcAttr = ownMounts()
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = r.Close(); _ = w.Close() })
		cmd.Stdout = w
		d.out = bufio.NewReader(r)
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		d.in = in
	}
	mountable(t)
	d.server = serve(t, o)
	d.top = fmt.Sprintf("/proc/%d/root", d.cmd.Process.Pid)
	return d
}

// step has the helper take one more step.
func (d *disk) step(step string) {
	d.t.Helper()
	if _, err := io.WriteString(d.in, step+"\n"); err != nil {
		d.t.Fatal(err)
	}
	if line, err := d.out.ReadString('\n'); err != nil || line != "done\n" {
		d.t.Fatalf("%s: %q %v", step, line, err)
	}
}

// ownMounts gives a process mounts of its own, and in a user namespace the right to change them.
func ownMounts() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
}

// mountable skips a test where nothing can be mounted. That is a right which a machine has or has not, and nothing to install.
func mountable(t *testing.T) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	truth, err := exec.LookPath("true")
	if err != nil {
		t.Skip("=== SKIPPED: there is no program \"true\" ===")
	}
	cmd := exec.Command(self, "tmpfs="+t.TempDir()+":1m", "--", truth)
	cmd.Env = append(os.Environ(), asHelper+"=1")
	cmd.SysProcAttr = ownMounts()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Skipf("=== SKIPPED: a small disk needs user namespaces: %v %s ===", err, out)
	}
}
