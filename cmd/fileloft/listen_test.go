package main

import (
	"bufio"
	"fmt"
	"io/fs"
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

func TestAUnixSocketIsMadeAndRemoved(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s")
	env := []string{"FILELOFT_DATA_DIR=" + t.TempDir(), "FILELOFT_UNIX_SOCKET=" + path, "FILELOFT_UNIX_SOCKET_MODE=0606", "FILELOFT_ENABLE_DOWNLOAD=1"}
	s := serve(t, command(t, env))
	if info, err := os.Lstat(path); err != nil || info.Mode() != fs.ModeSocket|0o606 {
		t.Errorf("%v %v", info, err)
	}
	data := randomBytes(100_000)
	upload := create(t, s, len(data))
	s.resume(upload, data)

	if r := run1(t, env); r.status != 1 || !strings.Contains(r.stderr, "FILELOFT_UNIX_SOCKET") || !strings.Contains(r.stderr, "listening there already") {
		t.Errorf("a second server on the socket: %+v", r)
	}
	s.holds(upload, data) // the first one is left as it was

	s.kill()
	if _, err := os.Lstat(path); err != nil {
		t.Fatalf("the killed server has left nothing that could be stale: %v", err)
	}
	s = serve(t, command(t, env))
	s.holds(upload, data)
	if status := s.stop(); status != 0 {
		t.Errorf("exit status %d", status)
	}
	if _, err := os.Lstat(path); err == nil {
		t.Error("the socket is still there after an orderly end")
	}
}

func TestAUnixSocketReplacesNothingElse(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s")
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := run1(t, []string{"FILELOFT_DATA_DIR=d", "FILELOFT_UNIX_SOCKET=" + path, "FILELOFT_LOG_LEVEL=off"})
	if r.status != 1 || !strings.Contains(r.stderr, "FILELOFT_UNIX_SOCKET") || strings.Count(r.stderr, "\n") != 1 {
		t.Errorf("%+v", r)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "precious" {
		t.Errorf("the file is %q, %v", b, err)
	}
}

// A service manager holds the socket. Who comes while one process ends and the next one starts waits for an answer and gets it.
func TestARestartRefusesNobodyWhereTheSocketIsHandedOver(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	data := randomBytes(1 << 20)
	env := []string{"FILELOFT_DATA_DIR=" + t.TempDir(), "FILELOFT_ENABLE_DOWNLOAD=1", "FILELOFT_SHUTDOWN_TIMEOUT=1m", "FILELOFT_BIND=127.0.0.1:1"}
	first := serve(t, handOver(t, env, ln.(*net.TCPListener)))
	if got, want := first.url, "http://"+ln.Addr().String(); got != want {
		t.Fatalf("it listens at %s, want what was handed over, %s", got, want)
	}
	first.client = clientWith(t, 1, nil)
	path := create(t, first, len(data))
	f := first.patchSlowly(path, len(data), data[:1000])
	if err := first.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	first.await("stopping")

	conn, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatalf("a client is refused: %v", err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
	second := serve(t, handOver(t, env, ln.(*net.TCPListener)))
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("who came between the two: %v %v", resp, err)
	}
	_ = resp.Body.Close()

	if _, err := f.rest.Write(data[1000:]); err != nil { // the first one is still at it
		t.Fatal(err)
	}
	_ = f.rest.Close()
	if resp := <-f.answer; resp == nil || resp.StatusCode != http.StatusNoContent || resp.Header.Get("Upload-Offset") != strconv.Itoa(len(data)) {
		t.Errorf("the upload that began before the restart ended by %v %v", resp, f.err)
	}
	if status := first.wait(); status != 0 {
		t.Errorf("exit status %d", status)
	}
	second.holds(path, data)
}

func TestAllSocketsThatAreHandedOverAreServed(t *testing.T) {
	t.Parallel()
	var lns []filer
	path := filepath.Join(t.TempDir(), "s")
	for network, addr := range map[string]string{"tcp": "127.0.0.1:0", "tcp6": "[::1]:0", "unix": path} {
		ln, err := net.Listen(network, addr)
		if err != nil && network == "tcp6" {
			continue // a machine without IPv6
		} else if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		lns = append(lns, ln.(filer))
	}
	s := serve(t, handOver(t, []string{"FILELOFT_DATA_DIR=d"}, lns...))
	for range len(lns) - 1 {
		s.await("listening")
	}
	for _, ln := range lns {
		addr := ln.(net.Listener).Addr()
		client, url := ownClient, "http://"+addr.String()
		if addr.Network() == "unix" {
			client, url = unixClient(t, path), "http://localhost"
		}
		if resp := requestBy(t, client, http.MethodGet, url+"/healthz", nil); resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %s", addr, resp.Status)
		}
	}
	if status := s.stop(); status != 0 {
		t.Errorf("exit status %d", status)
	}
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("the socket file belongs to who handed it over, and was removed: %v", err)
	}
}

func TestBadSocketsThatAreHandedOverStopTheStart(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	connected, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer connected.Close()
	file, err := os.Create(filepath.Join(t.TempDir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, tt := range []struct {
		name, want string
		socket     filer
		env        string
	}{
		{"a file", "take over descriptor 3", fileOf{file.Name()}, ""},
		{"a connection", "does not listen", connected.(filer), ""},
		{"no number", `LISTEN_FDS is "two"`, ln.(filer), "LISTEN_FDS=two"},
		{"more than there are", "take over descriptor 4", ln.(filer), "LISTEN_FDS=2"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cmd := handOver(t, []string{"FILELOFT_DATA_DIR=d", "FILELOFT_LOG_LEVEL=off"}, tt.socket)
			cmd.Env = append(cmd.Env, tt.env)
			out, err := cmd.CombinedOutput()
			if err == nil || cmd.ProcessState.ExitCode() != 1 || !strings.Contains(string(out), tt.want) {
				t.Errorf("%v %s", err, out)
			}
		})
	}
}

type fileOf struct{ name string }

func (f fileOf) File() (*os.File, error) { return os.Open(f.name) }

// What is meant for another process is left alone: an environment goes on to children.
func TestSocketsForAnotherProcessAreNotTaken(t *testing.T) {
	t.Parallel()
	s := serve(t, command(t, []string{"FILELOFT_DATA_DIR=d", "LISTEN_PID=1", "LISTEN_FDS=1"}))
	if resp := s.request(http.MethodGet, "/healthz", nil); resp.StatusCode != http.StatusOK {
		t.Errorf("%s", resp.Status)
	}
}

func TestH2CCarriesTheWholeProtocol(t *testing.T) {
	t.Parallel()
	s := serve(t, command(t, []string{"FILELOFT_DATA_DIR=d", "FILELOFT_ENABLE_H2C=true", "FILELOFT_ENABLE_DOWNLOAD=true"}))
	for major := 1; major <= 2; major++ { // both on one port
		s.client = clientWith(t, major, nil)
		data := randomBytes(5 << 20)
		path := create(t, s, len(data))
		resp := s.request(http.MethodPatch, path, data[:3<<20], "Upload-Offset", "0")
		if resp.StatusCode != http.StatusNoContent || resp.ProtoMajor != major {
			t.Fatalf("%s by HTTP/%d, want HTTP/%d", resp.Status, resp.ProtoMajor, major)
		}
		if resp := s.request(http.MethodPatch, path, data[:10], "Upload-Offset", "0"); resp.StatusCode != http.StatusConflict {
			t.Errorf("a wrong offset: %s", resp.Status)
		}
		s.resume(path, data)
		if resp := s.request(http.MethodDelete, path, nil); resp.StatusCode != http.StatusNoContent {
			t.Errorf("DELETE: %s", resp.Status)
		}
		if resp := s.request(http.MethodOptions, "/files/", nil); resp.Header.Get("Tus-Version") != "1.0.0" {
			t.Errorf("OPTIONS: %v", resp.Header)
		}
	}
	off := serve(t, command(t, []string{"FILELOFT_DATA_DIR=d"}))
	client := clientWith(t, 2, nil)
	client.Timeout = 10 * time.Second
	if resp, err := client.Get(off.url + "/healthz"); err == nil {
		_ = resp.Body.Close()
		t.Errorf("HTTP/2 without TLS is served although nobody asked for it: %s", resp.Status)
	}
}
