package app

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/fileloft/fileloft/state/memstate"
	"github.com/fileloft/fileloft/state/statetest"
	"github.com/fileloft/fileloft/storage/memstore"
)

// TestLogLinesOfTheEngineCarryBothIDs goes through requests whose every step in the state may fail, which is what the engine writes
// most about.
func TestLogLinesOfTheEngineCarryBothIDs(t *testing.T) {
	c, err := Load(Env{"FILELOFT_LOG_LEVEL=debug"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	failing := ""
	state := statetest.NewFaulty(memstate.New(nil), func(method string) statetest.Fault {
		if method == failing {
			return statetest.LoseRequest
		}
		return statetest.Pass
	})
	var log bytes.Buffer
	a, err := New(c, state, memstore.New(nil), &Options{Log: NewLogger(&log, c)})
	if err != nil {
		t.Fatal(err)
	}
	send := func(method, path, body string, header ...string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, path, strings.NewReader(body))
		header = append(header, "Tus-Resumable", "1.0.0", "Content-Type", "application/offset+octet-stream")
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		w := httptest.NewRecorder()
		a.ServeHTTP(w, r)
		return w
	}
	path := func(w *httptest.ResponseRecorder) string {
		return strings.TrimPrefix(w.Header().Get("Location"), "http://example.com")
	}
	upload := path(send(http.MethodPost, "/files/", "", "Upload-Length", "5"))

	for _, tt := range []struct {
		name, failing, method, path, body, line string
		header                                  []string
	}{
		{"refused", "", http.MethodPatch, upload, "x", "tus: request refused", []string{"Upload-Offset", "3"}},
		{"the step that makes it true fails", "Commit", http.MethodPatch, upload, "hello", "tus: request failed", []string{"Upload-Offset", "0"}},
		{"no step at all", "Load", http.MethodHead, upload, "", "tus: request failed", nil},
		{"a creation that fails", "Create", http.MethodPost, "/files/", "", "tus: request failed", []string{"Upload-Length", "5"}},
		{"a creation whose bytes fail", "Commit", http.MethodPost, "/files/", "hello", "tus: created, but then", []string{"Upload-Length", "5"}},
		{"a lease that cannot be given back", "Commit", http.MethodPatch, path(send(http.MethodPost, "/files/", "", "Upload-Length", "5")), "too long", "tus: lease not released; it will expire", []string{"Upload-Offset", "0"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			log.Reset()
			failing = tt.failing
			defer func() { failing = "" }()
			w := send(tt.method, tt.path, tt.body, append(tt.header, "X-Request-ID", "r-1")...)
			want := strings.TrimPrefix(tt.path, "/files/")
			if want == "" {
				want = strings.TrimPrefix(path(w), "/files/") // "" where it is not told
			}
			found, lines := false, 0
			for in := json.NewDecoder(&log); ; lines++ {
				var line map[string]any
				if err := in.Decode(&line); err == io.EOF {
					break
				} else if err != nil {
					t.Fatal(err)
				}
				found = found || line["msg"] == tt.line
				id, _ := line["upload"].(string)
				if line["request_id"] != "r-1" || id == "" || want != "" && id != want {
					t.Errorf("want ids r-1 and %s: %v", want, line)
				}
			}
			if !found || lines < 2 {
				t.Errorf("%d lines, and %q is not among them", lines, tt.line)
			}
		})
	}
}

func TestALinesOwnIDsStand(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(identified{slog.NewTextHandler(&out, nil)}).With("a", 1)
	ctx := withIDs(t.Context(), "r-1", "mine")
	log.InfoContext(ctx, "hello", "upload", "another")
	if got := out.String(); strings.Count(got, "upload=") != 1 || !strings.Contains(got, "upload=another") || !strings.Contains(got, "request_id=r-1") {
		t.Error(got)
	}
	out.Reset()
	log.Info("hello")
	if strings.Contains(out.String(), "request_id") {
		t.Error(out.String())
	}
}

func TestWhatAPathStandsFor(t *testing.T) {
	a, _ := newTest(t, Env{"FILELOFT_BASE_PATH=/up"}, fine, fine)
	for path, want := range map[string][2]string{
		"/up": {"/up/", ""}, "/up/": {"/up/", ""}, "/up/abc": {"/up/{id}", "abc"}, "/up/abc/": {"/up/{id}", "abc"},
		"/up/a.b": {"/up/{id}", ""}, "/healthz": {"/healthz", ""}, "/readyz": {"/readyz", ""}, "/": {"", ""}, "/upx": {"", ""},
	} {
		if route, id := a.name(path); route != want[0] || string(id) != want[1] {
			t.Errorf("%s: %q %q", path, route, id)
		}
	}
}
