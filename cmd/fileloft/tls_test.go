package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

func TestTLSVersionsAndProtocols(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pool := certificate(t, dir, "versions")
	for mode, oldest := range map[string]uint16{"": tls.VersionTLS12, "tls12": tls.VersionTLS12, "tls13": tls.VersionTLS13} {
		s := serve(t, command(t, tlsEnv(dir, "FILELOFT_DATA_DIR=d", "FILELOFT_ENABLE_DOWNLOAD=1", "FILELOFT_TLS_MODE="+mode)))
		for _, version := range []uint16{tls.VersionTLS11, tls.VersionTLS12, tls.VersionTLS13} {
			for major := 1; major <= 2; major++ {
				name := fmt.Sprintf("mode %q, %s, HTTP/%d", mode, tls.VersionName(version), major)
				s.client = clientWith(t, major, &tls.Config{RootCAs: pool, MinVersion: version, MaxVersion: version})
				resp, err := s.client.Get(s.url + "/healthz")
				if version < oldest {
					if err == nil {
						_ = resp.Body.Close()
						t.Errorf("%s is taken", name)
					}
					continue
				}
				if err != nil {
					t.Errorf("%s: %v", name, err)
					continue
				}
				_ = resp.Body.Close()
				if resp.ProtoMajor != major || resp.TLS.Version != version {
					t.Errorf("%s: HTTP/%d by %s", name, resp.ProtoMajor, tls.VersionName(resp.TLS.Version))
				}
				data := randomBytes(300_000)
				location := s.request(http.MethodPost, "/files/", nil, "Upload-Length", strconv.Itoa(len(data))).Header.Get("Location")
				path, ok := strings.CutPrefix(location, s.url)
				if !ok {
					t.Fatalf("%s: Location %q", name, location)
				}
				s.resume(path, data)
			}
		}
	}
}

// commonName makes a new connection and returns whose certificate it shows.
func commonName(t *testing.T, s *server, pools ...*x509.CertPool) string {
	t.Helper()
	conn, err := tls.Dial("tcp", strings.TrimPrefix(s.url, "https://"), &tls.Config{InsecureSkipVerify: true}) // it is looked at here
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	cert := conn.ConnectionState().PeerCertificates[0]
	for _, pool := range pools {
		if _, err := cert.Verify(x509.VerifyOptions{Roots: pool}); err != nil {
			t.Error(err)
		}
	}
	return cert.Subject.CommonName
}

func TestACertificateIsReadAgainWhenItChanges(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pool := certificate(t, dir, "first")
	s := serve(t, command(t, tlsEnv(dir, "FILELOFT_DATA_DIR=d", "FILELOFT_ENABLE_DOWNLOAD=1")))
	s.client = clientWith(t, 2, &tls.Config{RootCAs: pool})
	data := randomBytes(2 << 20)
	path := create(t, s, len(data))
	f := s.patchSlowly(path, len(data), data[:1000])
	if got := commonName(t, s, pool); got != "first" {
		t.Fatal(got)
	}

	pool = certificate(t, dir, "second")
	if got := commonName(t, s, pool); got != "second" {
		t.Errorf("after the change: %s", got)
	}

	key, err := os.ReadFile(filepath.Join(dir, "key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	for name, broken := range map[string]func(){
		"half a pair": func() { certificate(t, dir, "other"); replace(t, filepath.Join(dir, "key.pem"), key) },
		"no PEM":      func() { replace(t, filepath.Join(dir, "cert.pem"), []byte("half writ")) },
		"no file": func() {
			if err := os.Remove(filepath.Join(dir, "cert.pem")); err != nil {
				t.Fatal(err)
			}
		},
	} {
		broken()
		for range 3 {
			if got := commonName(t, s, pool); got != "second" {
				t.Errorf("%s: the certificate is now %s", name, got)
			}
		}
		s.await("the certificate has changed and cannot be used")
	}
	pool = certificate(t, dir, "third")
	if got := commonName(t, s, pool); got != "third" {
		t.Errorf("after the repair: %s", got)
	}

	// All the while the upload has gone on, on the connection that it began with.
	if _, err := f.rest.Write(data[1000:]); err != nil {
		t.Fatal(err)
	}
	_ = f.rest.Close()
	if resp := <-f.answer; resp == nil || resp.StatusCode != http.StatusNoContent {
		t.Fatalf("%v %v", resp, f.err)
	}
	s.holds(path, data)
	if status := s.stop(); status != 0 {
		t.Errorf("exit status %d", status)
	}
	complaints := 0
	for _, line := range s.log {
		if msg, _ := line["msg"].(string); strings.HasPrefix(msg, "the certificate has changed") {
			complaints++
		}
	}
	if complaints != 3 {
		t.Errorf("%d complaints about 3 broken changes", complaints)
	}
}

func TestBadCertificatesStopTheStart(t *testing.T) {
	t.Parallel()
	dir, other := t.TempDir(), t.TempDir()
	certificate(t, dir, "good")
	certificate(t, other, "other")
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for _, tt := range []struct {
		name      string
		cert, key string
		want      string
		status    int
	}{
		{"no such file", cert + "x", key, "cert.pemx", 1},
		{"no such key", cert, key + "x", "key.pemx", 1},
		{"another's key", cert, filepath.Join(other, "key.pem"), "does not match", 1},
		{"the other way round", key, cert, "read certificate", 1},
		{"no key", cert, "", "FILELOFT_TLS_KEY", 2},
		{"no certificate", "", key, "FILELOFT_TLS_CERT", 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			env := []string{"FILELOFT_BIND=127.0.0.1:0", "FILELOFT_DATA_DIR=" + t.TempDir(), "FILELOFT_LOG_LEVEL=off", "FILELOFT_TLS_CERT=" + tt.cert, "FILELOFT_TLS_KEY=" + tt.key}
			r := run1(t, env)
			if r.status != tt.status || !strings.Contains(r.stderr, "FILELOFT_TLS_CERT") || !strings.Contains(r.stderr, tt.want) || strings.Count(r.stderr, "\n") != 1 {
				t.Errorf("%+v", r)
			}
		})
	}
}

func TestPlainHTTPAtATLSPortIsTold(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	certificate(t, dir, "plain")
	s := serve(t, command(t, tlsEnv(dir, "FILELOFT_DATA_DIR=d", "FILELOFT_ENABLE_H2C=true")))
	resp, err := ownClient.Get(strings.Replace(s.url, "https", "http", 1) + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(resp.Body)
	if _ = resp.Body.Close(); err != nil || resp.StatusCode != http.StatusBadRequest || !strings.Contains(string(b), "HTTPS server") {
		t.Errorf("%s %q %v", resp.Status, b, err)
	}
	if log := fmt.Sprint(s.log); !strings.Contains(log, "FILELOFT_ENABLE_H2C has no effect with TLS") {
		t.Error("no warning about h2c")
	}
}
