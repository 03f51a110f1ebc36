package gcf

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"github.com/fileloft/fileloft/internal/app"
	"github.com/fileloft/fileloft/state/memstate"
	"github.com/fileloft/fileloft/storage/memstore"
)

// settings are those of a function whose stores lie at an address where nobody answers.
func settings(t testing.TB, more ...string) app.Env {
	t.Setenv("FIRESTORE_EMULATOR_HOST", "127.0.0.1:1") // the library reads it by itself
	return append(app.Env{
		"FILELOFT_GCS_BUCKET=b", "FILELOFT_GCS_ENDPOINT=http://127.0.0.1:1", "FILELOFT_FIRESTORE_PROJECT=p", "FILELOFT_MAX_SIZE=1GiB",
	}, more...)
}

func TestOpenRefusesWhatCannotWork(t *testing.T) {
	for _, tt := range []struct {
		name, setting string
		want          []string // in the error; none: it opens
	}{
		{"as it is", "FILELOFT_MAX_CHUNK=", nil},
		{"the largest chunk over HTTP/1", "FILELOFT_MAX_CHUNK=33488896", nil},
		{"a larger one", "FILELOFT_MAX_CHUNK=33488897", []string{"FILELOFT_MAX_CHUNK", "33488896"}},
		{"another storage", "FILELOFT_STORAGE=fs", []string{"FILELOFT_STORAGE is fs", "set it to gcs"}},
		{"another state", "FILELOFT_STATE=memory", []string{"FILELOFT_STATE is memory", "gcs", "firestore"}},
		{"no bucket", "FILELOFT_GCS_BUCKET=", []string{"FILELOFT_GCS_BUCKET"}},
		{"a number that is none", "FILELOFT_MAX_SIZE=much", []string{"FILELOFT_MAX_SIZE", "much"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := open(t.Context(), settings(t, tt.setting), io.Discard)
			if (err != nil) != (tt.want != nil) {
				t.Fatal(err)
			}
			for _, w := range tt.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%q does not say %q", err, w)
				}
			}
		})
	}
}

func TestH2CHasNoLimit(t *testing.T) {
	a, err := open(t.Context(), settings(t, "FILELOFT_ENABLE_H2C=on"), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if n := a.Config().MaxChunk; n != 0 {
		t.Errorf("chunks of %d bytes at most", n)
	}
	if _, err := open(t.Context(), settings(t, "FILELOFT_ENABLE_H2C=on", "FILELOFT_MAX_CHUNK=64MiB"), io.Discard); err != nil {
		t.Error(err)
	}
}

// A body that the platform would not take is refused before a store is asked: these answer nobody.
func TestABodyTooLargeForThePlatform(t *testing.T) {
	use(t, settings(t))
	r := httptest.NewRequest(http.MethodPost, "/files/", strings.NewReader(""))
	r.ContentLength = maxChunk + 1
	tus(r, "Upload-Length", "40000000", "Content-Type", "application/offset+octet-stream")
	w := httptest.NewRecorder()
	Serve(w, r)
	if w.Code != http.StatusRequestEntityTooLarge || !strings.Contains(w.Body.String(), "33488896") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if got, want := w.Header().Get("Upload-Limit"), "max-size=1073741824, max-append-size=33488896"; got != want {
		t.Errorf("Upload-Limit %q, want %q", got, want)
	}
}

func TestLocationIsWhereTheClientReachesTheFunction(t *testing.T) {
	for _, tt := range []struct {
		name    string
		env     string
		headers []string
		want    string
	}{
		{"by the front end's word", "", []string{"X-Forwarded-Proto", "https"}, "https://up-abc.a.run.app/files/"},
		{"without one", "", nil, "http://up-abc.a.run.app/files/"},
		{"a scheme that is none", "", []string{"X-Forwarded-Proto", "javascript"}, "http://up-abc.a.run.app/files/"},
		{"another host is not believed", "", []string{"X-Forwarded-Proto", "https", "X-Forwarded-Host", "evil.example"}, "https://up-abc.a.run.app/files/"},
		{
			"but of a proxy of our own", "FILELOFT_BEHIND_PROXY=on",
			[]string{"X-Forwarded-Proto", "https", "X-Forwarded-Host", "up.example"},
			"https://up.example/files/",
		},
		{"the public URL goes first", "FILELOFT_BASE_URL=https://up.example", []string{"X-Forwarded-Proto", "http"}, "https://up.example/files/"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			useMemory(t, settings(t, tt.env))
			r := httptest.NewRequest(http.MethodPost, "http://up-abc.a.run.app/files/", nil)
			tus(r, append(tt.headers, "Upload-Length", "5")...)
			w := httptest.NewRecorder()
			Serve(w, r)
			if got := w.Header().Get("Location"); w.Code != http.StatusCreated || !strings.HasPrefix(got, tt.want) {
				t.Errorf("%d with Location %q, want it below %s: %s", w.Code, got, tt.want, w.Body)
			}
		})
	}
}

func TestSweepIsAskedForByPost(t *testing.T) {
	useMemory(t, settings(t))
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodDelete, http.MethodOptions} {
		w := httptest.NewRecorder()
		Sweep(w, httptest.NewRequest(method, "/", nil))
		if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != http.MethodPost {
			t.Errorf("%s: %d, Allow %q", method, w.Code, w.Header().Get("Allow"))
		}
	}
	w := httptest.NewRecorder()
	Sweep(w, httptest.NewRequest(http.MethodPost, "/", nil))
	var report map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &report); err != nil || w.Code != http.StatusOK || report["unfinished"] != false {
		t.Errorf("%d %s: %v", w.Code, w.Body, err)
	}
	if err := SweepEvent(t.Context(), cloudevents.NewEvent()); err != nil {
		t.Error(err)
	}
}

// The platform takes an error for a failed delivery, and sends the event again.
func TestASweepThatFailsSaysSo(t *testing.T) {
	use(t, settings(t))
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // else the stores are asked until they answer
	if err := SweepEvent(ctx, cloudevents.NewEvent()); err == nil {
		t.Error("the event counts as delivered")
	}
	w := httptest.NewRecorder()
	Sweep(w, httptest.NewRequest(http.MethodPost, "/", nil).WithContext(ctx))
	if w.Code != http.StatusInternalServerError || strings.Contains(w.Body.String(), "127.0.0.1") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// What is wrong with the settings is the log's, not the client's.
func TestAFunctionThatCannotOpen(t *testing.T) {
	use(t, settings(t, "FILELOFT_STORAGE=fs"))
	w := httptest.NewRecorder()
	Serve(w, httptest.NewRequest(http.MethodOptions, "/files/", nil))
	if w.Code != http.StatusInternalServerError || w.Header().Get("Tus-Resumable") != "1.0.0" || strings.Contains(w.Body.String(), "FILELOFT_") {
		t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
	}
}

func tus(r *http.Request, headers ...string) {
	r.Header.Set("Tus-Resumable", "1.0.0")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
}

// use makes this process a function with an environment, until t ends.
func use(t *testing.T, env app.Env) {
	replace(t, func() (*app.App, error) { return open(t.Context(), env, io.Discard) })
}

// useMemory does the same over stores in memory.
func useMemory(t *testing.T, env app.Env) {
	c, err := app.Load(env, presets)
	if err != nil {
		t.Fatal(err)
	}
	a, err := app.New(c, memstate.New(nil), memstore.New(nil), options(c, app.NewLogger(io.Discard, c)))
	replace(t, func() (*app.App, error) { return a, err })
}

func replace(t *testing.T, by func() (*app.App, error)) {
	was := opened
	t.Cleanup(func() { opened = was })
	opened = by
}
