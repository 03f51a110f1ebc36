package azuretest

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fileloft/fileloft/internal/azurehost"
	"github.com/fileloft/fileloft/tus"
)

const offset = "application/offset+octet-stream"

// ask sends a request, with header names and values in turn, and returns the answer with its body read.
func ask(t *testing.T, method, url string, body io.Reader, headers ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Tus-Resumable", "1.0.0")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := ownClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(b)
}

// unmeasured is a body that is sent in chunks.
func unmeasured(text string) io.Reader { return struct{ io.Reader }{strings.NewReader(text)} }

func TestBodiesWithoutALength(t *testing.T) {
	t.Parallel()
	d := inCloud(t).deploy(t)
	_, good := d.app(t, azurehost.Options{})
	_, bad := d.app(t, azurehost.Options{DropChunked: true})
	created, _ := ask(t, "POST", good, nil, "Upload-Length", "5")
	at := created.Header.Get("Location")
	lost := bad + path.Base(at)
	if resp, text := ask(t, "PATCH", lost, unmeasured("hello"), "Content-Type", offset, "Upload-Offset", "0"); resp.StatusCode != 411 ||
		!strings.Contains(text, "Content-Length") {
		t.Errorf("a body that is lost: %s %s", resp.Status, text)
	}
	if resp, _ := ask(t, "HEAD", lost, nil); resp.Header.Get("Upload-Offset") != "0" {
		t.Errorf("Upload-Offset %q", resp.Header.Get("Upload-Offset"))
	}
	if resp, text := ask(t, "PATCH", at, unmeasured("hello"), "Content-Type", offset, "Upload-Offset", "0"); resp.StatusCode != 204 ||
		resp.Header.Get("Upload-Offset") != "5" {
		t.Errorf("a body in chunks: %s %s", resp.Status, text)
	}
}

func TestBodiesTooLarge(t *testing.T) {
	t.Parallel()
	d := inCloud(t).deploy(t)
	_, url := d.app(t, azurehost.Options{})
	large := func(n int64) io.Reader { return io.LimitReader(zeros{}, n) }
	patch := func(n int64) (*http.Response, string) {
		created, _ := ask(t, "POST", url, nil, "Upload-Length", "200000000")
		r, err := http.NewRequestWithContext(t.Context(), "PATCH", created.Header.Get("Location"), large(n))
		if err != nil {
			t.Fatal(err)
		}
		r.ContentLength = n
		for k, v := range map[string]string{"Tus-Resumable": "1.0.0", "Upload-Offset": "0", "Content-Type": offset, "Expect": "100-continue"} {
			r.Header.Set(k, v)
		}
		resp, err := (&http.Client{Timeout: time.Minute, Transport: &http.Transport{ExpectContinueTimeout: 10 * time.Second}}).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		return resp, string(b)
	}
	if resp, _ := ask(t, "OPTIONS", url, nil); !strings.Contains(resp.Header.Get("Upload-Limit"), "max-append-size=67108864") {
		t.Errorf("Upload-Limit %q", resp.Header.Get("Upload-Limit"))
	}
	if resp, text := patch(64<<20 + 1); resp.StatusCode != 413 || !strings.Contains(text, "67108864") || resp.Header.Get("Tus-Resumable") == "" {
		t.Errorf("more than the function takes: %s %s", resp.Status, text)
	}
	if resp, text := patch(104857601); resp.StatusCode != 413 || text != "" {
		t.Errorf("more than the host takes: %s %q", resp.Status, text)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// TestABrowserOnAConsumptionPlan: the host answers preflights there, and what a browser may read is the function's to say.
func TestABrowserOnAConsumptionPlan(t *testing.T) {
	t.Parallel()
	const origin = "https://app.example"
	d := inCloud(t).deploy(t)
	_, url := d.app(t, azurehost.Options{Consumption: true, AllowedOrigins: []string{origin}})
	preflight, _ := ask(t, "OPTIONS", url, nil, "Origin", origin, "Access-Control-Request-Method", "POST",
		"Access-Control-Request-Headers", "tus-resumable,upload-length")
	if preflight.StatusCode != 204 || preflight.Header.Get("Access-Control-Allow-Origin") != origin || preflight.Header.Get("Tus-Resumable") != "" {
		t.Errorf("%s %v", preflight.Status, preflight.Header)
	}
	created, text := ask(t, "POST", url, nil, "Origin", origin, "Upload-Length", "5")
	h := created.Header
	if created.StatusCode != 201 || len(h.Values("Access-Control-Allow-Origin")) != 1 || h.Get("Access-Control-Allow-Origin") != origin ||
		!regexp.MustCompile(`\bLocation\b`).MatchString(h.Get("Access-Control-Expose-Headers")) {
		t.Errorf("%s %v %s", created.Status, h, text)
	}
	options, _ := ask(t, "OPTIONS", url, nil) // no preflight: it asks what the server can do
	if options.StatusCode != 204 || options.Header.Get("Tus-Version") == "" || strings.Contains(options.Header.Get("Tus-Extension"), "checksum-trailer") {
		t.Errorf("%s %v", options.Status, options.Header)
	}
}

func TestNobodyOutsideSweeps(t *testing.T) {
	t.Parallel()
	a, url := inCloud(t).deploy(t).app(t, azurehost.Options{})
	if resp, text := ask(t, "POST", strings.TrimSuffix(url, "files/")+"FileloftSweep", strings.NewReader("{}")); resp.StatusCode != 404 {
		t.Errorf("%s %s", resp.Status, text)
	}
	if _, err := sweep(t.Context(), a); err != nil {
		t.Error(err)
	}
}

// TestSlowStore puts a storage account behind the function that does not answer writes of blobs for a while. The function answers before the
// front end gives up, and says that the client may try again; nothing is acknowledged that is not there; and when the account is well the
// upload goes on.
func TestSlowStore(t *testing.T) {
	t.Parallel()
	c := inCloud(t)
	direct := regexp.MustCompile(`BlobEndpoint=(http://[^/;]+)`).FindStringSubmatch(c.connection)[1]
	target, err := url.Parse(direct)
	if err != nil {
		t.Fatal(err)
	}
	var stuck atomic.Bool
	proxy := &httputil.ReverseProxy{
		ErrorLog: log.New(io.Discard, "", 0),
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host
		},
	}
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for stuck.Load() && r.Method != http.MethodGet && r.Method != http.MethodHead && r.Context().Err() == nil {
			time.Sleep(10 * time.Millisecond)
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(slow.Close)
	d := c.deploy(t)
	const timeout = 12 * time.Second
	a, collection := d.app(t, azurehost.Options{Timeout: timeout, Env: []string{
		"FILELOFT_AZURE_CONNECTION_STRING=" + strings.Replace(c.connection, direct, slow.URL, 1), "FILELOFT_REQUEST_TIMEOUT=8s",
	}})
	created, _ := ask(t, "POST", collection, nil, "Upload-Length", "10000000")
	at := created.Header.Get("Location")
	patch := func(off string, n int) (*http.Response, string) {
		return ask(t, "PATCH", at, strings.NewReader(strings.Repeat("s", n)), "Upload-Offset", off, "Content-Type", offset)
	}
	if resp, text := patch("0", 4_000_000); resp.StatusCode != 204 {
		t.Fatal(resp.Status, text)
	}
	stuck.Store(true)
	begin := time.Now()
	resp, text := patch("4000000", 4_000_000)
	took := time.Since(begin)
	stuck.Store(false)
	if resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" || resp.Header.Get("Tus-Resumable") == "" {
		t.Errorf("an account that is stuck: %s %v %s", resp.Status, resp.Header, text)
	}
	if _, failed := a.Counts(); failed > 0 || took >= timeout {
		t.Errorf("after %v the platform has answered %d requests itself", took, failed)
	}
	t.Logf("answered after %v of %v: %s", took.Round(time.Millisecond), timeout, resp.Status)
	if resp, _ := ask(t, "HEAD", at, nil); resp.Header.Get("Upload-Offset") != "4000000" {
		t.Errorf("Upload-Offset %q, want what was acknowledged", resp.Header.Get("Upload-Offset"))
	}
	for off, n := range map[string]int{"4000000": 6_000_000} {
		if resp, text := patch(off, n); resp.StatusCode != 204 || resp.Header.Get("Upload-Offset") != "10000000" {
			t.Fatal(resp.Status, text)
		}
	}
	if got, err := d.object(tus.ID(path.Base(at))); err != nil || string(got) != strings.Repeat("s", 10_000_000) {
		t.Errorf("the blob has %d bytes, %v", len(got), err)
	}
}

// TestFrozen freezes an instance in the middle of a body, lets another one take the upload over, and thaws the first: it must not get in between.
func TestFrozen(t *testing.T) {
	t.Parallel()
	d := inCloud(t).deploy(t, "FILELOFT_LEASE_TTL=1s")
	one, first := d.app(t, azurehost.Options{})
	_, second := d.app(t, azurehost.Options{})
	created, _ := ask(t, "POST", first, nil, "Upload-Length", "8000000")
	id := path.Base(created.Header.Get("Location"))
	from, to := io.Pipe()
	answered := make(chan int, 1)
	go func() {
		r, _ := http.NewRequestWithContext(t.Context(), "PATCH", first+id, from)
		r.ContentLength = 8_000_000
		for k, v := range map[string]string{"Tus-Resumable": "1.0.0", "Upload-Offset": "0", "Content-Type": offset} {
			r.Header.Set(k, v)
		}
		resp, err := ownClient.Do(r)
		if err != nil {
			answered <- 0
			return
		}
		resp.Body.Close()
		answered <- resp.StatusCode
	}()
	_, _ = to.Write([]byte(strings.Repeat("a", 1_000_000)))
	time.Sleep(200 * time.Millisecond)
	frozen := one.Instances()[0].PID
	one.Freeze(frozen)
	head, text := ask(t, "HEAD", second+id, nil)
	off := head.Header.Get("Upload-Offset")
	if head.StatusCode != 200 {
		t.Fatal(head.Status, text)
	}
	resp, text := ask(t, "PATCH", second+id, strings.NewReader(strings.Repeat("b", 1000)), "Upload-Offset", off, "Content-Type", offset)
	if resp.StatusCode != 204 {
		t.Fatal(resp.Status, text)
	}
	one.Thaw(frozen)
	go func() {
		_, _ = to.Write([]byte(strings.Repeat("c", 7_000_000)))
		to.Close()
	}()
	if status := <-answered; status == 204 {
		t.Error("who was overtaken is answered 204")
	}
	head, _ = ask(t, "HEAD", second+id, nil)
	if got := head.Header.Get("Upload-Offset"); got != resp.Header.Get("Upload-Offset") {
		t.Errorf("Upload-Offset %s, want %s", got, resp.Header.Get("Upload-Offset"))
	}
}
