package app

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fileloft/fileloft/hooks/webhook"
	"github.com/fileloft/fileloft/state/memstate"
	"github.com/fileloft/fileloft/storage/memstore"
)

const hookSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// hooked returns an App over memory with hooks to a receiver, which answers what reply says.
func hooked(t *testing.T, reply http.HandlerFunc, env ...string) http.Handler {
	t.Helper()
	srv := httptest.NewServer(reply)
	t.Cleanup(srv.Close)
	c, err := Load(append(Env{"FILELOFT_HOOKS_URL=" + srv.URL + "/in?a=b"}, env...), nil)
	if err != nil {
		t.Fatal(err)
	}
	a, err := New(c, memstate.New(nil), memstore.New(nil), &Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func upload(a http.Handler) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "/files/", strings.NewReader("hello"))
	r.Header.Set("Tus-Resumable", "1.0.0")
	r.Header.Set("Upload-Length", "5")
	r.Header.Set("Content-Type", "application/offset+octet-stream")
	r.Header.Set("Authorization", "Bearer token")
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)
	return w
}

func TestTheSettingsMakeTheHooks(t *testing.T) {
	var mu sync.Mutex
	var types []string
	a := hooked(
		t, func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			if err := webhook.Verify(r.Header, body, 0, hookSecret); err != nil {
				t.Error(err)
			}
			var m webhook.Message
			if err := json.Unmarshal(body, &m); err != nil {
				t.Error(err)
			}
			if r.URL.RawQuery != "a=b" || r.Header.Get("X-Key") != "a, b" || m.Source != "urn:me" {
				t.Errorf("%s %v %s", r.URL, r.Header, m.Source)
			}
			if strings.HasSuffix(m.Type, "pre-create") && m.Data.Headers.Get("Authorization") != "Bearer token" {
				t.Errorf("%v", m.Data.Headers)
			}
			mu.Lock()
			defer mu.Unlock()
			types = append(types, strings.TrimPrefix(m.Type, webhook.TypePrefix))
			if len(types) == 2 {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
		},
		"FILELOFT_HOOKS_SECRET="+hookSecret, "FILELOFT_HOOKS_EVENTS=pre-create,finished", "FILELOFT_HOOKS_SOURCE=urn:me",
		"FILELOFT_HOOKS_HEADERS=x-key=a%2C%20b", "FILELOFT_HOOKS_FORWARD_HEADERS=authorization", "FILELOFT_HOOKS_ATTEMPTS=2",
	)
	if w := upload(a); w.Code != 201 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if got := strings.Join(types, " "); got != "pre-create finished finished" {
		t.Error(got)
	}
}

// A receiver that hangs must not keep a request beyond the platform's end.
func TestAHookEndsBeforeThePlatformDoes(t *testing.T) {
	for hook, status := range map[string]int{"pre-create": 503, "created": 201, "pre-finish": 201, "finished": 201} {
		t.Run(hook, func(t *testing.T) {
			t.Parallel()
			release := make(chan struct{})
			a := hooked(
				t, func(http.ResponseWriter, *http.Request) { <-release },
				"FILELOFT_HOOKS_EVENTS="+hook, "FILELOFT_HOOKS_TIMEOUT=1h", "FILELOFT_REQUEST_TIMEOUT=4s",
			)
			start := time.Now()
			w := upload(a)
			took := time.Since(start)
			close(release)
			if w.Code != status || status == 503 && w.Header().Get("Retry-After") == "" || took >= 4*time.Second || took < 2*time.Second {
				t.Errorf("%d after %v: %s", w.Code, took, w.Body)
			}
		})
	}
}

func TestTheSecretsOfHooksAreNotLogged(t *testing.T) {
	c, err := Load(Env{
		"FILELOFT_HOOKS_URL=https://hooks.example.com/?key=hunter2", "FILELOFT_HOOKS_SECRET=" + hookSecret,
		"FILELOFT_HOOKS_HEADERS=Authorization=hunter2",
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	c.LogTo(NewLogger(&out, c))
	if strings.Contains(out.String(), "hunter2") || strings.Contains(out.String(), hookSecret) || strings.Count(out.String(), "(set)") != 3 {
		t.Errorf("%s", &out)
	}
}
