package metrics

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/fileloft/fileloft/internal/app"
	"github.com/fileloft/fileloft/internal/watch"
	"github.com/fileloft/fileloft/state/memstate"
	"github.com/fileloft/fileloft/storage/memstore"
)

// BenchmarkPatch measures one PATCH of a byte over stores in memory, where nothing else takes time.
func BenchmarkPatch(b *testing.B) {
	for name, w := range map[string]watch.Watcher{"without": nil, "with": New(Info{})} {
		b.Run(name, func(b *testing.B) {
			c, err := app.Load(nil, nil)
			if err != nil {
				b.Fatal(err)
			}
			a, err := app.New(c, memstate.New(nil), memstore.New(nil), &app.Options{Log: slog.New(slog.DiscardHandler), Watch: w})
			if err != nil {
				b.Fatal(err)
			}
			path, offset := "", 0
			send := func(method, path, body string, header ...string) *httptest.ResponseRecorder {
				r := httptest.NewRequest(method, path, strings.NewReader(body))
				r.Header.Set("Tus-Resumable", "1.0.0")
				r.Header.Set("Content-Type", "application/offset+octet-stream")
				r.Header.Set(header[0], header[1])
				w := httptest.NewRecorder()
				a.ServeHTTP(w, r)
				return w
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if i%1000 == 0 { // the store in memory keeps all, and uploads have a largest number of pieces
					path, offset = strings.TrimPrefix(send(http.MethodPost, "/files/", "", "Upload-Length", "100000").Header().Get("Location"), "http://example.com"), 0
				}
				if w := send(http.MethodPatch, path, "x", "Upload-Offset", fmt.Sprint(offset)); w.Code != http.StatusNoContent {
					b.Fatalf("%d %s", w.Code, w.Body)
				}
				offset++
			}
		})
	}
}

// BenchmarkActs measures what the numbers themselves cost for the acts of one PATCH: the request and its three steps.
func BenchmarkActs(b *testing.B) {
	m := New(Info{})
	r := httptest.NewRequest(http.MethodPatch, "/files/x", nil)
	b.ReportAllocs()
	for b.Loop() {
		req := &watch.Request{Request: r, Status: http.StatusNoContent}
		ctx := m.Begin(b.Context(), req)
		for _, c := range []*watch.Call{
			{Port: watch.StatePort, Method: "acquire"}, {Port: watch.StoragePort, Method: "append"}, {Port: watch.StatePort, Method: "commit"},
		} {
			m.End(m.Begin(ctx, c), c)
		}
		m.End(ctx, req)
	}
}
