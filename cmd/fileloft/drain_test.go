package main

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
)

// A door is a way to listen, and a client that comes by it.
type door struct {
	name  string
	major int // of HTTP
	// open returns how a server is started that listens there, and the TLS of its clients.
	open func(t *testing.T) (start func(env []string) *exec.Cmd, conf *tls.Config)
}

func plain(env ...string) func(t *testing.T) (func([]string) *exec.Cmd, *tls.Config) {
	return func(t *testing.T) (func([]string) *exec.Cmd, *tls.Config) {
		return func(e []string) *exec.Cmd { return command(t, append(e, env...)) }, nil
	}
}

func withTLS(t *testing.T) (func([]string) *exec.Cmd, *tls.Config) {
	dir := t.TempDir()
	conf := &tls.Config{RootCAs: certificate(t, dir, "drain")}
	return func(e []string) *exec.Cmd { return command(t, append(e, tlsEnv(dir)...)) }, conf
}

func onUnixSocket(t *testing.T) (func([]string) *exec.Cmd, *tls.Config) {
	return plain("FILELOFT_UNIX_SOCKET=" + filepath.Join(t.TempDir(), "s"))(t)
}

// handedOver starts servers as systemd does, all with the same listener.
func handedOver(t *testing.T) (func([]string) *exec.Cmd, *tls.Config) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	return func(e []string) *exec.Cmd { return handOver(t, e, ln.(*net.TCPListener)) }, nil
}

// A filer is a listener whose descriptor can be had.
type filer interface{ File() (*os.File, error) }

// handOver prepares a run that gets listeners as systemd hands them over. The process's own id is in its environment: a shell puts it
// there and becomes the program.
func handOver(t *testing.T, env []string, lns ...filer) *exec.Cmd {
	t.Helper()
	cmd := command(t, env)
	cmd.Args = append([]string{"/bin/sh", "-c", `LISTEN_PID=$$ exec "$0" "$@"`}, cmd.Args...)
	cmd.Path = "/bin/sh"
	cmd.Env = append(cmd.Env, fmt.Sprintf("LISTEN_FDS=%d", len(lns)))
	for _, ln := range lns {
		f, err := ln.File()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = f.Close() })
		cmd.ExtraFiles = append(cmd.ExtraFiles, f)
	}
	return cmd
}

var doors = []door{
	{"TCP", 1, plain()},
	{"TLS, HTTP/1.1", 1, withTLS},
	{"TLS, HTTP/2", 2, withTLS},
	{"h2c", 2, plain("FILELOFT_ENABLE_H2C=true")},
	{"Unix socket", 1, onUnixSocket},
	{"handed over by systemd", 1, handedOver},
}

// serve starts a server at a door, and gives it the client that goes there.
func (d door) serve(t *testing.T, cmd *exec.Cmd, conf *tls.Config) *server {
	t.Helper()
	s := serve(t, cmd)
	if s.client == ownClient {
		s.client = clientWith(t, d.major, conf)
	}
	resp, err := s.client.Get(s.url + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	if _ = resp.Body.Close(); resp.ProtoMajor != d.major {
		t.Fatalf("HTTP/%d, want %d", resp.ProtoMajor, d.major)
	}
	return s
}

// An upload in flight that does not end within its time, half of the two seconds here, is committed as far as it has come, and answered;
// the next process takes the rest.
func TestSIGTERMInMidUploadKeepsTheBytes(t *testing.T) {
	t.Parallel()
	for _, d := range doors {
		t.Run(d.name, func(t *testing.T) {
			if testing.Short() && d.name != "TLS, HTTP/2" {
				t.Skip("each takes a second")
			}
			t.Parallel()
			data := randomBytes(3 << 20)
			start, conf := d.open(t)
			env := []string{"FILELOFT_DATA_DIR=" + t.TempDir(), "FILELOFT_SHUTDOWN_TIMEOUT=2s", "FILELOFT_ENABLE_DOWNLOAD=1"}
			s := d.serve(t, start(env), conf)
			path := create(t, s, len(data))
			f := s.patchSlowly(path, len(data), data[:1<<20])
			if status := s.stop(); status != 0 {
				t.Errorf("exit status %d, log %v", status, s.log)
			}
			resp := <-f.answer
			if resp == nil {
				t.Fatalf("no answer to the upload in flight: %v", f.err)
			}
			s = d.serve(t, start(env), conf)
			offset := s.offset(path)
			t.Logf("the upload in flight was answered %s, offset %q; the record has %d", resp.Status, resp.Header.Get("Upload-Offset"), offset)
			if offset <= 0 || offset > 1<<20 {
				t.Fatalf("after the restart the offset is %d: the bytes in flight are lost", offset)
			}
			if told := resp.Header.Get("Upload-Offset"); resp.StatusCode == http.StatusNoContent && told != strconv.Itoa(offset) {
				t.Errorf("the answer acknowledged %s bytes, the record has %d", told, offset)
			}
			s.resume(path, data)
		})
	}
}

// With time to go on, an upload in flight comes to its end, and nothing new comes in beside it.
func TestSIGTERMLetsAnUploadEndWithinItsTime(t *testing.T) {
	t.Parallel()
	for _, d := range doors {
		t.Run(d.name, func(t *testing.T) {
			if testing.Short() && d.name != "TLS, HTTP/2" {
				t.Skip("each takes two processes")
			}
			t.Parallel()
			data := randomBytes(2 << 20)
			start, conf := d.open(t)
			env := []string{"FILELOFT_DATA_DIR=" + t.TempDir(), "FILELOFT_SHUTDOWN_TIMEOUT=1m", "FILELOFT_ENABLE_DOWNLOAD=1"}
			s := d.serve(t, start(env), conf)
			path := create(t, s, len(data))
			f := s.patchSlowly(path, len(data), data[:1<<20])
			if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			s.await("stopping")
			if _, err := f.rest.Write(data[1<<20:]); err != nil {
				t.Fatal(err)
			}
			_ = f.rest.Close()
			resp := <-f.answer
			if resp == nil || resp.StatusCode != http.StatusNoContent || resp.Header.Get("Upload-Offset") != strconv.Itoa(len(data)) {
				t.Fatalf("the upload in flight ended by %v %v", resp, f.err)
			}
			if status := s.wait(); status != 0 {
				t.Errorf("exit status %d, log %v", status, s.log)
			}
			d.serve(t, start(env), conf).holds(path, data)
		})
	}
}
