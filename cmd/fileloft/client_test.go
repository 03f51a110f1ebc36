package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/fileloft/fileloft/internal/servers"
)

// ownClient asks whatever needs no client of a special kind.
var ownClient = servers.NewClient(0)

// clientWith returns a client of one version of HTTP. Without TLS, version 2 is spoken with prior knowledge.
func clientWith(t *testing.T, major int, conf *tls.Config) *http.Client {
	t.Helper()
	p := new(http.Protocols)
	p.SetHTTP1(major == 1)
	p.SetHTTP2(major == 2 && conf != nil)
	p.SetUnencryptedHTTP2(major == 2 && conf == nil)
	tr := &http.Transport{Protocols: p, TLSClientConfig: conf, ExpectContinueTimeout: time.Minute}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

func unixClient(t *testing.T, path string) *http.Client {
	t.Helper()
	tr := &http.Transport{ExpectContinueTimeout: time.Minute, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

// certificate writes a new certificate for 127.0.0.1 and its key to dir, under the names that tlsEnv gives, and returns what a client needs
// to trust it.
func certificate(t *testing.T, dir, name string) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	chain := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	replace(t, filepath.Join(dir, "cert.pem"), chain)
	replace(t, filepath.Join(dir, "key.pem"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}))
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(chain)
	return pool
}

// replace writes a file as careful programs do: whole, and then into its place.
func replace(t *testing.T, name string, b []byte) {
	t.Helper()
	if err := os.WriteFile(name+".new", b, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(name+".new", name); err != nil {
		t.Fatal(err)
	}
}

func tlsEnv(dir string, env ...string) []string {
	return append([]string{"FILELOFT_TLS_CERT=" + filepath.Join(dir, "cert.pem"), "FILELOFT_TLS_KEY=" + filepath.Join(dir, "key.pem")}, env...)
}

// A flight is a PATCH under way.
type flight struct {
	rest   *io.PipeWriter
	answer chan *http.Response // its body closed; nil where there was none
	err    error
	text   string
}

// patchSlowly begins a PATCH of length bytes from 0 on by the server's client. When it returns, the server is reading and the first
// bytes are on their way.
func (s *server) patchSlowly(path string, length int, first []byte) *flight {
	s.t.Helper()
	reading := make(chan struct{})
	ctx := httptrace.WithClientTrace(s.t.Context(), &httptrace.ClientTrace{Got100Continue: func() { close(reading) }})
	in, out := io.Pipe()
	r, err := http.NewRequestWithContext(ctx, http.MethodPatch, s.url+path, in)
	if err != nil {
		s.t.Fatal(err)
	}
	r.ContentLength = int64(length)
	for k, v := range map[string]string{
		"Tus-Resumable": "1.0.0", "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream", "Expect": "100-continue",
	} {
		r.Header.Set(k, v)
	}
	f := &flight{rest: out, answer: make(chan *http.Response, 1)}
	go func() {
		defer in.Close()
		resp, err := s.client.Do(r)
		if err == nil {
			b, _ := io.ReadAll(resp.Body)
			f.text = string(b)
			_ = resp.Body.Close()
		}
		f.err = err
		f.answer <- resp
	}()
	s.t.Cleanup(func() { _ = out.Close() })
	select {
	case <-reading:
	case resp := <-f.answer:
		s.t.Fatalf("the PATCH ended before its body was asked for: %v %v", resp, f.err)
	}
	if _, err := out.Write(first); err != nil {
		s.t.Fatal(err)
	}
	return f
}

// offset asks for an upload's offset.
func (s *server) offset(path string) int {
	s.t.Helper()
	resp := s.request(http.MethodHead, path, nil)
	n, err := strconv.Atoi(resp.Header.Get("Upload-Offset"))
	if err != nil {
		s.t.Fatalf("HEAD %s: %s %v", path, resp.Status, err)
	}
	return n
}

// resume sends the rest of an upload, and reads all of it back.
func (s *server) resume(path string, data []byte) {
	s.t.Helper()
	offset := s.offset(path)
	resp := s.request(http.MethodPatch, path, data[offset:], "Upload-Offset", strconv.Itoa(offset))
	if resp.StatusCode != http.StatusNoContent {
		b, _ := io.ReadAll(resp.Body)
		s.t.Fatalf("resume at %d: %s %s", offset, resp.Status, b)
	}
	s.holds(path, data)
}

// holds compares a finished upload with its source.
func (s *server) holds(path string, data []byte) {
	s.t.Helper()
	resp := s.request(http.MethodGet, path, nil)
	if got, err := io.ReadAll(resp.Body); err != nil || !bytes.Equal(got, data) {
		s.t.Errorf("%s: %d bytes, want the %d that were sent (%v)", resp.Status, len(got), len(data), err)
	}
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return b
}
