package tus_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/fileloft/fileloft/state/memstate"
	"github.com/fileloft/fileloft/storage/memstore"
	"github.com/fileloft/fileloft/tus"
)

func TestSmoke(t *testing.T) {
	h, err := tus.NewHandler(memstate.New(nil), memstore.New(nil), &tus.Options{EnableDownload: true, EnableConcatenation: true})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(h)
	defer srv.Close()
	do := func(method, url string, body io.Reader, hd ...string) (*http.Response, string) {
		r, _ := http.NewRequest(method, url, body)
		r.Header.Set("Tus-Resumable", "1.0.0")
		for i := 0; i < len(hd); i += 2 {
			r.Header.Set(hd[i], hd[i+1])
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		t.Log(method, url, resp.StatusCode, resp.Header, string(b[:min(len(b), 200)]))
		return resp, string(b)
	}
	data := bytes.Repeat([]byte("0123456789"), 100000)
	resp, _ := do("POST", srv.URL+"/files/", nil, "Upload-Length", strconv.Itoa(len(data)))
	loc := resp.Header.Get("Location")
	do("PATCH", loc, bytes.NewReader(data[:300000]), "Upload-Offset", "0", "Content-Type", "application/offset+octet-stream")
	do("PATCH", loc, bytes.NewReader(data[:300000]), "Upload-Offset", "0", "Content-Type", "application/offset+octet-stream")
	do("HEAD", loc, nil)
	do("PATCH", loc, io.MultiReader(bytes.NewReader(data[300000:])), "Upload-Offset", "300000", "Content-Type", "application/offset+octet-stream")
	do("HEAD", loc, nil)
	_, got := do("GET", loc, nil)
	if got != string(data) {
		t.Fatal("bytes differ")
	}
	var parts []string
	for _, s := range []string{"hello ", "world"} {
		resp, _ = do("POST", srv.URL+"/files/", strings.NewReader(s), "Upload-Length", strconv.Itoa(len(s)), "Upload-Concat", "partial", "Content-Type", "application/offset+octet-stream")
		parts = append(parts, resp.Header.Get("Location"))
	}
	resp, _ = do("POST", srv.URL+"/files/", nil, "Upload-Concat", "final;"+strings.Join(parts, " "))
	do("HEAD", resp.Header.Get("Location"), nil)
	_, got = do("GET", resp.Header.Get("Location"), nil)
	if got != "hello world" {
		t.Fatal(got)
	}
	do("DELETE", loc, nil)
	do("HEAD", loc, nil)
	do("POST", srv.URL+"/files/", nil, "Upload-Length", "0")
	do("OPTIONS", srv.URL+"/files/", nil)
}
