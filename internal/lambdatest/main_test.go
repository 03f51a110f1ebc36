package lambdatest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/fileloft/fileloft/internal/clients"
	"github.com/fileloft/fileloft/internal/lambdagate"
	"github.com/fileloft/fileloft/internal/servers"
	"github.com/fileloft/fileloft/state/dynamostate"
)

var (
	root = filepath.Join("..", "..")
	tmp  string // of the whole run: the binary, the clients, the sources, what the S3 server stores
)

// ownClient asks whatever needs no client of a special kind.
var ownClient = servers.NewClient(0)

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "fileloft-lambda-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	tmp, everyClient = dir, clients.All(dir, chunk)
	defer func() { _ = os.RemoveAll(dir) }()
	defer func() { shared.stop() }()
	return m.Run()
}

// cloud is what all functions share: one S3 server with a bucket, one DynamoDB server.
type cloud struct {
	once    sync.Once
	err     error
	running []*servers.Process

	s3       *servers.S3Server
	objects  *s3.Client
	dynamoDB string
	table    *dynamodb.Client
	tables   atomic.Int32
}

const bucket = "uploads"

var shared cloud

// inCloud starts the servers and builds the binary, once, or skips t for want of them.
func inCloud(t testing.TB) *cloud {
	t.Helper()
	if testing.Short() {
		t.Skip("tests of the whole Lambda path do not run under -short")
	}
	c := &shared
	c.once.Do(func() { c.err = c.start(context.Background()) })
	servers.Require(t, "a server", c.err)
	if err := buildFunction(); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *cloud) start(ctx context.Context) error {
	dir := filepath.Join(tmp, "s3")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	p, s, err := servers.StartS3(ctx, dir)
	if err != nil {
		return err
	}
	c.running = append(c.running, p)
	d, err := servers.StartDynamoDB(ctx)
	if err != nil {
		return err
	}
	c.running = append(c.running, d)
	c.s3, c.objects, c.dynamoDB = s, s.Client(), "http://"+d.Addr
	c.table = dynamodb.New(dynamodb.Options{
		Region: "us-east-1", BaseEndpoint: &c.dynamoDB, Credentials: credentials.NewStaticCredentialsProvider("x", "x", ""),
	})
	_, err = c.objects.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String(bucket)})
	return err
}

func (c *cloud) stop() {
	for _, p := range c.running {
		p.Stop()
	}
}

var buildFunction = sync.OnceValue(func() error {
	cmd := exec.Command("go", "-C", root, "build", "-trimpath", "-buildvcs=false", "-tags", "lambda.norpc", "-o", bootstrap(), "./functions/lambda")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", cmd, err, out)
	}
	return nil
})

func bootstrap() string { return filepath.Join(tmp, "bootstrap") }

// A deployment is a table, a part of the bucket, and what functions over them are configured with.
type deployment struct {
	cloud  *cloud
	prefix string
	state  *dynamostate.Store
	env    []string
}

// deploy makes a table, and chooses where finished objects go.
func (c *cloud) deploy(t testing.TB, settings ...string) *deployment {
	t.Helper()
	name := fmt.Sprintf("table-%d", c.tables.Add(1))
	if err := dynamostate.CreateTable(t.Context(), c.table, name); err != nil {
		t.Fatal(err)
	}
	return &deployment{cloud: c, prefix: name + "/", state: dynamostate.New(c.table, name, nil), env: append([]string{
		"AWS_ACCESS_KEY_ID=" + c.s3.Access, "AWS_SECRET_ACCESS_KEY=" + c.s3.Secret,
		"FILELOFT_S3_BUCKET=" + bucket, "FILELOFT_S3_PREFIX=" + name + "/", "FILELOFT_S3_ENDPOINT=" + c.s3.URL,
		"FILELOFT_S3_FORCE_PATH_STYLE=true", "FILELOFT_S3_REGION=us-east-1",
		"FILELOFT_DYNAMODB_TABLE=" + name, "FILELOFT_DYNAMODB_ENDPOINT=" + c.dynamoDB, "FILELOFT_LOG_LEVEL=warn",
	}, settings...)}
}

// function starts a function of its own over the deployment.
func (d *deployment) function(t testing.TB, opt lambdagate.Options) *lambdagate.Function {
	t.Helper()
	out := &tail{}
	opt.Env = slices.Concat(d.env, opt.Env)
	opt.Log = out
	if opt.MaxInstances == 0 {
		opt.MaxInstances = 30
	}
	f := lambdagate.New(bootstrap(), &opt)
	t.Cleanup(func() {
		f.Close()
		if t.Failed() {
			t.Logf("the function's log:\n%s", out)
		}
	})
	return f
}

// A way is a door to a function, and where its collection is.
type way struct {
	name string
	open func(f *lambdagate.Function, t testing.TB) (url string)
	body int64 // largest

	requests int  // most of one row of the protocol table; 0: any number, which takes a minute at one of the doors
	oneValue bool // of a header that is sent twice the last value counts
}

var ways = []way{
	{"HTTP API", door(lambdagate.HTTPAPI, nil, "/files/"), 4 << 20, 2000, false},
	{"HTTP API with a stage", door(lambdagate.HTTPAPI, &lambdagate.DoorOptions{Stage: "dev"}, "/dev/files/"), 4 << 20, 2000, false},
	{"REST API", door(lambdagate.RESTAPI, nil, "/prod/files/"), 4 << 20, 2000, false},
	{"Function URL", door(lambdagate.FunctionURL, nil, "/files/"), 4 << 20, 0, false},
	{"ALB", door(lambdagate.ALB, nil, "/files/"), 1 << 20, 2000, true},
	{"ALB with multi-value headers", door(lambdagate.ALB, &lambdagate.DoorOptions{MultiValue: true}, "/files/"), 1 << 20, 2000, false},
}

// tail keeps the end of what a function prints.
type tail struct {
	mu sync.Mutex
	b  []byte
}

func (l *tail) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.b = append(l.b, p...)
	if n := len(l.b); n > 1<<16 {
		l.b = slices.Clone(l.b[n-1<<15:])
	}
	return len(p), nil
}

func (l *tail) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.b[max(0, len(l.b)-6000):])
}
