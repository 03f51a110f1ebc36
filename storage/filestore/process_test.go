//go:build unix

package filestore

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fileloft/fileloft/tus"
)

// A child is this test's binary, run again to append its standard input under a lease.
type child struct {
	Dir   string
	Lease tus.Lease
	Limit uint64 // of the size of files, in bytes
}

const childEnv = "FILESTORE_TEST_CHILD"

func TestMain(m *testing.M) {
	if job := os.Getenv(childEnv); job != "" {
		if err := runChild([]byte(job)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// report is what a child says on its standard output.
type report struct {
	Receipt tus.Receipt
	NoSpace bool
	Err     string
}

func runChild(job []byte) error {
	var c child
	if err := json.Unmarshal(job, &c); err != nil {
		return err
	}
	if c.Limit > 0 {
		signal.Ignore(syscall.SIGXFSZ)
		if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: c.Limit, Max: c.Limit}); err != nil {
			return err
		}
	}
	s, err := New(c.Dir, nil)
	if err != nil {
		return err
	}
	var r report
	r.Receipt, err = s.Append(context.Background(), c.Lease, os.Stdin)
	if err != nil {
		r.Err, r.NoSpace = err.Error(), errors.Is(err, tus.ErrNoSpace)
	}
	return json.NewEncoder(os.Stdout).Encode(r)
}

// start starts a child; what is written to the returned pipe is its body.
func (c child) start(t *testing.T) (cmd *exec.Cmd, body io.WriteCloser, out *bytes.Buffer) {
	t.Helper()
	job, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	cmd = exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+string(job))
	out = new(bytes.Buffer)
	cmd.Stdout, cmd.Stderr = out, os.Stderr
	if body, err = cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return cmd, body, out
}

// waitSize waits until a file is larger than n bytes.
func waitSize(t *testing.T, file string, n int64) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(2 * time.Millisecond) {
		if fi, err := os.Stat(file); err == nil && fi.Size() > n {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s does not grow beyond %d bytes", file, n)
		}
	}
}

// inTheMiddle has 1 MiB committed by epoch 1, and a child in the middle of an Append under epoch 2.
func inTheMiddle(t *testing.T) (g *game, dir string, cmd *exec.Cmd, body io.WriteCloser) {
	dir = t.TempDir()
	g = &game{t: t, s: newStore(t, dir, nil), epoch: 1}
	first := bytes.Repeat([]byte("first"), 1<<18)
	g.u = tus.Upload{ID: "upload", Birth: "birth", Length: int64(3 * len(first))}
	g.append(first)
	g.epoch = 2
	cmd, body, _ = child{Dir: dir, Lease: g.lease()}.start(t)
	if _, err := body.Write(bytes.Repeat([]byte("late!"), 1<<17)); err != nil {
		t.Fatal(err)
	}
	waitSize(t, piece(g.s, &g.u, "1"), g.u.Offset)
	return g, dir, cmd, body
}

func (g *game) append(body []byte) {
	g.t.Helper()
	rec, err := g.s.Append(g.t.Context(), g.lease(), bytes.NewReader(body))
	if err != nil || rec.N != int64(len(body)) {
		g.t.Fatal(rec.N, err)
	}
	g.u.Offset += rec.N
	g.u.Cursor = rec.Cursor
	g.want = append(g.want, body...)
}

func TestFrozenWriter(t *testing.T) {
	g, _, cmd, body := inTheMiddle(t)
	if g.s.Idle(t.Context(), g.u) {
		t.Error("idle, while a process waits for bytes")
	}
	if err := cmd.Process.Signal(unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	var ws unix.WaitStatus
	if _, err := unix.Wait4(cmd.Process.Pid, &ws, unix.WUNTRACED, nil); err != nil || !ws.Stopped() {
		t.Fatal(ws, err)
	}
	if g.s.Idle(t.Context(), g.u) {
		t.Error("idle, while a frozen process holds the file")
	}

	g.epoch = 3
	g.append(bytes.Repeat([]byte("right"), 1<<18))
	if got := string(g.u.Cursor); got != "1 3 1" {
		t.Errorf("cursor %q: expected file 3, copied from file 1", got)
	}
	g.append(bytes.Repeat([]byte("right"), 1<<18))
	g.completeBy(g.s)()
	g.check("before the other wakes up")

	if err := cmd.Process.Signal(unix.SIGCONT); err != nil {
		t.Fatal(err)
	}
	_, _ = body.Write(bytes.Repeat([]byte("later"), 1<<18))
	_ = body.Close()
	_ = cmd.Wait()
	g.check("after the other woke up")
}

func TestKilledWriter(t *testing.T) {
	g, _, cmd, _ := inTheMiddle(t)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if !g.s.Idle(t.Context(), g.u) {
		t.Error("not idle, though the writer is dead")
	}
	g.epoch = 3
	g.append(bytes.Repeat([]byte("right"), 1<<18))
	if got := string(g.u.Cursor); got != "1 1" {
		t.Errorf("cursor %q: expected to go on in file 1", got)
	}
	g.append(bytes.Repeat([]byte("right"), 1<<18))
	g.completeBy(g.s)()
	g.check("in the end")
}

// TestFileSizeLimit: a real write that the system refuses halfway.
func TestFileSizeLimit(t *testing.T) {
	dir := t.TempDir()
	g := &game{t: t, s: newStore(t, dir, nil), epoch: 1}
	all := bytes.Repeat([]byte("0123456789"), 200_000)
	g.u = tus.Upload{ID: "upload", Birth: "birth", Length: int64(len(all))}
	cmd, body, out := child{Dir: dir, Lease: g.lease(), Limit: 1_000_001}.start(t)
	go func() {
		_, _ = body.Write(all)
		_ = body.Close()
	}()
	_ = cmd.Wait()
	var r report
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatalf("%v: %q", err, out)
	}
	if !r.NoSpace || r.Receipt.N == 0 || r.Receipt.N > 1_000_001 {
		t.Fatalf("receipt for %d bytes, %q", r.Receipt.N, r.Err)
	}
	t.Logf("%d bytes count; %s", r.Receipt.N, r.Err)
	g.u.Offset, g.u.Cursor, g.epoch = r.Receipt.N, r.Receipt.Cursor, 2
	g.append(all[r.Receipt.N:])
	g.want = all
	g.completeBy(g.s)()
	g.check("in the end")
}
