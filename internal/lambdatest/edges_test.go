package lambdatest

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fileloft/fileloft/internal/lambdagate"
)

// ask sends one tus request, with headers in pairs.
func ask(t *testing.T, method, url, body string, headers ...string) *http.Response {
	t.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Tus-Resumable", "1.0.0")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := ownClient.Transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	return resp
}

func text(t *testing.T, resp *http.Response) string {
	t.Helper()
	var b strings.Builder
	if err := resp.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestChunks: the function takes what it publishes; what is larger it refuses with a sentence that says so, as long as the event fits.
func TestChunks(t *testing.T) {
	c := inCloud(t)
	d := c.deploy(t)
	f := d.function(t, lambdagate.Options{})
	for _, w := range ways[:4] {
		t.Run(w.name, func(t *testing.T) {
			url := w.open(f, t)
			if limit := ask(t, http.MethodOptions, url, "").Header.Get("Upload-Limit"); !strings.Contains(limit, "max-append-size="+strconv.Itoa(chunk)) {
				t.Errorf("Upload-Limit %q", limit)
			}
			for _, n := range []int{4 << 20, 4<<20 + 1, 4_600_000} {
				at := ask(t, http.MethodPost, url, "", "Upload-Length", "10000000").Header.Get("Location")
				resp := ask(t, http.MethodPatch, at, strings.Repeat("\xff", n), "Upload-Offset", "0", "Content-Type", "application/offset+octet-stream")
				said := text(t, resp)
				switch {
				case n == 4<<20 && resp.StatusCode != http.StatusNoContent:
					t.Errorf("a chunk of 4 MiB: %s", said)
				case n > 4<<20 && (resp.StatusCode != http.StatusRequestEntityTooLarge || !strings.Contains(said, strconv.Itoa(chunk))):
					t.Errorf("a chunk of %d: %s", n, said)
				}
				if n > 4<<20 && ask(t, http.MethodHead, at, "").Header.Get("Upload-Offset") != "0" {
					t.Errorf("a chunk of %d counts", n)
				}
			}
		})
	}
}

// TestCustomDomains: where a domain's root is mapped to a stage, no URL shows the stage.
func TestCustomDomains(t *testing.T) {
	c := inCloud(t)
	d := c.deploy(t)
	f := d.function(t, lambdagate.Options{})
	for name, handler := range map[string]http.Handler{
		"HTTP API":              lambdagate.HTTPAPI(f, &lambdagate.DoorOptions{Domain: "uploads.example"}),
		"HTTP API with a stage": lambdagate.HTTPAPI(f, &lambdagate.DoorOptions{Domain: "uploads.example", Stage: "dev"}),
		"REST API":              lambdagate.RESTAPI(f, &lambdagate.DoorOptions{Domain: "uploads.example"}),
	} {
		srv := httptest.NewServer(handler)
		t.Cleanup(srv.Close)
		at := ask(t, http.MethodPost, srv.URL+"/files/", "", "Upload-Length", "5").Header.Get("Location")
		if !strings.HasPrefix(at, srv.URL+"/files/") {
			t.Errorf("%s: Location %q, want it below %s/files/", name, at, srv.URL)
			continue
		}
		resp := ask(t, http.MethodPatch, at, "hello", "Upload-Offset", "0", "Content-Type", "application/offset+octet-stream")
		if resp.StatusCode != http.StatusNoContent {
			t.Errorf("%s: %s", name, text(t, resp))
		}
	}
}

// TestPaths sends paths that no client would send without tidying them up. None may lead anywhere, and none may make the function fail.
func TestPaths(t *testing.T) {
	c := inCloud(t)
	d := c.deploy(t, "FILELOFT_ENABLE_DOWNLOAD=true")
	f := d.function(t, lambdagate.Options{})
	for _, w := range ways {
		at, err := url.Parse(w.open(f, t))
		if err != nil {
			t.Fatal(err)
		}
		for _, bad := range []string{"..%2fx", "../x", "a/b", "a/b/c", "..", "a%20b", "%20", "..%5cx", "a%00", "%2e%2e/", "a.b", "%ff", "a%2fb", "%252e"} {
			for _, method := range []string{http.MethodHead, http.MethodPatch, http.MethodDelete, http.MethodGet} {
				resp := raw(t, at.Host, method, at.Path+bad)
				if s := resp.StatusCode; s != 400 && s != 404 || resp.Header.Get("Tus-Resumable") == "" {
					t.Errorf("%s: %s %s: %s, %v", w.name, method, bad, resp.Status, resp.Header)
				}
			}
		}
	}
}

// raw sends a request whose path nobody has touched.
func raw(t *testing.T, host, method, path string) *http.Response {
	t.Helper()
	conn, err := net.Dial("tcp", host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: %s\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\n"+
		"Content-Type: application/offset+octet-stream\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", method, path, host)
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return resp
}

// TestSchedules: each form of a schedule's event runs the sweeper, which expires what is due and finishes what was cut short.
func TestSchedules(t *testing.T) {
	c := inCloud(t)
	d := c.deploy(t, "FILELOFT_ENABLE_EXPIRATION=true", "FILELOFT_EXPIRATION_TTL=1s")
	f := d.function(t, lambdagate.Options{})
	url := ways[3].open(f, t)
	for _, event := range []string{schedule, `{"action":"sweep"}`, `{"source":"aws.scheduler","detail-type":"Scheduled Event","detail":{}}`} {
		at := ask(t, http.MethodPost, url, "", "Upload-Length", "5").Header.Get("Location")
		time.Sleep(1100 * time.Millisecond)
		answer, err := f.Invoke(t.Context(), []byte(event))
		if err != nil || !strings.Contains(string(answer), `"unfinished":false`) {
			t.Errorf("%s: %s, %v", event, answer, err)
		}
		if resp := ask(t, http.MethodHead, at, ""); resp.StatusCode != http.StatusNotFound {
			t.Errorf("after %s: %s", event, resp.Status)
		}
	}
	if _, err := f.Invoke(t.Context(), []byte(`{"Records":[]}`)); err == nil {
		t.Error("an event of another kind is answered")
	}
}
