package app

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/fileloft/fileloft/state/memstate"
	"github.com/fileloft/fileloft/storage/memstore"
)

// A body that stands still longer than the platform waits is answered with what has come of it.
func TestARequestIsAnsweredBeforeThePlatformEndsIt(t *testing.T) {
	c, err := Load(Env{"FILELOFT_REQUEST_TIMEOUT=2"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	a, err := New(c, memstate.New(nil), memstore.New(nil), &Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(a)
	defer srv.Close()
	do := func(method, url string, body io.Reader, headers ...string) *http.Response {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, url, body)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Tus-Resumable", "1.0.0")
		for i := 0; i < len(headers); i += 2 {
			req.Header.Set(headers[i], headers[i+1])
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		return resp
	}
	loc := do("POST", srv.URL+"/files/", nil, "Upload-Length", "10").Header.Get("Location")
	body, write := io.Pipe()
	go func() { _, _ = io.Copy(write, strings.NewReader("01234")) }() // and no end
	defer write.Close()
	begin := time.Now()
	resp := do("PATCH", loc, body, "Upload-Offset", "0", "Content-Type", "application/offset+octet-stream")
	if took := time.Since(begin); resp.StatusCode != 204 || resp.Header.Get("Upload-Offset") != "5" || took > 2*time.Second {
		t.Errorf("%s with offset %q after %v", resp.Status, resp.Header.Get("Upload-Offset"), took)
	}
}
