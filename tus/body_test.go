package tus_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"

	"github.com/fileloft/fileloft/state/memstate"
	"github.com/fileloft/fileloft/storage/memstore"
	"github.com/fileloft/fileloft/tus"
)

// A body's deadline once hit the next request on the same connection, when the reading of the body was ended
// at the moment in which it ended by itself.
func TestManyRequestsOnOneConnection(t *testing.T) {
	h, err := tus.NewHandler(memstate.New(nil), memstore.New(nil), nil)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(h)
	defer srv.Close()
	do := func(method, url string, body []byte, headers ...string) *http.Response {
		r, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Tus-Resumable", "1.0.0")
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		resp, err := srv.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode >= 300 {
			t.Fatalf("%s: %s: %s", method, resp.Status, b)
		}
		return resp
	}
	const chunk, chunks = 70_000, 2000
	loc := do(http.MethodPost, srv.URL+"/files/", nil, "Upload-Length", strconv.Itoa(chunk*chunks)).Header.Get("Location")
	data := payload(chunk)
	for i := range chunks {
		do(http.MethodPatch, loc, data, "Upload-Offset", strconv.Itoa(i*chunk), "Content-Type", octets)
	}
}
