package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fileloft/fileloft/tus"
)

// nothing is a State and a Storage of which only the optional abilities are asked here.
type nothing struct {
	tus.State
	tus.Storage
	ping func() error
}

func (n nothing) Ping(context.Context) error {
	if n.ping == nil {
		return nil
	}
	return n.ping()
}

// wrapped hides a State behind a decorator.
type wrapped struct{ tus.State }

func (w wrapped) Unwrap() tus.State { return w.State }

// newTest returns an App over stores that can only be pinged, and its log.
func newTest(t *testing.T, env Env, state, storage func() error) (*App, *bytes.Buffer) {
	t.Helper()
	c, err := Load(env, nil)
	if err != nil {
		t.Fatal(err)
	}
	c.LogLevel = slog.LevelDebug
	var log bytes.Buffer
	st := nothing{ping: state}
	a, err := New(c, wrapped{st}, nothing{ping: storage}, &Options{Log: NewLogger(&log, c)})
	if err != nil {
		t.Fatal(err)
	}
	return a, &log
}

func fine() error { return nil }

func get(a http.Handler, path string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)
	return w
}

func TestHealth(t *testing.T) {
	broken := func() error { return errors.New("dial 10.0.0.1: secret reason") }
	for _, tt := range []struct {
		name, path     string
		state, storage func() error
		status         int
		body           string
	}{
		{"alive even if nothing else works", "/healthz", broken, broken, 200, "ok"},
		{"ready", "/readyz", fine, fine, 200, "ready"},
		{"the state is out of reach, behind a decorator", "/readyz", broken, fine, 503, "state"},
		{"the storage is out of reach", "/readyz", fine, broken, 503, "storage"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, log := newTest(t, nil, tt.state, tt.storage)
			w := get(a, tt.path)
			if w.Code != tt.status || !strings.HasPrefix(w.Body.String(), tt.body) {
				t.Errorf("%d %q", w.Code, w.Body)
			}
			if strings.Contains(w.Body.String(), "secret") {
				t.Error("the answer tells the reason")
			}
			if tt.status == 503 && !strings.Contains(log.String(), "secret reason") {
				t.Error("the log does not tell the reason")
			}
		})
	}
}

func TestReadinessEndsWhenTheServerStops(t *testing.T) {
	a, _ := newTest(t, nil, fine, fine)
	a.stopping.Store(true)
	if w := get(a, "/readyz"); w.Code != 503 {
		t.Errorf("%d %q", w.Code, w.Body)
	}
}

func TestOtherPathsAreNotFound(t *testing.T) {
	a, _ := newTest(t, nil, fine, fine)
	for _, path := range []string{"/", "/filesystem", "/healthz/", "//healthz", "/metrics"} {
		w := get(a, path)
		if w.Code != 404 || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/plain") {
			t.Errorf("%s: %d %v", path, w.Code, w.Header())
		}
	}
}

func TestUploadsAreServedUnderTheBasePathWithAndWithoutItsSlash(t *testing.T) {
	for _, base := range []string{"/up", "/up/"} {
		a, _ := newTest(t, Env{"FILELOFT_BASE_PATH=" + base}, fine, fine)
		for _, path := range []string{"/up", "/up/"} {
			r := httptest.NewRequest(http.MethodOptions, path, nil)
			w := httptest.NewRecorder()
			a.ServeHTTP(w, r)
			if w.Code != http.StatusNoContent || w.Header().Get("Tus-Version") == "" {
				t.Errorf("base path %s: OPTIONS %s: %d %v", base, path, w.Code, w.Header())
			}
		}
	}
}

func TestRequestIDs(t *testing.T) {
	a, log := newTest(t, nil, fine, fine)
	if got := get(a, "/", "X-Request-ID", "abc-1:2/3").Header().Get("X-Request-ID"); got != "abc-1:2/3" {
		t.Errorf("a sane id came back as %q", got)
	}
	for _, id := range []string{"", "a b", "a\nb", "a\"b", strings.Repeat("a", 129), "ä"} {
		got := get(a, "/", "X-Request-ID", id).Header().Get("X-Request-ID")
		if got == id || len(got) < 20 {
			t.Errorf("%q came back as %q", id, got)
		}
		if !strings.Contains(log.String(), got) {
			t.Errorf("the log does not have %q", got)
		}
	}
}

func TestAccessLog(t *testing.T) {
	a, log := newTest(t, nil, fine, fine)
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.observe(w, r, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			w.WriteHeader(http.StatusAccepted)
			_, _ = io.WriteString(w, "done")
		})
	})
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/x?secret=1", strings.NewReader("12345")))
	var line map[string]any
	if err := json.Unmarshal(log.Bytes(), &line); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]any{
		"level": "INFO", "method": "POST", "path": "/x", "status": 202.0, "bytes_in": 5.0, "bytes_out": 4.0,
	} {
		if line[key] != want {
			t.Errorf("%s: %v, want %v", key, line[key], want)
		}
	}
	log.Reset()
	get(a, "/healthz")
	if !strings.Contains(log.String(), `"DEBUG"`) {
		t.Errorf("health checks fill the log: %s", log)
	}
}

// Through a real server: what the wrappers hide is visible only there.
func TestTheWrappersHideNothing(t *testing.T) {
	a, _ := newTest(t, nil, fine, fine)
	var deadline error
	var trailer string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.observe(w, r, func(w http.ResponseWriter, r *http.Request) {
			deadline = http.NewResponseController(w).SetReadDeadline(time.Now().Add(time.Minute))
			_, _ = io.Copy(io.Discard, r.Body)
			trailer = r.Trailer.Get("Upload-Checksum")
		})
	}))
	defer srv.Close()
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL, io.MultiReader(strings.NewReader("body")))
	r.Trailer = http.Header{"Upload-Checksum": {"sha1 x"}}
	resp, err := srv.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if deadline != nil {
		t.Errorf("the read deadline cannot be set: %v", deadline)
	}
	if trailer != "sha1 x" {
		t.Errorf("the trailer arrived as %q", trailer)
	}
}

func TestPanics(t *testing.T) {
	a, log := newTest(t, nil, fine, fine)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.observe(w, r, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/late" {
				w.WriteHeader(http.StatusOK)
				http.NewResponseController(w).Flush()
			}
			panic("the secret cause")
		})
	}))
	defer srv.Close()
	resp, err := srv.Client().Get(srv.URL + "/early")
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if resp.StatusCode != 500 || strings.Contains(string(body), "secret") || !strings.Contains(string(body), resp.Header.Get("X-Request-ID")) {
		t.Errorf("%d %q", resp.StatusCode, body)
	}
	if !strings.Contains(log.String(), "the secret cause") {
		t.Error("the log does not have the cause")
	}
	resp, err = srv.Client().Get(srv.URL + "/late")
	if err != nil {
		t.Fatal(err)
	}
	if _, err = io.ReadAll(resp.Body); err == nil {
		t.Error("an answer that broke off looks whole")
	}
	_ = resp.Body.Close()
}

// due is a State that counts how often a sweep asked it.
type due struct {
	tus.State
	asked chan struct{}
}

func (d due) Due(context.Context, time.Time) iter.Seq2[tus.ID, error] {
	return func(func(tus.ID, error) bool) { d.asked <- struct{}{} }
}

func TestTheSweeperRunsAtOnceAndThenAtEveryInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, err := Load(Env{"FILELOFT_SWEEP_INTERVAL=10m"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		d := due{asked: make(chan struct{}, 10)}
		a, err := New(c, d, nothing{}, &Options{Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		go a.sweepUntil(ctx)
		for i, at := range []time.Duration{0, 9 * time.Minute, 2 * time.Minute, 10 * time.Minute} {
			time.Sleep(at)
			synctest.Wait()
			if want := []int{1, 1, 2, 3}[i]; len(d.asked) != want {
				t.Errorf("step %d: asked %d times, want %d", i, len(d.asked), want)
			}
		}
		cancel()
		synctest.Wait()
	})
}
