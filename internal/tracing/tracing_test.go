package tracing_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/fileloft/fileloft/internal/app"
	"github.com/fileloft/fileloft/internal/tracing"
	"github.com/fileloft/fileloft/internal/watch"
	"github.com/fileloft/fileloft/state/memstate"
	"github.com/fileloft/fileloft/storage/memstore"
	"github.com/fileloft/fileloft/tus"
)

// A collector takes traces by OTLP over HTTP.
type collector struct {
	*httptest.Server
	mu       sync.Mutex
	spans    []*tracepb.Span
	resource string // the service's name
	auth     string
}

func newCollector(t *testing.T) *collector {
	c := &collector{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var data tracepb.TracesData // as ExportTraceServiceRequest on the wire
		if err == nil {
			err = proto.Unmarshal(body, &data)
		}
		if err != nil || r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/x-protobuf" {
			t.Errorf("%s %s: %v", r.URL, r.Header.Get("Content-Type"), err)
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.auth = r.Header.Get("Authorization")
		for _, rs := range data.GetResourceSpans() {
			for _, a := range rs.GetResource().GetAttributes() {
				if a.GetKey() == "service.name" {
					c.resource = a.GetValue().GetStringValue()
				}
			}
			for _, ss := range rs.GetScopeSpans() {
				c.spans = append(c.spans, ss.GetSpans()...)
			}
		}
	}))
	t.Cleanup(c.Close)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", c.URL)
	return c
}

// named returns the spans of a name.
func (c *collector) named(name string) (found []*tracepb.Span) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.spans {
		if s.GetName() == name {
			found = append(found, s)
		}
	}
	return found
}

func attr(s *tracepb.Span, key string) any {
	for _, a := range s.GetAttributes() {
		if a.GetKey() == key {
			if v, ok := a.GetValue().GetValue().(*commonpb.AnyValue_IntValue); ok {
				return v.IntValue
			}
			return a.GetValue().GetStringValue()
		}
	}
	return nil
}

// traced returns a server whose requests are traced, and what sends the spans away.
func traced(t *testing.T, storage tus.Storage, out io.Writer) (*app.App, func()) {
	t.Helper()
	c, err := app.Load(app.Env{"FILELOFT_LOG_LEVEL=debug"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(tracing.Logs(app.NewLogger(out, c).Handler()))
	tr, err := tracing.New(t.Context(), "v1", os.LookupEnv, log)
	if err != nil {
		t.Fatal(err)
	}
	a, err := app.New(c, memstate.New(nil), storage, &app.Options{Log: log, Watch: tr})
	if err != nil {
		t.Fatal(err)
	}
	return a, func() {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if err := tr.Close(ctx); err != nil {
			t.Error(err)
		}
	}
}

func send(a http.Handler, method, path, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	header = append(header, "Tus-Resumable", "1.0.0", "Content-Type", "application/offset+octet-stream")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)
	return w
}

func create(t *testing.T, a http.Handler, length string) string {
	t.Helper()
	w := send(a, http.MethodPost, "/files/", "", "Upload-Length", length)
	if w.Code != http.StatusCreated {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	return strings.TrimPrefix(w.Header().Get("Location"), "http://example.com")
}

func TestARequestAndItsStepsAreOneTrace(t *testing.T) {
	c := newCollector(t)
	t.Setenv("OTEL_SERVICE_NAME", "uploads")
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "Authorization=Bearer%20hunter2")
	var log bytes.Buffer
	a, flush := traced(t, memstore.New(nil), &log)
	path := create(t, a, "5")
	log.Reset()
	const trace, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	if w := send(a, http.MethodPatch, path, "hello", "Upload-Offset", "0", "Traceparent", "00-"+trace+"-"+parent+"-01"); w.Code != http.StatusNoContent {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	send(a, http.MethodGet, "/healthz", "")
	flush()
	if c.resource != "uploads" || c.auth != "Bearer hunter2" {
		t.Errorf("the OTEL_ variables do not count: %q %q", c.resource, c.auth)
	}
	requests := c.named("PATCH /files/{id}")
	if len(requests) != 1 {
		t.Fatalf("%d spans for one request; there are %v", len(requests), c.spans)
	}
	r := requests[0]
	if hex.EncodeToString(r.GetTraceId()) != trace || hex.EncodeToString(r.GetParentSpanId()) != parent || r.GetKind() != tracepb.Span_SPAN_KIND_SERVER {
		t.Errorf("the client's trace is not continued: %v", r)
	}
	if attr(r, "fileloft.upload") != strings.TrimPrefix(path, "/files/") || attr(r, "http.response.status_code") != int64(204) {
		t.Errorf("%v", r.GetAttributes())
	}
	// acquire, append, commit as sealed, complete, commit as done
	for name, n := range map[string]int{"state.acquire": 1, "storage.append": 1, "state.commit": 2, "storage.complete": 1} {
		got := 0
		for _, s := range c.named(name) {
			if !bytes.Equal(s.GetTraceId(), r.GetTraceId()) {
				continue
			}
			if got++; !bytes.Equal(s.GetParentSpanId(), r.GetSpanId()) {
				t.Errorf("%s is not the request's child", name)
			}
			if s.GetStartTimeUnixNano() < r.GetStartTimeUnixNano() || s.GetEndTimeUnixNano() > r.GetEndTimeUnixNano() {
				t.Errorf("%s is not within its request", name)
			}
		}
		if got != n {
			t.Errorf("%d times %s, want %d", got, name, n)
		}
	}
	if len(c.named("GET /healthz")) != 0 {
		t.Error("health checks are traced")
	}
	var line map[string]any
	if err := json.NewDecoder(&log).Decode(&line); err != nil || line["trace_id"] != trace || line["span_id"] != hex.EncodeToString(r.GetSpanId()) {
		t.Errorf("the log line does not lead to the trace: %v %v", line, err)
	}
}

func TestWhatIsToBeExpectedIsNoError(t *testing.T) {
	c := newCollector(t)
	a, flush := traced(t, full{memstore.New(nil)}, io.Discard)
	path := create(t, a, "5")
	send(a, http.MethodPatch, path, "hello", "Upload-Offset", "3")
	send(a, http.MethodPatch, path, "hello", "Upload-Offset", "0")
	if _, err := a.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	flush()
	for _, s := range c.named("state.acquire") {
		if s.GetStatus().GetCode() == tracepb.Status_STATUS_CODE_ERROR {
			t.Errorf("a refusal is an error: %v", s)
		}
	}
	failed := c.named("storage.append")
	if len(failed) != 1 || failed[0].GetStatus().GetCode() != tracepb.Status_STATUS_CODE_ERROR || len(failed[0].GetEvents()) != 1 {
		t.Errorf("a full disk is no error: %v", failed)
	}
	errors := 0
	for _, s := range c.named("PATCH /files/{id}") {
		if s.GetStatus().GetCode() == tracepb.Status_STATUS_CODE_ERROR {
			errors++
		}
	}
	if errors != 1 {
		t.Errorf("%d requests ended in an error, want the one with 507", errors)
	}
	if sweeps := c.named("sweep"); len(sweeps) != 1 || len(sweeps[0].GetParentSpanId()) != 0 {
		t.Errorf("%v", sweeps)
	}
}

// full is a storage without space.
type full struct{ tus.Storage }

func (full) Append(context.Context, tus.Lease, io.Reader) (tus.Receipt, error) {
	return tus.Receipt{}, tus.ErrNoSpace
}

func (f full) Unwrap() tus.Storage { return f.Storage }

// chatty is a storage that sends a request for each Append, as one in a cloud does.
type chatty struct {
	tus.Storage
	client watch.Doer
	url    string
}

func (c chatty) Append(ctx context.Context, l tus.Lease, r io.Reader) (tus.Receipt, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, c.url+"/b/k?partNumber=1&x-id=UploadPart", nil)
	if err != nil {
		return tus.Receipt{}, err
	}
	resp, err := c.client.Do(req)
	if err != nil {
		return tus.Receipt{}, err
	}
	_ = resp.Body.Close()
	return c.Storage.Append(ctx, l, r)
}

func TestARequestToTheCloudIsAChildOfItsStep(t *testing.T) {
	c := newCollector(t)
	cloud := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer cloud.Close()
	a, flush := traced(t, chatty{memstore.New(nil), watch.Client("s3", cloud.Client()), cloud.URL}, io.Discard)
	send(a, http.MethodPatch, create(t, a, "5"), "hello", "Upload-Offset", "0")
	flush()
	parts, steps := c.named("s3 UploadPart"), c.named("storage.append")
	if len(parts) != 1 || len(steps) != 1 || !bytes.Equal(parts[0].GetParentSpanId(), steps[0].GetSpanId()) || parts[0].GetKind() != tracepb.Span_SPAN_KIND_CLIENT {
		t.Errorf("%v\n%v", parts, steps)
	}
}

func TestACollectorThatIsNotThereCostsALineInTheLog(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
	t.Setenv("OTEL_TRACES_SAMPLER", "nosuch")
	var log bytes.Buffer
	h := slog.NewTextHandler(&log, nil)
	tr, err := tracing.New(t.Context(), "v1", os.LookupEnv, slog.New(h))
	if err != nil {
		t.Fatal(err)
	}
	tr.End(tr.Begin(t.Context(), &watch.Sweep{}), &watch.Sweep{})
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond) // else it is tried again
	defer cancel()
	if err := tr.Close(ctx); err == nil && !strings.Contains(log.String(), "127.0.0.1:1") {
		t.Errorf("spans are lost in silence: %s", &log)
	}
	if !strings.Contains(log.String(), "nosuch") {
		t.Errorf("the log does not have the variable that is not understood: %s", &log)
	}
}
