package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/fileloft/fileloft/internal/app"
	"github.com/fileloft/fileloft/state/memstate"
	"github.com/fileloft/fileloft/storage/memstore"
)

// nobody is an account at an address where nobody answers.
const nobody = "DefaultEndpointsProtocol=http;AccountName=acc;AccountKey=a2V5;BlobEndpoint=http://127.0.0.1:1/acc;TableEndpoint=http://127.0.0.1:1/acc;"

func settings(more ...string) app.Env {
	return append(app.Env{
		"FILELOFT_AZURE_CONTAINER=ups", "FILELOFT_AZURE_CONNECTION_STRING=" + nobody, "FILELOFT_MAX_SIZE=1GiB", "FILELOFT_LOG_LEVEL=off",
	}, more...)
}

func TestOpenRefusesWhatCannotWork(t *testing.T) {
	for _, tt := range []struct {
		name, setting string
		want          []string // in the error; none: it opens
	}{
		{"as it is", "FILELOFT_MAX_CHUNK=", nil},
		{"the largest chunk", "FILELOFT_MAX_CHUNK=104857600", nil},
		{"a larger one", "FILELOFT_MAX_CHUNK=104857601", []string{"FILELOFT_MAX_CHUNK", "104857600", "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT"}},
		{"what the host was told not to take", "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT=1000000", []string{"FILELOFT_MAX_CHUNK", "1000000"}},
		{"the longest time", "FILELOFT_REQUEST_TIMEOUT=229s", nil},
		{"as long as the front end waits", "FILELOFT_REQUEST_TIMEOUT=230s", []string{"FILELOFT_REQUEST_TIMEOUT", "230 s"}},
		{"another storage", "FILELOFT_STORAGE=fs", []string{"FILELOFT_STORAGE is fs"}},
		{"another state", "FILELOFT_STATE=memory", []string{"FILELOFT_STATE is memory", "azure", "table"}},
		{"no container", "FILELOFT_AZURE_CONTAINER=", []string{"FILELOFT_AZURE_CONTAINER"}},
		{"a connection string that is none", "FILELOFT_AZURE_CONNECTION_STRING=AccountKey:hunter2", []string{"FILELOFT_AZURE_CONNECTION_STRING"}},
		{"an account with an identity", "FILELOFT_AZURE_CONNECTION_STRING=", []string{"FILELOFT_AZURE_ACCOUNT"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, err := open(settings(tt.setting), io.Discard)
			if (err != nil) != (tt.want != nil) {
				t.Fatal(err)
			}
			for _, w := range tt.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%q does not say %q", err, w)
				}
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%q tells a secret", err)
			}
			if err == nil && a.Config().SweepInterval != 0 {
				t.Error("it sweeps by itself, beside the timer")
			}
		})
	}
	if _, err := open(settings("FILELOFT_AZURE_CONNECTION_STRING=", "FILELOFT_AZURE_ACCOUNT=acc"), io.Discard); err != nil {
		t.Errorf("with an identity: %v", err)
	}
	if err := run(t.Context(), settings(), io.Discard); err == nil || !strings.Contains(err.Error(), "FUNCTIONS_CUSTOMHANDLER_PORT") {
		t.Errorf("without a host: %v", err)
	}
}

func TestAWarningAboutWhatHasNoEffect(t *testing.T) {
	var logs strings.Builder
	if _, err := open(settings("FILELOFT_BEHIND_PROXY=on", "FILELOFT_LOG_LEVEL=warn"), &logs); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(logs.String(), "FILELOFT_BEHIND_PROXY has no effect") {
		t.Error(logs.String())
	}
}

// inMemory is the handler over stores in memory.
func inMemory(t *testing.T, env ...string) *handler {
	t.Helper()
	c, err := load(settings(env...))
	if err != nil {
		t.Fatal(err)
	}
	a, err := app.New(c, memstate.New(nil), memstore.New(nil), options(app.NewLogger(io.Discard, c)))
	if err != nil {
		t.Fatal(err)
	}
	return &handler{a}
}

// ask has the handler answer a request, with header names and values in turn. Requests come to the handler's own address.
func (h *handler) ask(method, path string, body io.Reader, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://127.0.0.1:34567"+path, body)
	r.Header.Set("Tus-Resumable", "1.0.0")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestLocationIsWhereTheClientReachesTheFunction(t *testing.T) {
	for _, tt := range []struct {
		name    string
		env     string
		headers []string
		want    string
	}{
		{"by the host's word", "", []string{"X-Forwarded-Proto", "https", "X-Forwarded-Host", "up.azurewebsites.net"}, "https://up.azurewebsites.net/files/"},
		{"with a port", "", []string{"X-Forwarded-Proto", "http", "X-Forwarded-Host", "localhost:7071"}, "http://localhost:7071/files/"},
		{"without one", "", nil, "http://127.0.0.1:34567/files/"},
		{"a scheme that is none", "", []string{"X-Forwarded-Proto", "javascript", "X-Forwarded-Host", "up.example"}, "http://127.0.0.1:34567/files/"},
		{"a host that is none", "", []string{"X-Forwarded-Proto", "https", "X-Forwarded-Host", "a.example/b"}, "http://127.0.0.1:34567/files/"},
		{"a user in it", "", []string{"X-Forwarded-Proto", "https", "X-Forwarded-Host", "a@b.example"}, "http://127.0.0.1:34567/files/"},
		{
			"the public URL goes first", "FILELOFT_BASE_URL=https://up.example",
			[]string{"X-Forwarded-Proto", "https", "X-Forwarded-Host", "up.azurewebsites.net"},
			"https://up.example/files/",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := inMemory(t, tt.env).ask(http.MethodPost, "/files/", nil, append(tt.headers, "Upload-Length", "5")...)
			if got := w.Header().Get("Location"); w.Code != http.StatusCreated || !strings.HasPrefix(got, tt.want) {
				t.Errorf("%d with Location %q, want it below %s: %s", w.Code, got, tt.want, w.Body)
			}
		})
	}
}

func TestABodyThatIsLostIsNoEmptyOne(t *testing.T) {
	h := inMemory(t)
	const offset = "application/offset+octet-stream"
	const page = "https://page.example"
	path := strings.TrimPrefix(h.ask(http.MethodPost, "/files/", nil, "Upload-Length", "5").Header().Get("Location"), "http://127.0.0.1:34567")
	for _, tt := range []struct {
		name, method, path string
		body               io.Reader
		headers            []string
		want               int
	}{
		{"a PATCH", "PATCH", path, nil, []string{"Content-Type", offset, "Upload-Offset", "0"}, 411},
		{"a PATCH in disguise", "POST", path, nil, []string{"X-HTTP-Method-Override", "PATCH", "Content-Type", offset, "Upload-Offset", "0"}, 411},
		{"creation with bytes", "POST", "/files/", nil, []string{"Content-Type", offset, "Upload-Length", "5"}, 411},
		{"creation without", "POST", "/files/", nil, []string{"Upload-Length", "5"}, 201},
		{"an empty PATCH", "PATCH", path, nil, []string{"Content-Length", "0", "Content-Type", offset, "Upload-Offset", "0"}, 204},
		{"in chunks that arrive", "PATCH", path, struct{ io.Reader }{strings.NewReader("ab")}, []string{"Content-Type", offset, "Upload-Offset", "0"}, 204},
		{"of a known length", "PATCH", path, strings.NewReader("cde"), []string{"Content-Type", offset, "Upload-Offset", "2"}, 204},
	} {
		w := h.ask(tt.method, tt.path, tt.body, append(tt.headers, "Origin", page)...)
		if w.Code != tt.want {
			t.Errorf("%s: %d %s, want %d", tt.name, w.Code, w.Body, tt.want)
		}
		if w.Code == 411 && (w.Header().Get("Tus-Resumable") != "1.0.0" || w.Header().Get("Access-Control-Allow-Origin") != "*" || !strings.HasPrefix(w.Body.String(), "length-required: ")) {
			t.Errorf("%s: %v %s", tt.name, w.Header(), w.Body)
		}
	}
}

func TestABodyTooLarge(t *testing.T) {
	w := inMemory(t).ask(http.MethodPost, "/files/", io.LimitReader(strings.NewReader(strings.Repeat("x", 64<<20+1)), 64<<20+1),
		"Upload-Length", "80000000", "Content-Type", "application/offset+octet-stream", "Content-Length", "67108865")
	if w.Code != http.StatusRequestEntityTooLarge || !strings.Contains(w.Body.String(), "67108864") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestOnlyTheHostSweeps(t *testing.T) {
	h := inMemory(t)
	const invocation = `{"Data":{"timer":{"IsPastDue":false}},"Metadata":{"sys":{"MethodName":"FileloftSweep"}}}`
	w := h.ask(http.MethodPost, sweepPath, strings.NewReader(invocation), "Content-Type", "application/json")
	var answer struct {
		Outputs     map[string]any
		ReturnValue map[string]any
	}
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code != 200 || w.Header().Get("Content-Type") != "application/json" ||
		answer.Outputs == nil || answer.ReturnValue["unfinished"] != false {
		t.Errorf("%d %v %s: %v", w.Code, w.Header(), w.Body, err)
	}
	if w := h.ask(http.MethodPost, sweepPath, strings.NewReader(invocation), "X-Forwarded-Proto", "https"); w.Code != http.StatusNotFound {
		t.Errorf("from outside: %d %s", w.Code, w.Body)
	}
	if w := h.ask(http.MethodGet, "/", nil); w.Code != http.StatusNotFound { // which tells the host that the handler is there
		t.Errorf("/: %d", w.Code)
	}
}
