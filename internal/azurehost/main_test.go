package azurehost

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// This test program, started again with this variable, is the custom handler under test.
const role = "AZUREHOST_TEST_HANDLER"

func TestMain(m *testing.M) {
	switch os.Getenv(role) {
	case "":
		os.Exit(m.Run())
	case "ends":
		os.Exit(7)
	}
	err := http.ListenAndServe(net.JoinHostPort("127.0.0.1", os.Getenv("FUNCTIONS_CUSTOMHANDLER_PORT")), http.HandlerFunc(handle)) //nolint:gosec // a test's
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// A seen is what the handler saw of a request.
type seen struct {
	PID        int
	Method     string
	URI        string
	Host       string
	Header     http.Header
	Trailer    http.Header
	Chunked    bool
	BodyLength int
	Body       string // its beginning
}

// handle does what the query says, and answers with what it saw.
func handle(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/Clock" && r.Header.Get("X-Forwarded-Proto") == "" {
		clock(w, r)
		return
	}
	switch q := r.URL.Query(); q.Get("do") {
	case "sleep":
		time.Sleep(time.Second)
	case "hang":
		time.Sleep(10 * time.Second)
	case "exit":
		_, _ = io.ReadFull(r.Body, make([]byte, 1))
		os.Exit(9)
	case "half":
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "half")
		_ = http.NewResponseController(w).Flush()
		os.Exit(9)
	case "refuse": // without reading
		w.WriteHeader(http.StatusConflict)
		return
	case "mine":
		w.Header().Set("Access-Control-Allow-Origin", "https://mine.example")
		w.Header().Set("Access-Control-Expose-Headers", "Location")
	case "echo": // as it comes
		_ = http.NewResponseController(w).EnableFullDuplex()
		b := make([]byte, 1)
		for {
			if _, err := r.Body.Read(b); err != nil {
				return
			}
			_, _ = w.Write(b)
			_ = http.NewResponseController(w).Flush()
		}
	}
	b, _ := io.ReadAll(r.Body)
	s := seen{
		PID: os.Getpid(), Method: r.Method, URI: r.RequestURI, Host: r.Host, Header: r.Header, Trailer: r.Trailer,
		Chunked: len(r.TransferEncoding) > 0, BodyLength: len(b), Body: string(b[:min(len(b), 2000)]),
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(s)
}

// clock answers a timer as the variable says.
func clock(w http.ResponseWriter, r *http.Request) {
	b, _ := io.ReadAll(r.Body)
	w.Header().Set("Content-Type", "application/json")
	switch os.Getenv("TEST_CLOCK") {
	case "null":
	case "plain":
		w.Header().Set("Content-Type", "text/plain")
		fallthrough
	default:
		_ = json.NewEncoder(w).Encode(map[string]any{"Outputs": map[string]any{}, "Logs": []string{r.Header.Get("User-Agent")}, "ReturnValue": string(b)})
	case "fails":
		w.WriteHeader(http.StatusInternalServerError)
	}
}

// The files of a package.
const (
	hostJSON  = `{"version":"2.0","customHandler":{"description":{"defaultExecutablePath":"handler"},"enableProxyingHttpRequest":true},"extensions":{"http":{"routePrefix":""}}}`
	httpJSON  = `{"bindings":[{"type":"httpTrigger","direction":"in","name":"req","authLevel":"anonymous","methods":["get","head","post","patch","options"],"route":"{*path}"},{"type":"http","direction":"out","name":"res"}]}`
	timerJSON = `{"bindings":[{"type":"timerTrigger","direction":"in","name":"timer","schedule":"0 */10 * * * *","useMonitor":true}]}`
)

// folder makes a package with this test program as its handler. Each pair is a file in place of, or besides, those above.
func folder(t *testing.T, files ...string) string {
	t.Helper()
	dir := t.TempDir()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(program, filepath.Join(dir, "handler")); err != nil {
		t.Fatal(err)
	}
	files = append([]string{"host.json", hostJSON, "All/function.json", httpJSON, "Clock/function.json", timerJSON}, files...)
	for i := 0; i < len(files); i += 2 {
		name := filepath.Join(dir, files[i])
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(files[i+1]), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// deploy runs a package.
func deploy(t *testing.T, opt Options, files ...string) (*App, *httptest.Server) {
	t.Helper()
	opt.Env = append(opt.Env, role+"=serves")
	a, err := New(t.Context(), folder(t, files...), &opt)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(a)
	t.Cleanup(a.Close)
	t.Cleanup(srv.Close)
	return a, srv
}

// ask sends a request, with header names and values in turn.
func ask(t *testing.T, method, url string, body io.Reader, headers ...string) (status int, h http.Header, s seen) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") && len(b) > 0 {
		if err := json.Unmarshal(b, &s); err != nil {
			t.Fatal(err)
		}
	}
	return resp.StatusCode, resp.Header, s
}

// unmeasured is a body that is sent in chunks.
func unmeasured(text string) io.Reader { return struct{ io.Reader }{strings.NewReader(text)} }
