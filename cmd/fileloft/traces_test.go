package main

import (
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/fileloft/fileloft/internal/servers"
)

// spans is what a collector was sent.
type spans struct {
	url string
	mu  sync.Mutex
	all []*tracepb.Span
}

func collect(t *testing.T) *spans {
	c := &spans{}
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var data tracepb.TracesData // as ExportTraceServiceRequest on the wire
		if err := proto.Unmarshal(body, &data); err != nil {
			t.Error(err)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, rs := range data.GetResourceSpans() {
			for _, ss := range rs.GetScopeSpans() {
				c.all = append(c.all, ss.GetSpans()...)
			}
		}
	}))
	t.Cleanup(srv.Close)
	c.url = srv.URL
	return c
}

func TestTracesOfTheBinary(t *testing.T) {
	t.Parallel()
	for _, on := range []bool{true, false} {
		t.Run(fmt.Sprintf("on is %v", on), func(t *testing.T) {
			t.Parallel()
			c := collect(t)
			s := serve(t, command(t, []string{"FILELOFT_DATA_DIR=d", fmt.Sprintf("FILELOFT_ENABLE_TRACES=%v", on), "OTEL_EXPORTER_OTLP_ENDPOINT=" + c.url}))
			const trace = "0af7651916cd43dd8448eb211c80319c"
			path := create(t, s, 5)
			s.request(http.MethodPatch, path, []byte("hello"), "Upload-Offset", "0", "Traceparent", "00-"+trace+"-b7ad6b7169203331-01")
			if status := s.stop(); status != 0 {
				t.Errorf("exit status %d: %v", status, s.log)
			}
			if !on {
				if len(c.all) != 0 {
					t.Errorf("traces are sent that nobody asked for: %v", c.all)
				}
				return
			}
			names, root := map[string]int{}, ""
			for _, span := range c.all {
				if hex.EncodeToString(span.GetTraceId()) != trace {
					continue
				}
				names[span.GetName()]++
				if span.GetKind() == tracepb.Span_SPAN_KIND_SERVER {
					root = hex.EncodeToString(span.GetSpanId())
				}
			}
			if names["PATCH /files/{id}"] != 1 || names["state.acquire"] != 1 || names["storage.append"] != 1 || names["storage.complete"] != 1 {
				t.Errorf("spans in the client's trace: %v", names)
			}
			for _, line := range s.log {
				if line["msg"] == "request" && line["method"] == "PATCH" && (line["trace_id"] != trace || line["span_id"] != root) {
					t.Errorf("the log does not lead to the trace: %v", line)
				}
			}
		})
	}
}

func TestABadVariableOfTheCollectorStopsTheStart(t *testing.T) {
	t.Parallel()
	r := run1(t, []string{"FILELOFT_BIND=127.0.0.1:0", "FILELOFT_DATA_DIR=d", "FILELOFT_ENABLE_TRACES=1", "FILELOFT_LOG_LEVEL=off", "OTEL_EXPORTER_OTLP_ENDPOINT=collector:4317"})
	if r.status != 1 || !strings.HasPrefix(r.stderr, "fileloft: OTEL_EXPORTER_OTLP_ENDPOINT: want ") || strings.Count(r.stderr, "\n") != 1 {
		t.Errorf("%+v", r)
	}
}

func TestLogLinesOfTheBinaryCarryIDs(t *testing.T) {
	t.Parallel()
	s := serve(t, command(t, []string{"FILELOFT_DATA_DIR=d", "FILELOFT_LOG_LEVEL=debug"}))
	path := create(t, s, 5)
	s.request(http.MethodPatch, path, []byte("x"), "Upload-Offset", "3", "X-Request-ID", "mine-1")
	s.stop()
	messages := map[any]int{}
	for _, line := range s.log {
		if line["method"] == nil {
			continue
		}
		messages[line["msg"]]++
		if line["upload"] != strings.TrimPrefix(path, "/files/") || line["request_id"] == nil || line["method"] == http.MethodPatch && line["request_id"] != "mine-1" {
			t.Errorf("%v", line)
		}
	}
	if messages["request"] != 2 || messages["tus: request refused"] != 1 {
		t.Errorf("lines about requests: %v", messages)
	}
}

// Secrets in all the ways that they can be given, and what is logged about them.
func TestSecretsAreInNoLog(t *testing.T) {
	t.Parallel()
	const key = "aHVudGVyMmh1bnRlcjJodW50ZXIyaHVudGVyMmh1bnRlcjI="
	env := []string{
		"FILELOFT_DATA_DIR=d", "FILELOFT_LOG_LEVEL=trace",
		"FILELOFT_AZURE_CONNECTION_STRING=AccountName=a;AccountKey=" + key, "AZURE_STORAGE_CONNECTION_STRING=AccountKey=" + key,
		"FILELOFT_HOOKS_URL=http://127.0.0.1:1/hook?key=" + key, "FILELOFT_HOOKS_SECRET=whsec_" + key,
		"FILELOFT_HOOKS_HEADERS=Authorization=Bearer%20" + strings.TrimRight(key, "="), "FILELOFT_HOOKS_EVENTS=finished", "FILELOFT_HOOKS_ATTEMPTS=1",
		"AWS_SECRET_ACCESS_KEY=" + key, "OTEL_EXPORTER_OTLP_HEADERS=Authorization=" + strings.TrimRight(key, "="),
		"OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1", "FILELOFT_ENABLE_TRACES=1", "FILELOFT_UNKNOWN_THING=" + key,
	}
	s := serve(t, command(t, env))
	path := create(t, s, 5)
	s.request(http.MethodPatch, path, []byte("hello"), "Upload-Offset", "0", "Authorization", "Bearer "+key, "Cookie", key)
	s.request(http.MethodGet, path+"?token="+key, nil)
	s.stop()
	text := fmt.Sprint(s.log)
	if strings.Contains(text, strings.TrimRight(key, "=")) || !strings.Contains(text, "azure-connection-string:(set)") || !strings.Contains(text, "/files/") {
		t.Errorf("a secret is in the log, or what should be there is not:\n%s", text)
	}
	for _, bad := range []string{"FILELOFT_HOOKS_SECRET=whsec!" + key, "FILELOFT_S3_ENDPOINT=http://user:" + strings.TrimRight(key, "=") + "@s3.example"} {
		if r := inside(t, []string{bad}); r.status != 2 || strings.Contains(r.stderr, strings.TrimRight(key, "=")) {
			t.Errorf("%+v", r)
		}
	}
}

// On a real server of S3: each part of a body is a span within its step, and each request is counted.
func TestPartsAreSpansWithinTheirStep(t *testing.T) {
	if testing.Short() {
		t.Skip("real servers do not run under -short")
	}
	t.Parallel()
	c, s3 := collect(t), servers.S3(t)
	s := serve(t, command(t, []string{
		"FILELOFT_STORAGE=s3", "FILELOFT_STATE=memory", "FILELOFT_S3_BUCKET=" + s3.Bucket(t, "uploads"), "FILELOFT_S3_ENDPOINT=" + s3.URL,
		"FILELOFT_S3_REGION=us-east-1", "FILELOFT_S3_FORCE_PATH_STYLE=true", "FILELOFT_S3_PART_SIZE=5MiB",
		"AWS_ACCESS_KEY_ID=" + s3.Access, "AWS_SECRET_ACCESS_KEY=" + s3.Secret,
		"FILELOFT_METRICS_BIND=127.0.0.1:0", "FILELOFT_ENABLE_TRACES=1", "OTEL_EXPORTER_OTLP_ENDPOINT=" + c.url,
	}))
	const size = 12 << 20
	path := create(t, s, size)
	if resp := s.request(http.MethodPatch, path, randomBytes(size), "Upload-Offset", "0"); resp.StatusCode != http.StatusNoContent {
		t.Fatal(resp.Status)
	}
	requests := s.value("client_requests_total", "service", "s3", "code", "200") + s.value("client_requests_total", "service", "s3", "code", "204")
	s.stop()
	steps, spans, parts := map[string]string{}, 0.0, 0
	for _, span := range c.all {
		steps[hex.EncodeToString(span.GetSpanId())] = span.GetName()
		if strings.HasPrefix(span.GetName(), "s3 ") {
			spans++
		}
	}
	for _, span := range c.all {
		if span.GetName() != "s3 UploadPart" {
			continue
		}
		if parts++; steps[hex.EncodeToString(span.GetParentSpanId())] != "storage.append" {
			t.Errorf("the parent of a part is %q", steps[hex.EncodeToString(span.GetParentSpanId())])
		}
	}
	if parts < 2 || requests != spans || requests < 4 { // begin, two parts, complete
		t.Errorf("%d parts of %d bytes, %v spans, %v requests; spans %v", parts, size, spans, requests, steps)
	}
}
