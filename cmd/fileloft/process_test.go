package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// binary is the program under test, built once; others can read and run it.
var binary string

func TestMain(m *testing.M) { os.Exit(buildAndRun(m)) }

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "fileloft-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	binary = filepath.Join(dir, "fileloft")
	if out, err := exec.Command("go", "build", "-ldflags", "-X main.release=v1.2.3-test", "-o", binary, ".").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// command prepares a run with nothing but env as its environment.
func command(t *testing.T, env []string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary, args...)
	cmd.Dir = t.TempDir()
	cmd.Env = append([]string{}, env...)
	return cmd
}

// result is what a run that ended has left.
type result struct {
	status         int
	stdout, stderr string
}

func run1(t *testing.T, env []string, args ...string) result {
	t.Helper()
	cmd := command(t, env, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return result{cmd.ProcessState.ExitCode(), out.String(), errs.String()}
}

// server is a running process.
type server struct {
	t     *testing.T
	cmd   *exec.Cmd
	url   string // of the server, without a path
	lines chan map[string]any
	log   []map[string]any // the lines read so far
}

// serve starts cmd on a free port of 127.0.0.1 and waits until it listens.
func serve(t *testing.T, cmd *exec.Cmd) *server {
	t.Helper()
	cmd.Env = append(cmd.Env, "FILELOFT_BIND=127.0.0.1:0")
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, cmd: cmd, lines: make(chan map[string]any, 10000)}
	go func() {
		defer close(s.lines)
		for in := bufio.NewScanner(stderr); in.Scan(); {
			line := map[string]any{}
			if err := json.Unmarshal(in.Bytes(), &line); err != nil {
				line["msg"] = in.Text()
			}
			s.lines <- line
		}
	}()
	t.Cleanup(func() {
		if cmd.ProcessState == nil {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	})
	s.url = "http://" + s.await("listening")["address"].(string)
	return s
}

// await reads the log up to a line with the message.
func (s *server) await(msg string) map[string]any {
	s.t.Helper()
	for line := range s.lines {
		s.log = append(s.log, line)
		if text, _ := line["msg"].(string); strings.HasPrefix(text, msg) {
			return line
		}
	}
	s.t.Fatalf("the process ended without logging %q; its log: %v", msg, s.log)
	return nil
}

// stop sends SIGTERM and returns the exit status.
func (s *server) stop() int {
	s.t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		s.t.Fatal(err)
	}
	return s.wait()
}

// wait returns the exit status, -1 for a death by a signal.
func (s *server) wait() int {
	s.t.Helper()
	for line := range s.lines { // to its end: Wait closes the pipe
		s.log = append(s.log, line)
	}
	if err := s.cmd.Wait(); err != nil && !errors.As(err, new(*exec.ExitError)) {
		s.t.Error(err)
	}
	return s.cmd.ProcessState.ExitCode()
}
