package lambdatest

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fileloft/fileloft/internal/lambdagate"
)

// TestSlowStore puts an S3 server behind the function that does not answer writes for a while. The function answers before the platform ends it,
// and says that the client may try again; nothing is acknowledged that is not there; and when the server is well the upload goes on.
func TestSlowStore(t *testing.T) {
	c := inCloud(t)
	target, err := url.Parse(c.s3.URL)
	if err != nil {
		t.Fatal(err)
	}
	var stuck atomic.Bool
	proxy := &httputil.ReverseProxy{
		ErrorLog: log.New(io.Discard, "", 0),
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host // signed
		},
	}
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for stuck.Load() && r.Method != http.MethodGet && r.Context().Err() == nil {
			time.Sleep(10 * time.Millisecond)
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(slow.Close)
	d := c.deploy(t, "FILELOFT_S3_ENDPOINT="+slow.URL)
	var ended atomic.Int32
	const timeout = 8 * time.Second
	f := d.function(t, lambdagate.Options{Timeout: timeout, Invoked: func(i lambdagate.Invocation) {
		if i.Err != nil {
			ended.Add(1)
		}
	}})
	at := ask(t, http.MethodPost, ways[0].open(f, t), "", "Upload-Length", "10000000").Header.Get("Location")
	patch := func(off string, n int) *http.Response {
		return ask(t, http.MethodPatch, at, strings.Repeat("s", n), "Upload-Offset", off, "Content-Type", "application/offset+octet-stream")
	}
	if resp := patch("0", 4_000_000); resp.StatusCode != http.StatusNoContent {
		t.Fatal(text(t, resp))
	}
	stuck.Store(true)
	begin := time.Now()
	resp := patch("4000000", 4_000_000)
	took := time.Since(begin)
	stuck.Store(false)
	if resp.StatusCode != http.StatusServiceUnavailable && resp.StatusCode != http.StatusInternalServerError || resp.Header.Get("Tus-Resumable") == "" {
		t.Errorf("a store that is stuck: %s", text(t, resp))
	}
	if ended.Load() > 0 || took >= timeout {
		t.Errorf("after %v the platform has ended %d invocations", took, ended.Load())
	}
	t.Logf("answered after %v of %v: %s", took.Round(time.Millisecond), timeout, resp.Status)
	if off := ask(t, http.MethodHead, at, "").Header.Get("Upload-Offset"); off != "4000000" {
		t.Errorf("Upload-Offset %q, want what was acknowledged", off)
	}
	if resp := patch("4000000", 4_000_000); resp.StatusCode != http.StatusNoContent {
		t.Fatal(text(t, resp))
	}
	if resp := patch("8000000", 2_000_000); resp.StatusCode != http.StatusNoContent || resp.Header.Get("Upload-Offset") != "10000000" {
		t.Fatal(text(t, resp))
	}
	got, err := d.object(idOf(at))
	if err != nil || string(got) != strings.Repeat("s", 10_000_000) {
		t.Errorf("the object has %d bytes, %v", len(got), err)
	}
}
