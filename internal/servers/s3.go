package servers

import (
	"context"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

const versitygw = "bin/versitygw"

// An S3Server is a running S3 server, versitygw, that keeps what it stores as files in a directory.
type S3Server struct {
	URL string
	// Access and Secret are its root account's keys.
	Access, Secret string
	Dir            string // where its files lie, a bucket a directory
}

func newS3(addr, dir string) *S3Server {
	return &S3Server{URL: "http://" + addr, Access: s3Access, Secret: s3Secret, Dir: dir}
}

const s3Access, s3Secret = "test", "testsecret"

func versityArgs(dir string) func(host, port string) []string {
	return func(host, port string) []string {
		return []string{"--quiet", "--keep-alive", "--port", host + ":" + port, "--access", s3Access, "--secret", s3Secret, "posix", dir}
	}
}

// S3 starts a server over a directory of the test's own.
func S3(t testing.TB) *S3Server {
	t.Helper()
	dir := t.TempDir() // before the process: what is registered first is removed last
	return newS3(forTest(t, versitygw, versityArgs(dir)).Addr, dir)
}

// StartS3 does the same for a program, over a directory that exists.
func StartS3(ctx context.Context, dir string) (*Process, *S3Server, error) {
	path, err := find(versitygw)
	if err != nil {
		return nil, nil, err
	}
	p, err := start(ctx, path, versityArgs(dir))
	if err != nil {
		return nil, nil, err
	}
	return p, newS3(p.Addr, dir), nil
}

// Client returns a client of the server.
func (s *S3Server) Client() *s3.Client {
	return s3.New(s3.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(s.URL), UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(s.Access, s.Secret, ""),
	})
}

// Bucket makes a bucket.
func (s *S3Server) Bucket(t testing.TB, name string) string {
	t.Helper()
	if _, err := s.Client().CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &name}); err != nil {
		t.Fatal(err)
	}
	return name
}
