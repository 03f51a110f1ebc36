package lambdagate

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

// This test program, started again with this variable, is the function under test: it does what the event's query parameter "do"
// says, and answers with the event.
const role = "LAMBDAGATE_TEST_FUNCTION"

func TestMain(m *testing.M) {
	if os.Getenv(role) != "" {
		if os.Getenv("TEST_INIT") == "crash" {
			os.Exit(7)
		}
		lambda.Start(echo{})
	}
	os.Exit(m.Run())
}

type echo struct{}

var invocations int

func (echo) Invoke(ctx context.Context, event []byte) ([]byte, error) {
	invocations++
	var e struct {
		Query map[string]string `json:"queryStringParameters"`
		Multi map[string][]string
	}
	_ = json.Unmarshal(event, &e)
	verb, arg, _ := strings.Cut(e.Query["do"], ":")
	n, _ := strconv.Atoi(arg)
	switch verb {
	case "sleep":
		time.Sleep(time.Duration(n) * time.Millisecond)
	case "exit":
		os.Exit(n)
	case "error":
		return nil, errors.New("as told")
	case "tick": // what goes on when the answer is out
		go func() {
			for {
				fmt.Println("tick")
				time.Sleep(10 * time.Millisecond)
			}
		}()
	case "bytes":
		return json.Marshal(map[string]any{"statusCode": 200, "body": strings.Repeat("x", n)})
	case "raw":
		return []byte(arg), nil
	case "env":
		return json.Marshal(os.Environ())
	case "context":
		lc, _ := lambdacontext.FromContext(ctx)
		deadline, _ := ctx.Deadline()
		return json.Marshal(map[string]any{"id": lc.AwsRequestID, "arn": lc.InvokedFunctionArn, "left": time.Until(deadline).Milliseconds()})
	case "count":
		return json.Marshal(map[string]any{"pid": os.Getpid(), "count": invocations})
	}
	return json.Marshal(map[string]any{
		"statusCode": 200, "headers": map[string]string{"content-type": "application/json"}, "body": string(event),
	})
}

// log collects what the instances print.
type log struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *log) count(s string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.buf.String(), s)
}

// deploy makes this program the function.
func deploy(t *testing.T, opt Options) *Function {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	opt.Env = append(opt.Env, role+"=1")
	f := New(self, &opt)
	t.Cleanup(f.Close)
	return f
}

// do is a direct invocation's event.
func do(what string) []byte {
	b, _ := json.Marshal(map[string]any{"queryStringParameters": map[string]string{"do": what}})
	return b
}

// count asks an instance who it is and how often it was used.
func count(t *testing.T, f *Function) (pid, n int) {
	t.Helper()
	b, err := f.Invoke(t.Context(), do("count"))
	if err != nil {
		t.Fatal(err)
	}
	var a struct{ PID, Count int }
	if err := json.Unmarshal(b, &a); err != nil {
		t.Fatal(err)
	}
	return a.PID, a.Count
}

// open serves a door.
func open(t *testing.T, h http.Handler) string {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return srv.URL
}

// call sends one request, with headers in pairs. A "Host" goes where it belongs.
func call(t *testing.T, method, url, body string, headers ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(b)
}
