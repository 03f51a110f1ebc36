package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// request sends one tus request and returns the answer, its body read.
func request(t *testing.T, method, url string, body []byte, header ...string) *http.Response {
	t.Helper()
	return requestBy(t, ownClient, method, url, body, header...)
}

func requestBy(t *testing.T, client *http.Client, method, url string, body []byte, header ...string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Tus-Resumable", "1.0.0")
	if body != nil {
		r.Header.Set("Content-Type", "application/offset+octet-stream")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	if host := r.Header.Get("Host"); host != "" {
		r.Host = host
	}
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil {
		t.Fatal(err)
	}
	resp.Body = io.NopCloser(bytes.NewReader(text))
	return resp
}

// create makes an upload and returns its path.
func create(t *testing.T, s *server, length int) string {
	t.Helper()
	resp := requestBy(t, s.client, http.MethodPost, s.url+"/files/", nil, "Upload-Length", strconv.Itoa(length))
	if resp.StatusCode != http.StatusCreated {
		t.Fatalf("create: %s", resp.Status)
	}
	return strings.TrimPrefix(resp.Header.Get("Location"), s.url)
}

// The server starts and takes an upload without any configuration; only the address is given, so that the test keeps
// off other people's ports and interfaces.
func TestNoConfigurationAtAll(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes the built binary, which another user can run")
	}
	t.Parallel()
	cmd := command(t, nil)
	cmd.Dir = filepath.Join(filepath.Dir(program(t)), "nowhere")
	if err := os.Mkdir(cmd.Dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 { // root could write to /var/lib: run as somebody who can not
		const nobody = 65534
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		if err := os.Chown(cmd.Dir, nobody, nobody); err != nil {
			t.Fatal(err)
		}
	} else if f, err := os.CreateTemp("/var/lib", "x"); err == nil {
		_ = f.Close()
		_ = os.Remove(f.Name())
		t.Skip("this user can write to /var/lib")
	}
	s := serve(t, cmd)
	want := filepath.Join(cmd.Dir, "data")
	if got := s.log[0]["data_dir"]; got != want {
		t.Errorf("the first log line says that data goes to %v, want %s", got, want)
	}
	path := create(t, s, 5)
	resp := request(t, http.MethodPatch, s.url+path, []byte("hello"), "Upload-Offset", "0")
	if resp.StatusCode != http.StatusNoContent || resp.Header.Get("Upload-Offset") != "5" {
		t.Errorf("%s %v", resp.Status, resp.Header)
	}
	for _, probe := range []string{"/healthz", "/readyz"} {
		if resp := request(t, http.MethodGet, s.url+probe, nil); resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %s", probe, resp.Status)
		}
	}
	if status := s.stop(); status != 0 {
		t.Errorf("exit status %d", status)
	}
	if _, err := os.Stat(filepath.Join(want, "fileloft.db")); err != nil {
		t.Error(err)
	}
	if log := fmt.Sprint(s.log); !strings.Contains(log, "FILELOFT_MAX_SIZE is not set") {
		t.Error("no warning about the missing limit")
	}
}

func TestUnknownVariablesAndSettingsAreLogged(t *testing.T) {
	t.Parallel()
	s := serve(t, command(t, []string{"FILELOFT_DATA_DIR=d", "FILELOFT_BASEPATH=/x/", "FILELOFT_MAX_SIZE=1MiB"}))
	log := fmt.Sprint(s.log)
	for _, want := range []string{"FILELOFT_BASEPATH is not a setting", "did you mean FILELOFT_BASE_PATH", "max-size:1048576"} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %q:\n%s", want, log)
		}
	}
}

func TestAnAddressInUseNamesTheVariable(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	r := run1(t, []string{"FILELOFT_DATA_DIR=d", "FILELOFT_BIND=" + ln.Addr().String(), "FILELOFT_LOG_LEVEL=off"})
	if r.status != 1 || !strings.Contains(r.stderr, "FILELOFT_BIND") || strings.Count(r.stderr, "\n") != 1 {
		t.Errorf("%+v", r)
	}
}

// slowPatch begins a PATCH of length bytes, sends the first ones, and returns the connection with the rest unsent.
func slowPatch(t *testing.T, s *server, path string, length int, first []byte) (net.Conn, *bufio.Reader) {
	t.Helper()
	host := strings.TrimPrefix(s.url, "http://")
	conn, err := net.Dial("tcp", host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	fmt.Fprintf(conn, "PATCH %s HTTP/1.1\r\nHost: %s\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\nExpect: 100-continue\r\n"+
		"Content-Type: application/offset+octet-stream\r\nContent-Length: %d\r\n\r\n", path, host, length)
	in := bufio.NewReader(conn)
	if line, err := in.ReadString('\n'); err != nil || !strings.Contains(line, "100 Continue") {
		t.Fatalf("%q %v", line, err)
	}
	if _, err := in.ReadString('\n'); err != nil { // the empty line behind it
		t.Fatal(err)
	}
	if _, err := conn.Write(first); err != nil {
		t.Fatal(err)
	}
	return conn, in
}

// A body that never falls silent is committed at the interval, so that HEAD shows it and a kill costs no more than that.
func TestAKillCostsNoMoreThanTheLastCheckpoint(t *testing.T) {
	t.Parallel()
	env := []string{"FILELOFT_DATA_DIR=" + filepath.Join(t.TempDir(), "data"), "FILELOFT_CHECKPOINT_INTERVAL=1"}
	s := serve(t, command(t, env))
	path := create(t, s, 1<<20)
	conn, _ := slowPatch(t, s, path, 1<<20, []byte("x"))
	offset := func() int {
		n, err := strconv.Atoi(request(t, http.MethodHead, s.url+path, nil).Header.Get("Upload-Offset"))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	seen := 0
	for range 100 {
		if _, err := conn.Write([]byte("xxxxxxxxxx")); err != nil {
			t.Fatal(err)
		}
		if seen = offset(); seen > 0 {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if seen == 0 {
		t.Fatal("HEAD never showed any progress")
	}
	if err := s.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	s.wait()
	s = serve(t, command(t, env))
	if after := offset(); after < seen {
		t.Errorf("HEAD showed %d before the kill, and %d after it", seen, after)
	}
}

func TestASecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel()
	s := serve(t, command(t, []string{"FILELOFT_DATA_DIR=d", "FILELOFT_SHUTDOWN_TIMEOUT=1h"}))
	slowPatch(t, s, create(t, s, 100), 100, []byte("x"))
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	s.await("stopping")
	ended := make(chan int, 1)
	go func() { ended <- s.wait() }()
	// The first signal takes a moment to give the second its usual meaning back.
	for tick := time.NewTicker(20 * time.Millisecond); ; <-tick.C {
		select {
		case status := <-ended:
			if status != -1 {
				t.Errorf("exit status %d, want death by the signal", status)
			}
			return
		default:
			_ = s.cmd.Process.Signal(syscall.SIGTERM) // fails once the process is gone, which is what is waited for
		}
	}
}

func TestSweepWorksBesideAServer(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	env := []string{"FILELOFT_DATA_DIR=" + dir, "FILELOFT_ENABLE_EXPIRATION=1", "FILELOFT_EXPIRATION_TTL=1", "FILELOFT_SWEEP_INTERVAL=0"}
	s := serve(t, command(t, env))
	path := create(t, s, 5)
	for request(t, http.MethodHead, s.url+path, nil).StatusCode != http.StatusGone {
		time.Sleep(50 * time.Millisecond) // its second has to pass in the server's time
	}
	r := run1(t, env, "sweep")
	if r.status != 0 || !strings.HasPrefix(r.stdout, "expired 1,") {
		t.Errorf("%+v", r)
	}
	if resp := request(t, http.MethodHead, s.url+path, nil); resp.StatusCode != http.StatusNotFound && resp.StatusCode != http.StatusGone {
		t.Errorf("after the sweep: %s", resp.Status)
	}
}

func TestStateInitMakesWhatTheStateNeedsAndCanBeRepeated(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new")
	for range 2 {
		r := run1(t, []string{"FILELOFT_DATA_DIR=" + dir}, "state", "init")
		if r.status != 0 || r.stdout != "ready: a database file\n" {
			t.Fatalf("%+v", r)
		}
		if _, err := os.Stat(filepath.Join(dir, "fileloft.db")); err != nil {
			t.Error(err)
		}
	}
	if r := run1(t, []string{"FILELOFT_STATE=memory"}, "state", "init"); r.status != 0 || !strings.Contains(r.stdout, "nothing") {
		t.Errorf("%+v", r)
	}
	if testing.Short() {
		return // the rest waits for what is not there
	}
	unreachable := []string{"FILELOFT_STATE=dynamodb", "FILELOFT_DYNAMODB_ENDPOINT=http://127.0.0.1:1", "AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=b"}
	if r := run1(t, unreachable, "state", "init"); r.status != 1 || !strings.Contains(r.stderr, "FILELOFT_STATE=dynamodb") {
		t.Errorf("%+v", r)
	}
}
