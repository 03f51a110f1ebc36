// Lambdalocal runs the Lambda function on this machine: the unmodified binary, behind the four services that can call it, with a
// real S3 server and a DynamoDB server. It is for trying out clients by hand; `make lambda-local` starts it. Everything
// listens on 127.0.0.1, what is uploaded is gone at the end, and an interrupt ends all that was started.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/fileloft/fileloft/internal/lambdagate"
	"github.com/fileloft/fileloft/internal/servers"
	"github.com/fileloft/fileloft/state/dynamostate"
)

// options are the command line.
type options struct {
	http, rest, url, alb int
	stage                string
	instances            int
	kill, sweep          time.Duration
	settings             []string
}

func main() {
	var o options
	flag.IntVar(&o.http, "http", 8081, "port of the HTTP API; 0 takes any")
	flag.IntVar(&o.rest, "rest", 8082, "port of the REST API")
	flag.IntVar(&o.url, "url", 8083, "port of the Function URL")
	flag.IntVar(&o.alb, "alb", 8084, "port of the load balancer")
	flag.StringVar(&o.stage, "stage", "", "stage of the HTTP API (default $default)")
	flag.IntVar(&o.instances, "instances", 10, "most instances at once; a request beyond them is throttled")
	flag.DurationVar(&o.kill, "kill", 0, "kill an instance at random so often; 0 never does")
	flag.DurationVar(&o.sweep, "sweep", 10*time.Minute, "send a schedule event so often; 0 never does")
	flag.Func("set", "a setting of the function, FILELOFT_NAME=value; may be repeated", func(s string) error {
		o.settings = append(o.settings, s)
		return nil
	})
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Stdout, &o); err != nil {
		fmt.Fprintln(os.Stderr, "lambdalocal:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends, and ends all that it has started.
func run(ctx context.Context, out io.Writer, o *options) error {
	dir, err := os.MkdirTemp("", "fileloft-lambda-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	fmt.Fprintln(out, "building ./functions/lambda")
	binary, err := build(ctx, dir)
	if err != nil {
		return err
	}
	// The servers outlive the interrupt: the function's last requests still need them.
	background, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	env, stopServers, err := stores(background, filepath.Join(dir, "s3"))
	if err != nil {
		return err
	}
	defer stopServers()
	f := lambdagate.New(binary, &lambdagate.Options{
		Env: append(env, o.settings...), MaxInstances: o.instances, Timeout: 30 * time.Second, Log: os.Stderr,
	})
	defer f.Close()
	every(ctx, o.kill, func() {
		if v := f.KillRandom(); v.PID != 0 {
			fmt.Fprintf(out, "killed instance %d, at work: %v\n", v.PID, v.Busy)
		}
	})
	every(ctx, o.sweep, func() {
		answer, err := f.Invoke(ctx, []byte(`{"source":"aws.events","detail-type":"Scheduled Event","detail":{}}`))
		fmt.Fprintf(out, "sweep: %s %v\n", answer, err)
	})
	return o.serve(ctx, out, f)
}

// every calls do at intervals until ctx ends.
func every(ctx context.Context, interval time.Duration, do func()) {
	if interval <= 0 {
		return
	}
	go func() {
		tick := time.NewTicker(interval)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				do()
			}
		}
	}()
}

// build makes the function's binary as make package does, for this machine.
func build(ctx context.Context, dir string) (string, error) {
	binary := filepath.Join(dir, "bootstrap")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-tags", "lambda.norpc", "-o", binary, "./functions/lambda")
	cmd.Env = append(cmd.Environ(), "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %w", cmd, err)
	}
	return binary, nil
}

const bucket, table = "uploads", "fileloft"

// stores starts the servers, makes the bucket and the table, and returns the function's environment for them.
func stores(ctx context.Context, dir string) (env []string, stop func(), err error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, nil, err
	}
	objects, server, err := servers.StartS3(ctx, dir)
	if err != nil {
		return nil, nil, err
	}
	records, err := servers.StartDynamoDB(ctx)
	if err != nil {
		objects.Stop()
		return nil, nil, err
	}
	stop = func() {
		objects.Stop()
		records.Stop()
	}
	endpoint := "http://" + records.Addr
	_, err = server.Client().CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String(bucket)})
	if err == nil {
		err = dynamostate.CreateTable(ctx, dynamodb.New(dynamodb.Options{
			Region: "us-east-1", BaseEndpoint: &endpoint, Credentials: credentials.NewStaticCredentialsProvider("x", "x", ""),
		}), table)
	}
	if err != nil {
		stop()
		return nil, nil, err
	}
	return []string{
		"AWS_ACCESS_KEY_ID=" + server.Access, "AWS_SECRET_ACCESS_KEY=" + server.Secret,
		"FILELOFT_S3_BUCKET=" + bucket, "FILELOFT_S3_ENDPOINT=" + server.URL, "FILELOFT_S3_FORCE_PATH_STYLE=true", "FILELOFT_S3_REGION=us-east-1",
		"FILELOFT_DYNAMODB_TABLE=" + table, "FILELOFT_DYNAMODB_ENDPOINT=" + endpoint,
		"FILELOFT_ENABLE_DOWNLOAD=true", "FILELOFT_ENABLE_CONCATENATION=true",
	}, stop, nil
}

// serve opens the doors, tells where they are, and closes them when ctx ends.
func (o *options) serve(ctx context.Context, out io.Writer, f *lambdagate.Function) error {
	below := "/"
	if o.stage != "" {
		below = "/" + o.stage + "/"
	}
	doors := []struct {
		name, path string
		port       int
		handler    http.Handler
	}{
		{"HTTP API", below + "files/", o.http, lambdagate.HTTPAPI(f, &lambdagate.DoorOptions{Stage: o.stage})},
		{"REST API", "/prod/files/", o.rest, lambdagate.RESTAPI(f, nil)},
		{"Function URL", "/files/", o.url, lambdagate.FunctionURL(f, nil)},
		{"load balancer", "/files/", o.alb, lambdagate.ALB(f, nil)},
	}
	failed := make(chan error, len(doors))
	first := ""
	for _, d := range doors {
		ln, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(d.port)))
		if err != nil {
			return err
		}
		srv := &http.Server{Handler: d.handler, ReadHeaderTimeout: time.Minute}
		defer srv.Close()
		go func() { failed <- srv.Serve(ln) }()
		url := "http://" + ln.Addr().String() + d.path
		if first == "" {
			first = url
		}
		fmt.Fprintf(out, "%-14s %s\n", d.name, url)
	}
	fmt.Fprintf(out, `
Requests take 4 MiB, at the load balancer 1 MiB. For instance:
  node tools/js/upload.mjs FILE %[1]s 4194304
  curl -i -X POST -H 'Tus-Resumable: 1.0.0' -H 'Upload-Length: 5' -H 'Content-Type: application/offset+octet-stream' -d hello %[1]s
An interrupt ends it.
`, first)
	select {
	case <-ctx.Done():
		return nil
	case err := <-failed:
		if errors.Is(err, http.ErrServerClosed) {
			return nil
		}
		return err
	}
}
