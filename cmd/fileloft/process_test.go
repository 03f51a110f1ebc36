package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// asProgram makes this test's own program behave as fileloft.
const asProgram = "TEST_AS_FILELOFT"

const testRelease = "v1.2.3-test"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		release = testRelease
		main()
	}
	flag.Parse()
	if !slices.ContainsFunc(os.Args, func(a string) bool { return strings.HasPrefix(a, "-test.parallel") }) {
		_ = flag.Set("test.parallel", "8") // these tests wait more than they work, for processes of their own
	}
	code := m.Run()
	if built.dir != "" {
		_ = os.RemoveAll(built.dir) // in the system's directory for such
	}
	os.Exit(code)
}

// built is the program under test as it is shipped; others than this user can read and run it, too.
var built struct {
	once sync.Once
	dir  string
	err  error
}

// program returns the path of the program under test. Under -short it is this test's own, which saves the time to link another one, and
// puts the server under the race detector where the test is; else it is the binary.
func program(t testing.TB) string {
	t.Helper()
	if testing.Short() {
		path, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
	built.once.Do(func() { built.err = build() })
	if built.err != nil {
		t.Fatal(built.err)
	}
	return filepath.Join(built.dir, "fileloft")
}

func build() (err error) {
	if built.dir, err = os.MkdirTemp("", "fileloft-test-"); err != nil {
		return err
	}
	if err := os.Chmod(built.dir, 0o755); err != nil {
		return err
	}
	cmd := exec.Command("go", "build", "-ldflags", "-X main.release="+testRelease, "-o", filepath.Join(built.dir, "fileloft"), ".")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", cmd, err, out)
	}
	return nil
}

// command prepares a run with nothing but env as its environment.
func command(t *testing.T, env []string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program(t), args...)
	cmd.Dir = t.TempDir()
	cmd.Env = append([]string{asProgram + "=1"}, env...)
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

// inside runs the whole program too, but within this process.
func inside(t *testing.T, env []string, args ...string) result {
	t.Helper()
	var out, errs bytes.Buffer
	status := run(args, env, &out, &errs)
	return result{status, out.String(), errs.String()}
}

// server is a running process.
type server struct {
	t      *testing.T
	cmd    *exec.Cmd
	url    string // of the server, without a path
	client *http.Client
	lines  chan map[string]any
	log    []map[string]any // the lines read so far
}

// serve starts cmd, on a free port of 127.0.0.1 where its environment does not say anything else, and waits until it listens.
func serve(t *testing.T, cmd *exec.Cmd) *server {
	t.Helper()
	cmd.Env = append([]string{"FILELOFT_BIND=127.0.0.1:0"}, cmd.Env...)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, cmd: cmd, client: ownClient, lines: make(chan map[string]any, 10000)}
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
	line := s.await("listening")
	address := line["address"].(string)
	switch {
	case line["network"] == "unix":
		s.url, s.client = "http://localhost", unixClient(t, address)
	case line["tls"] == true:
		s.url = "https://" + address
	default:
		s.url = "http://" + address
	}
	return s
}

// request sends one tus request to the server by its own client.
func (s *server) request(method, path string, body []byte, header ...string) *http.Response {
	s.t.Helper()
	return requestBy(s.t, s.client, method, s.url+path, body, header...)
}

// kill ends the process by SIGKILL.
func (s *server) kill() {
	s.t.Helper()
	if err := s.cmd.Process.Kill(); err != nil {
		s.t.Fatal(err)
	}
	s.wait()
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
