package e2e

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fileloft/fileloft/state/sqlitestate"
	"github.com/fileloft/fileloft/storage/filestore"
	"github.com/fileloft/fileloft/tus"
)

// suicidal is a server (this test's own program, started again) whose Event hook kills the process when it is told for the
// first time that an upload has finished: before it takes note of it, or after, if there is a file named "after". From the
// second start on it takes note of events in the file "events".
func suicidal(dir, addr string) int {
	now := time.Now
	sweep := os.Getenv("E2E_SWEEP") != ""
	if sweep { // long after the crash, and nobody has asked
		now = func() time.Time { return time.Now().Add(time.Hour) }
	}
	state, err := sqlitestate.Open(filepath.Join(dir, "state.db"), &sqlitestate.Options{Now: now})
	if err != nil {
		panic(err)
	}
	storage, err := filestore.New(dir, nil)
	if err != nil {
		panic(err)
	}
	hook := func(_ context.Context, e tus.Event) error { return noteOrDie(dir, e) }
	h, err := tus.NewHandler(state, storage, &tus.Options{Now: now, Hooks: tus.Hooks{Events: tus.Finished, Event: hook}})
	if err != nil {
		panic(err)
	}
	if sweep {
		r, err := h.Sweep(context.Background())
		fmt.Println(r, err)
		return 0
	}
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		panic(err)
	}
	panic(http.Serve(ln, h))
}

func noteOrDie(dir string, e tus.Event) error {
	crashed := filepath.Join(dir, "crashed")
	_, err := os.Stat(crashed)
	first := err != nil
	_, err = os.Stat(filepath.Join(dir, "after"))
	after := err == nil
	if !first || after {
		f, err := os.OpenFile(filepath.Join(dir, "events"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		defer f.Close()
		if _, err := fmt.Fprintln(f, e.ID, e.Kind, e.Upload.ID, e.Upload.Offset); err != nil {
			return err
		}
	}
	if first {
		if err := os.WriteFile(crashed, nil, 0o600); err != nil {
			return err
		}
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
	return nil
}

// TestEventSurvivesCrash has the server die between the assembling of a file and the delivery of its event.
func TestEventSurvivesCrash(t *testing.T) {
	notShort(t)
	for _, after := range []bool{false, true} {
		for _, sweep := range []bool{false, true} {
			t.Run(fmt.Sprintf("told=%v sweep=%v", after, sweep), func(t *testing.T) {
				t.Parallel()
				testEventCrash(t, after, sweep)
			})
		}
	}
}

func testEventCrash(t *testing.T, after, sweep bool) {
	dir := t.TempDir()
	if after {
		if err := os.WriteFile(filepath.Join(dir, "after"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	addr := freeAddr(t)
	cmd := startSuicidal(t, dir, addr)
	url := "http://" + addr + "/files/"
	want := bytes.Repeat([]byte("fileloft"), 10_000)
	status, h, err := request(http.MethodPost, url, nil, "Upload-Length", fmt.Sprint(len(want)))
	if err != nil || status != 201 {
		t.Fatalf("POST: %d, %v", status, err)
	}
	url = h.Get("Location")
	_, _, err = request(http.MethodPatch, url, want, "Upload-Offset", "0", "Content-Type", "application/offset+octet-stream")
	if err == nil {
		t.Fatal("the server answered, but it should have died")
	}
	if err := cmd.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Fatalf("the server ended by: %v", err)
	}
	if sweep {
		again := suicidalCommand(dir, addr)
		again.Env = append(again.Env, "E2E_SWEEP=1")
		if out, err := again.CombinedOutput(); err != nil {
			t.Fatalf("sweep: %v\n%s", err, out)
		}
	} else {
		startSuicidal(t, dir, addr)
		status, h, err = request(http.MethodHead, url, nil)
		if err != nil || status != 200 || h.Get("Upload-Offset") != fmt.Sprint(len(want)) {
			t.Fatalf("HEAD after the crash: %d, %v, %v", status, h, err)
		}
	}
	id := filepath.Base(url)
	got, err := os.ReadFile(filepath.Join(dir, "files", id))
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("stored: %d bytes, %v", len(got), err)
	}
	wantLines := 1
	if after { // told once, died before it could be struck off, told again: under the same id
		wantLines = 2
	}
	var lines []string
	for end := time.Now().Add(patience); len(lines) < wantLines && time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if !sweep { // the next request after the dead one's lease
			_, _, _ = request(http.MethodHead, url, nil)
		}
		events, _ := os.ReadFile(filepath.Join(dir, "events"))
		lines = strings.Split(strings.TrimSpace(string(events)), "\n")
		if len(events) == 0 {
			lines = nil
		}
	}
	if len(lines) != wantLines || lines[0] != lines[len(lines)-1] || !strings.Contains(lines[0], "finished "+id) {
		t.Errorf("events %q, want %d times the same", lines, wantLines)
	}
}

func suicidalCommand(dir, addr string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(cleanEnv(), "E2E_SUICIDAL_SERVER="+dir, "E2E_ADDR="+addr)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

func startSuicidal(t *testing.T, dir, addr string) *exec.Cmd {
	t.Helper()
	cmd := suicidalCommand(dir, addr)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			_ = c.Close()
			return cmd
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
}

// request sends one tus request.
func request(method, url string, body []byte, headers ...string) (int, http.Header, error) {
	req, err := http.NewRequest(method, url, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Tus-Resumable", "1.0.0")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}).Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	return resp.StatusCode, resp.Header, nil
}
