package tracing

import (
	"compress/gzip"
	"context"
	"crypto/tls"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

func of(vars map[string]string) lookup {
	return func(name string) (string, bool) { v, ok := vars[name]; return v, ok }
}

func TestWhereTracesGo(t *testing.T) {
	for _, tt := range []struct {
		vars map[string]string
		want string
	}{
		{nil, "http://localhost:4318/v1/traces"},
		{map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "https://c.example"}, "https://c.example/v1/traces"},
		{map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "https://c.example/otlp/"}, "https://c.example/otlp/v1/traces"},
		{map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:1/x", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://d"}, "http://c:1/x"},
	} {
		if c, err := newClient(of(tt.vars)); err != nil || c.url != tt.want {
			t.Errorf("%v: %+v, %v", tt.vars, c, err)
		}
	}
}

func TestAVariableThatCannotBeUsedIsNamedWithoutItsValue(t *testing.T) {
	for name, bad := range map[string]string{
		"ENDPOINT": "secret:4317", "HEADERS": "secret", "TIMEOUT": "10s secret", "COMPRESSION": "secret",
		"CERTIFICATE": "no/secret", "CLIENT_CERTIFICATE": "no/secret", "CLIENT_KEY": "no/secret",
	} {
		for _, p := range []string{"OTEL_EXPORTER_OTLP_", "OTEL_EXPORTER_OTLP_TRACES_"} {
			_, err := newClient(of(map[string]string{p + name: bad}))
			if err == nil || !strings.Contains(err.Error(), name) || strings.Contains(err.Error(), "secret") {
				t.Errorf("%s%s=%s: %v", p, name, bad, err)
			}
		}
	}
}

// one is a batch of one span.
var one = []*tracepb.ResourceSpans{{ScopeSpans: []*tracepb.ScopeSpans{{Spans: []*tracepb.Span{{Name: "x"}}}}}}

func TestACollectorThatIsBusyIsAskedAgain(t *testing.T) {
	for _, tt := range []struct {
		statuses []int // one after the other, the last for good
		calls    int
		ok       bool
	}{
		{[]int{200}, 1, true},
		{[]int{503, 429, 202}, 3, true},
		{[]int{400}, 1, false},
		{[]int{302}, 1, false},
		{[]int{502}, 4, false},
	} {
		calls := 0
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(tt.statuses[min(calls, len(tt.statuses)-1)])
			calls++
		}))
		c, err := newClient(of(map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": srv.URL}))
		if err != nil {
			t.Fatal(err)
		}
		c.pause = time.Millisecond
		if err := c.UploadTraces(t.Context(), one); (err == nil) != tt.ok || calls != tt.calls {
			t.Errorf("%v: %d calls, %v", tt.statuses, calls, err)
		}
		srv.Close()
	}
}

func TestTheWaitForABusyCollectorEndsWithItsContext(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "200")
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	defer srv.Close()
	c, err := newClient(of(map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": srv.URL}))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	start := time.Now()
	if err := c.UploadTraces(ctx, one); err == nil || time.Since(start) > 5*time.Second {
		t.Errorf("%v after %s", err, time.Since(start))
	}
}

func TestHeadersCompressionAndCertificates(t *testing.T) {
	var data tracepb.TracesData
	var header http.Header
	srv := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		header = r.Header
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			t.Error(err)
			return
		}
		b, err := io.ReadAll(z)
		if err != nil || proto.Unmarshal(b, &data) != nil {
			t.Error(err)
		}
	}))
	defer srv.Close()
	srv.Config.ErrorLog = nil
	file := filepath.Join(t.TempDir(), "ca.pem")
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})
	if err := os.WriteFile(file, ca, 0o600); err != nil {
		t.Fatal(err)
	}
	vars := map[string]string{
		"OTEL_EXPORTER_OTLP_ENDPOINT": srv.URL, "OTEL_EXPORTER_OTLP_CERTIFICATE": file, "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
		"OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20a%2Cb%3D, x-tenant = 7 ", "OTEL_EXPORTER_OTLP_TIMEOUT": "5000",
	}
	c, err := newClient(of(vars))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.UploadTraces(t.Context(), one); err != nil {
		t.Fatal(err)
	}
	if header.Get("Authorization") != "Bearer a,b=" || header.Get("X-Tenant") != "7" || c.timeout != 5*time.Second {
		t.Errorf("%v %s", header, c.timeout)
	}
	if !proto.Equal(&data, &tracepb.TracesData{ResourceSpans: one}) {
		t.Errorf("%v", &data)
	}
	if conf := c.http.Transport.(*http.Transport).TLSClientConfig; conf.MinVersion < tls.VersionTLS12 || conf.InsecureSkipVerify {
		t.Error("the collector is not verified")
	}
}
