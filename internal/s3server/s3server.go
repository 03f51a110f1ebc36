// Package s3server starts a real S3 server, versitygw, for tests. It keeps what is stored in a directory of the test, listens on
// 127.0.0.1 alone, and is stopped by its process id when the test ends. The binary is bin/versitygw, built by `make bin/versitygw`
// from tools/versitygw. Where it is missing the test is skipped, or fails where REQUIRE_EMULATORS=1.
package s3server

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// A Server is a running one.
type Server struct {
	URL string
	// Access and Secret are its root account's keys.
	Access, Secret string
}

// Start starts a server.
func Start(tb testing.TB) *Server {
	tb.Helper()
	bin := binary(tb)
	s := &Server{Access: "test", Secret: "testsecret"}
	var err error
	for range 3 { // somebody may take the port between the asking and the starting
		if s.URL, err = start(tb, bin, s); err == nil {
			return s
		}
	}
	tb.Fatal(err)
	return nil
}

func binary(tb testing.TB) string {
	tb.Helper()
	_, file, _, _ := runtime.Caller(0)
	bin := filepath.Join(filepath.Dir(file), "..", "..", "bin", "versitygw")
	if _, err := os.Stat(bin); err != nil {
		if os.Getenv("REQUIRE_EMULATORS") == "1" {
			tb.Fatalf("versitygw is missing (make bin/versitygw): %v", err)
		}
		tb.Skip("=== SKIPPED: versitygw is missing; make bin/versitygw builds it ===")
	}
	return bin
}

func start(tb testing.TB, bin string, s *Server) (string, error) {
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	addr := l.Addr().String()
	_ = l.Close()
	dir := tb.TempDir()
	cmd := exec.CommandContext(context.WithoutCancel(tb.Context()), bin, "--quiet", "--keep-alive", "--port", addr, "--access", s.Access, "--secret", s.Secret, "posix", dir)
	if err := cmd.Start(); err != nil {
		return "", err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	tb.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
	})
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		select {
		case err := <-ended:
			ended <- err
			return "", fmt.Errorf("versitygw ended: %w", err)
		default:
		}
		c, err := (&net.Dialer{Timeout: time.Second}).DialContext(context.Background(), "tcp", addr)
		if err == nil {
			_ = c.Close()
			return "http://" + addr, nil
		}
	}
	return "", fmt.Errorf("versitygw does not listen on %s", addr)
}

// Client returns a client of the server.
func (s *Server) Client() *s3.Client {
	return s3.New(s3.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(s.URL), UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(s.Access, s.Secret, ""),
	})
}

// Bucket makes a bucket.
func (s *Server) Bucket(tb testing.TB, name string) string {
	tb.Helper()
	_, err := s.Client().CreateBucket(tb.Context(), &s3.CreateBucketInput{Bucket: &name})
	if err != nil {
		tb.Fatal(err)
	}
	return name
}
