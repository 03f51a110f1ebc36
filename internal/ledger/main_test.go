package ledger

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/fileloft/fileloft/internal/lambdagate"
	"github.com/fileloft/fileloft/internal/servers"
	"github.com/fileloft/fileloft/state/dynamostate"
)

const (
	root     = "../.."
	bucket   = "uploads"
	table    = "records"
	memoryMB = 512
)

var bin string // where the binaries are built

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "fileloft-ledger-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	bin = dir
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// program builds one of this module's programs.
func program(t *testing.T, dir string) string {
	t.Helper()
	out := filepath.Join(bin, filepath.Base(dir))
	cmd := exec.Command("go", "-C", root, "build", "-trimpath", "-tags", "lambda.norpc", "-o", out, "./"+dir)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if b, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", dir, err, b)
	}
	return out
}

// A cloud is an S3 server with a bucket and a DynamoDB server with a table.
type cloud struct {
	s3       *servers.S3Server
	dynamoDB string
}

func newCloud(t *testing.T) *cloud {
	t.Helper()
	if testing.Short() {
		t.Skip("real servers do not run under -short")
	}
	c := &cloud{servers.S3(t), servers.DynamoDB(t)}
	c.s3.Bucket(t, bucket)
	if err := dynamostate.CreateTable(t.Context(), c.database(), table); err != nil {
		t.Fatal(err)
	}
	return c
}

// database returns a client that no ledger sees.
func (c *cloud) database() *dynamodb.Client {
	return dynamodb.New(dynamodb.Options{
		Region: "us-east-1", BaseEndpoint: &c.dynamoDB, Credentials: credentials.NewStaticCredentialsProvider("x", "x", ""),
	})
}

// behind returns the settings of a server that reaches the cloud through a ledger's proxies.
func (c *cloud) behind(t *testing.T, l *Ledger) []string {
	t.Helper()
	front := func(h http.Handler, err error) string {
		if err != nil {
			t.Fatal(err)
		}
		srv := httptest.NewServer(h)
		t.Cleanup(srv.Close)
		return srv.URL
	}
	return []string{
		"AWS_ACCESS_KEY_ID=" + c.s3.Access, "AWS_SECRET_ACCESS_KEY=" + c.s3.Secret,
		"FILELOFT_STORAGE=s3", "FILELOFT_S3_BUCKET=" + bucket, "FILELOFT_S3_ENDPOINT=" + front(l.S3(c.s3.URL)),
		"FILELOFT_S3_FORCE_PATH_STYLE=true", "FILELOFT_S3_REGION=us-east-1",
		"FILELOFT_STATE=dynamodb", "FILELOFT_DYNAMODB_TABLE=" + table, "FILELOFT_DYNAMODB_ENDPOINT=" + front(l.DynamoDB(c.dynamoDB)),
		"FILELOFT_LOG_LEVEL=warn",
	}
}

// function runs the Lambda binary with one instance and a ledger of its own.
func (c *cloud) function(t *testing.T, l *Ledger, binary string, settings ...string) *lambdagate.Function {
	t.Helper()
	log := &output{}
	f := lambdagate.New(binary, &lambdagate.Options{
		Env: append(c.behind(t, l), settings...), MaxInstances: 1, MemoryMB: memoryMB, Log: log,
		Invoked: func(i lambdagate.Invocation) { l.Invoked(i.Duration, memoryMB) },
	})
	t.Cleanup(func() {
		f.Close()
		if t.Failed() {
			t.Logf("the function's log:\n%s", log)
		}
	})
	return f
}

// serve runs the standalone server and returns its collection's URL.
func serve(t *testing.T, binary string, env ...string) string {
	t.Helper()
	log := &output{}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	addr := freeAddr(t)
	cmd := exec.CommandContext(ctx, binary)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "FILELOFT_BIND=" + addr}, env...)
	cmd.Stdout, cmd.Stderr = log, log
	ended, err := servers.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop()
		<-ended
		if t.Failed() {
			t.Logf("the server's log:\n%s", log)
		}
	})
	waitFor(t, addr)
	return "http://" + addr + "/files/"
}

// output keeps what a process prints.
type output struct {
	mu sync.Mutex
	b  []byte
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.b = append(o.b, p...)
	return len(p), nil
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return string(o.b)
}
