package dynamostate_test

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/fileloft/fileloft/internal/servers"
	"github.com/fileloft/fileloft/state/dynamostate"
	"github.com/fileloft/fileloft/state/statetest"
	"github.com/fileloft/fileloft/tus"
)

// wire is the HTTP client below the SDK. It counts calls by their operation and can lose requests and answers.
type wire struct {
	mu    sync.Mutex
	calls []string
	body  string                       // of the last call
	fault func(operation string) fault // nil: none
}

type fault int

const (
	none fault = iota
	loseRequest
	loseAnswer
	throttle
	hang // the request is made, the answer never comes
)

func (w *wire) Do(req *http.Request) (*http.Response, error) {
	_, operation, _ := strings.Cut(req.Header.Get("X-Amz-Target"), ".")
	sent, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	req.Body = io.NopCloser(bytes.NewReader(sent))
	w.mu.Lock()
	w.calls, w.body = append(w.calls, operation), string(sent)
	f := none
	if w.fault != nil {
		f = w.fault(operation)
	}
	w.mu.Unlock()
	switch f {
	case loseRequest:
		return nil, errCut
	case throttle:
		return refusal(req), nil
	}
	res, err := http.DefaultClient.Do(req)
	switch {
	case err != nil || f == none:
		return res, err
	case f == hang:
		res.Body.Close()
		<-req.Context().Done()
		return nil, req.Context().Err()
	}
	res.Body.Close()
	return nil, errCut
}

// errCut is a connection that breaks.
var errCut error = cut{}

type cut struct{}

func (cut) Error() string         { return "the connection was cut" }
func (cut) ConnectionError() bool { return true }

// refusal is how DynamoDB throttles.
func refusal(req *http.Request) *http.Response {
	body := `{"__type":"com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException","message":"slow down"}`
	return &http.Response{
		StatusCode: 400, Request: req, Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}},
		Body: readCloser{strings.NewReader(body)}, ContentLength: int64(len(body)),
	}
}

type readCloser struct{ *strings.Reader }

func (readCloser) Close() error { return nil }

// since returns the calls made since the last time it was asked.
func (w *wire) since() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	calls := w.calls
	w.calls = nil
	return slices.DeleteFunc(calls, func(s string) bool { return s == "" })
}

// plan sets what happens to the next calls.
func (w *wire) plan(f func(operation string) fault) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fault = f
}

// script lets the next calls fail in this order, and then none.
func (w *wire) script(faults ...fault) {
	w.plan(func(string) fault {
		if len(faults) == 0 {
			return none
		}
		f := faults[0]
		faults = faults[1:]
		return f
	})
}

const table = "uploads"

// connect returns a client of a server.
func connect(url string, over aws.HTTPClient) *dynamodb.Client {
	return dynamodb.New(dynamodb.Options{
		Region: "eu-central-1", BaseEndpoint: &url, HTTPClient: over,
		Credentials: credentials.NewStaticCredentialsProvider("id", "secret", ""),
	})
}

// open returns a state in a fresh table of a fresh server.
func open(t testing.TB, opt *dynamostate.Options) (*dynamostate.Store, *dynamodb.Client, *wire) {
	t.Helper()
	w := &wire{}
	client := connect(servers.DynamoDB(t), w)
	if err := dynamostate.CreateTable(t.Context(), client, table); err != nil {
		t.Fatal(err)
	}
	w.since()
	return dynamostate.New(client, table, opt), client, w
}

// seeds is how many random sequences TestStore runs where -short is not set: STATE_SEEDS, or enough for a run of some
// seconds. Each takes forty calls and as many reads, over HTTP.
func seeds(t *testing.T) int {
	n := 1200 // the slips that ADR 2 tells of show by seed 1125
	if testing.Short() {
		n = 50
	}
	if s := os.Getenv("STATE_SEEDS"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil || n < 1 {
			t.Fatalf("STATE_SEEDS=%s is no number of sequences", s)
		}
	}
	t.Logf("%d random sequences (STATE_SEEDS changes that)", n)
	return n
}

func TestStore(t *testing.T) {
	statetest.Run(t, func(t testing.TB, now func() time.Time) tus.State {
		st, _, _ := open(t, &dynamostate.Options{Now: now})
		return st
	}, &statetest.Options{Seeds: seeds(t)})
}

func claim(ttl time.Duration, slots uint32) tus.Claim {
	return tus.Claim{Offset: tus.AnyOffset, TTL: ttl, Slots: slots, Nonce: tus.NewNonce()}
}

// try returns what a call returned, or ends the test where it failed: try(f())(t).
func try[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		noError(t, err)
		return v
	}
}

func noError(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
