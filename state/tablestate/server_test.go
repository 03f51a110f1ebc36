package tablestate_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/data/aztables"

	"github.com/fileloft/fileloft/state/tablestate"
	"github.com/fileloft/fileloft/tus"
)

// wire lies between the client library and the server, below its retries. It counts requests, can lose them, and refuses
// transactions as Azure does and Azurite does not.
type wire struct {
	mu    sync.Mutex
	calls []string
	last  string // address
	fault func(call string) fault
}

// A fault is what the network or Azure does to a request.
type fault struct {
	status int    // of Azure's answer; 0: none
	code   string // of that answer
	cut    bool   // the connection breaks
	late   bool   // the request is made, and its answer lost
	hang   bool   // the error comes when the caller has given up
}

// What requests are called here.
const (
	read    = "read"
	query   = "query"
	insert  = "insert"
	replace = "replace"
	remove  = "delete"
	batch   = "batch"
)

func name(r *http.Request) string {
	one := strings.Contains(r.URL.Path, "PartitionKey=")
	switch {
	case r.Method == http.MethodGet && one:
		return read
	case r.Method == http.MethodGet:
		return query
	case r.Method == http.MethodPut:
		return replace
	case r.Method == http.MethodDelete:
		return remove
	case strings.HasSuffix(r.URL.Path, "$batch"):
		return batch
	}
	return insert
}

var errCut = errors.New("injected: the connection broke")

// Do passes a request on, or not; see [policy.Policy].
func (w *wire) Do(req *policy.Request) (*http.Response, error) {
	call := name(req.Raw())
	w.mu.Lock()
	w.calls = append(w.calls, call)
	w.last = req.Raw().URL.String()
	var f fault
	if w.fault != nil {
		f = w.fault(call)
	}
	w.mu.Unlock()
	if call == batch && f.status == 0 && !onePartition(req) {
		f = fault{status: http.StatusBadRequest, code: "CommandsInBatchActOnDifferentPartitions"}
	}
	if f == (fault{}) {
		return req.Next()
	}
	if f.late {
		res, err := req.Next()
		if err != nil {
			return res, err
		}
		res.Body.Close()
	}
	switch {
	case f.hang:
		<-req.Raw().Context().Done()
		return nil, req.Raw().Context().Err()
	case f.status == 0:
		return nil, &brokenError{}
	}
	body := fmt.Sprintf(`{"odata.error":{"code":%q,"message":{"lang":"en-US","value":"injected\nRequestId:1"}}}`, f.code)
	return &http.Response{
		StatusCode: f.status, Status: http.StatusText(f.status), Header: http.Header{}, Request: req.Raw(),
		Body: io.NopCloser(strings.NewReader(body)),
	}, nil
}

var partitionKey = regexp.MustCompile(`PartitionKey(?:='|=%27|":")(\w+)`)

// onePartition reports whether a transaction is what Azure takes. Azurite takes others too.
func onePartition(req *policy.Request) bool {
	body, err := io.ReadAll(req.Body())
	if err != nil || req.RewindBody() != nil {
		return false
	}
	keys := map[string]bool{}
	for _, m := range partitionKey.FindAllSubmatch(body, -1) {
		keys[string(m[1])] = true
	}
	return len(keys) == 1
}

// brokenError is what the standard library reports of a broken connection, for what this package looks at.
type brokenError struct{}

func (*brokenError) Error() string   { return errCut.Error() }
func (*brokenError) Timeout() bool   { return false }
func (*brokenError) Temporary() bool { return false }

// since returns the requests made since the last time it was asked.
func (w *wire) since() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	calls := w.calls
	w.calls = nil
	return calls
}

// plan sets what happens to the next requests.
func (w *wire) plan(f func(call string) fault) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fault = f
}

// script lets the next requests fail in this order, and then none.
func (w *wire) script(faults ...fault) {
	w.plan(func(string) fault {
		if len(faults) == 0 {
			return fault{}
		}
		f := faults[0]
		faults = faults[1:]
		return f
	})
}

var tables atomic.Int64

// connect returns a client of a table.
func connect(t testing.TB, conn, table string, w *wire) *aztables.Client {
	t.Helper()
	opt := &aztables.ClientOptions{ClientOptions: azcore.ClientOptions{PerRetryPolicies: []policy.Policy{w}}}
	return try(aztables.NewServiceClientFromConnectionString(conn, opt))(t).NewClient(table)
}

// open returns a state in an empty table.
func open(t testing.TB, conn string, opt *tablestate.Options) (*tablestate.Store, *aztables.Client, *wire) {
	t.Helper()
	w := &wire{}
	client := connect(t, conn, fmt.Sprintf("test%d", tables.Add(1)), w)
	noError(t, tablestate.CreateTable(t.Context(), client))
	w.since()
	return try(tablestate.New(client, opt))(t), client, w
}

// called ends the test where other requests were made than these.
func called(t *testing.T, w *wire, what string, want ...string) {
	t.Helper()
	if got := w.since(); !slices.Equal(got, want) {
		t.Errorf("%s made the requests %q, want %q", what, got, want)
	}
}

// entity reads an entity as it lies in the table.
func entity(t testing.TB, client *aztables.Client, id tus.ID) map[string]any {
	t.Helper()
	var e aztables.EDMEntity
	noError(t, e.UnmarshalJSON(try(client.GetEntity(t.Context(), tablestate.PartitionOf(id), "upload-"+string(id), nil))(t).Value))
	return e.Properties
}

// index returns the row keys of the index, of all partitions.
func index(t testing.TB, client *aztables.Client) []string {
	t.Helper()
	var found []string
	filter := "RowKey ge 'due-' and RowKey lt 'due.'"
	for p := client.NewListEntitiesPager(&aztables.ListEntitiesOptions{Filter: &filter}); p.More(); {
		for _, b := range try(p.NextPage(t.Context()))(t).Entities {
			var e aztables.EDMEntity
			noError(t, e.UnmarshalJSON(b))
			found = append(found, e.RowKey)
		}
	}
	slices.Sort(found)
	return found
}

// seeds is how many random sequences a suite runs: STATE_SEEDS, or n. Each takes forty calls and as many reads.
func seeds(t *testing.T, n int) int {
	if s := os.Getenv("STATE_SEEDS"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil || n < 1 {
			t.Fatalf("STATE_SEEDS=%s is no number of sequences", s)
		}
	}
	t.Logf("%d random sequences (STATE_SEEDS changes that)", n)
	return n
}

// atOnce sends requests again as often as the default does, nearly without waiting. (A RetryDelay below zero should mean none. In
// the library of this version it overflows to the longest.)
func atOnce() *policy.RetryOptions {
	return &policy.RetryOptions{MaxRetries: 8, TryTimeout: 4 * time.Second, RetryDelay: 1, MaxRetryDelay: time.Millisecond}
}

func claim(ttl time.Duration, slots uint32) tus.Claim {
	return tus.Claim{Offset: tus.AnyOffset, TTL: ttl, Slots: slots, Nonce: tus.NewNonce()}
}

func refused(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
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
