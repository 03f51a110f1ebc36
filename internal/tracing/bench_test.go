package tracing_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"github.com/fileloft/fileloft/internal/tracing"
	"github.com/fileloft/fileloft/internal/watch"
)

// BenchmarkActs measures what the spans cost for the acts of one PATCH, the request and its three steps, with a collector on the
// same machine that throws them away.
func BenchmarkActs(b *testing.B) {
	sink := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer sink.Close()
	b.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", sink.URL)
	t, err := tracing.New(b.Context(), "v1", os.LookupEnv, slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPatch, "/files/x", nil)
	b.ReportAllocs()
	for b.Loop() {
		req := &watch.Request{Request: r, Route: "/files/{id}", Upload: "x", Status: http.StatusNoContent}
		ctx := t.Begin(b.Context(), req)
		for _, c := range []*watch.Call{
			{Port: watch.StatePort, Method: "acquire"}, {Port: watch.StoragePort, Method: "append"}, {Port: watch.StatePort, Method: "commit"},
		} {
			t.End(t.Begin(ctx, c), c)
		}
		t.End(ctx, req)
	}
	_ = t.Close(b.Context()) // what is dropped under this load is not measured
}
