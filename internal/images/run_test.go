package images

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fileloft/fileloft/internal/servers"
)

// command runs the image's program with nothing around it but the image's files, as the image's user. Only root can do that;
// anybody else runs the program as it is.
func (i *image) command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	if runtime.GOOS != "linux" || runtime.GOARCH != i.config.Architecture {
		t.Skipf("=== SKIPPED: the image's program runs on linux/%s only ===", i.config.Architecture)
	}
	c := i.config.Config
	if os.Getuid() != 0 {
		t.Log("not root: the program runs outside of its image")
		cmd := exec.CommandContext(t.Context(), filepath.Join(i.dir, c.Entrypoint[0]), args...)
		cmd.Env = append(c.Env, "FILELOFT_DATA_DIR="+t.TempDir())
		return cmd
	}
	for dir := i.dir; dir != "/"; dir = filepath.Dir(dir) { // the tests' directories are their owner's alone
		if err := os.Chmod(dir, 0o755|mode(t, dir)); err != nil {
			t.Fatal(err)
		}
		if dir == os.TempDir() {
			break
		}
	}
	user, err := strconv.ParseUint(strings.Split(c.User, ":")[0], 10, 32)
	if err != nil || user == 0 {
		t.Fatalf("the image's user is %q", c.User)
	}
	cmd := exec.CommandContext(t.Context(), c.Entrypoint[0], args...)
	cmd.Dir, cmd.Env = c.WorkingDir, c.Env
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: i.dir, Credential: &syscall.Credential{Uid: uint32(user), Gid: uint32(user)}}
	return cmd
}

func mode(t *testing.T, dir string) os.FileMode {
	t.Helper()
	info, err := os.Stat(dir)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode()
}

// serves starts the image's server on files, uploads something and stops the server as a container engine does.
func (i *image) serves(t *testing.T, backend string) {
	t.Helper()
	addr := freeAddr(t)
	cmd := i.command(t, "serve", "--bind", addr, "--enable-download", "--storage", "fs")
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	ended, err := servers.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); <-ended }() // it has ended by then, if all went well
	url := "http://" + addr + "/files/"
	wait(t, "http://"+addr+"/readyz", ended, &log)

	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader("hello"))
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range map[string]string{"Tus-Resumable": "1.0.0", "Upload-Length": "5", "Content-Type": "application/offset+octet-stream"} {
		r.Header.Set(k, v)
	}
	at := answer(t, r, http.StatusCreated).Get("Location")
	if r, err = http.NewRequestWithContext(t.Context(), http.MethodGet, at, nil); err != nil {
		t.Fatal(err)
	}
	answer(t, r, http.StatusOK)
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ended:
	case <-time.After(20 * time.Second):
		t.Fatal("it does not end after SIGTERM")
	}
	if code := cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("backend %s: it ended with %d; it says:\n%s", backend, code, log.String())
	}
}

func answer(t *testing.T, r *http.Request, status int) http.Header {
	t.Helper()
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != status {
		t.Fatalf("%s %s: %s %s, %v", r.Method, r.URL, resp.Status, body, err)
	}
	if r.Method == http.MethodGet && string(body) != "hello" {
		t.Errorf("the upload holds %q", body)
	}
	return resp.Header
}

func wait(t *testing.T, url string, ended <-chan struct{}, log *bytes.Buffer) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		select {
		case <-ended:
			t.Fatalf("the server ended: %s", log)
		default:
		}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		if resp, err := http.DefaultClient.Do(r); err == nil {
			_ = resp.Body.Close() // only the status counts
			if resp.StatusCode == http.StatusOK {
				return
			}
		}
	}
	t.Fatal("the server does not get ready")
}

func freeAddr(t *testing.T) string {
	t.Helper()
	var lc net.ListenConfig
	ln, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}
