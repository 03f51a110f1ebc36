package azurehost

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestMistakesInThePackageShow(t *testing.T) {
	change := func(file, text, old, by string) []string {
		changed := strings.Replace(text, old, by, 1)
		if changed == text {
			t.Fatalf("%s has no %s", file, old)
		}
		return []string{file, changed}
	}
	for _, tt := range []struct {
		name  string
		files []string
		want  string
	}{
		{"no host.json of this version", change("host.json", hostJSON, "2.0", "1.0"), `version "1.0"`},
		{"a misspelt field", change("host.json", hostJSON, "enableProxying", "enableProxing"), "enableProxingHttpRequest"},
		{"requests as JSON", change("host.json", hostJSON, `"enableProxyingHttpRequest":true`, `"enableProxyingHttpRequest":false`), "not modelled"},
		{"no such program", change("host.json", hostJSON, `"handler"`, `"missing"`), "missing"},
		{"a program that is none", []string{"host.json", strings.Replace(hostJSON, `"handler"`, `"host.json"`, 1)}, "cannot be executed"},
		{"no output", change("All/function.json", httpJSON, `,{"type":"http","direction":"out","name":"res"}`, ""), "without an http output"},
		{"a timer of five fields", change("Clock/function.json", timerJSON, "0 */10", "*/10"), "5 fields"},
		{"a route that is not known here", change("All/function.json", httpJSON, "{*path}", "{id:int}"), "not modelled"},
		{"a field that is none", change("All/function.json", httpJSON, `"route"`, `"rout"`), "rout"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, err := New(t.Context(), folder(t, tt.files...), &Options{Env: []string{role + "=serves"}})
			if err == nil {
				a.Close()
				t.Fatal("it starts")
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v does not say %q", err, tt.want)
			}
		})
	}
}

func TestAHandlerThatEndsAtItsStart(t *testing.T) {
	a, err := New(t.Context(), folder(t), &Options{Env: []string{role + "=ends"}})
	if err == nil {
		a.Close()
		t.Fatal("it is deployed")
	}
	if !strings.Contains(err.Error(), "ended at its start") {
		t.Error(err)
	}
}

func TestRoutes(t *testing.T) {
	_, srv := deploy(t, Options{})
	for _, tt := range []struct {
		method, path string
		want         int
	}{
		{"GET", "/", 200},
		{"GET", "/any/where", 200},
		{"HEAD", "/any", 200},
		{"PATCH", "/any", 200},
		{"OPTIONS", "/any", 200},
		{"DELETE", "/any", 404}, // it is not among the methods here
		{"GET", "/admin/host/status", 404},
		{"GET", "/Runtime/webhooks", 404},
	} {
		if status, _, _ := ask(t, tt.method, srv.URL+tt.path, nil); status != tt.want {
			t.Errorf("%s %s: %d, want %d", tt.method, tt.path, status, tt.want)
		}
	}
	_, srv = deploy(t, Options{}, "host.json", strings.Replace(hostJSON, `,"extensions":{"http":{"routePrefix":""}}`, "", 1),
		"All/function.json", strings.Replace(httpJSON, `"authLevel":"anonymous",`, "", 1))
	for path, want := range map[string]int{"/files/": 404, "/api/files/": 401} { // the defaults: the prefix api, and a key
		if status, _, _ := ask(t, "GET", srv.URL+path, nil); status != want {
			t.Errorf("%s: %d, want %d", path, status, want)
		}
	}
}

func TestTimer(t *testing.T) {
	a, srv := deploy(t, Options{})
	r, err := a.Timer(t.Context(), "Clock")
	if err != nil || len(r.Logs) != 1 || !strings.HasPrefix(r.Logs[0], "Azure-Functions-Host/4.") {
		t.Errorf("%+v, %v", r, err)
	}
	for _, want := range []string{`Data`, `timer`, `IsPastDue`, `Metadata`, `sys`} {
		if !strings.Contains(string(r.ReturnValue), want) {
			t.Errorf("the invocation %s has no %s", r.ReturnValue, want)
		}
	}
	if _, err := a.Timer(t.Context(), "All"); err == nil {
		t.Error("a function without a timer is invoked by one")
	}
	// From outside the path is a client's like any other.
	if status, _, s := ask(t, "POST", srv.URL+"/Clock", nil); status != 200 || s.Method != "POST" {
		t.Errorf("%d %+v", status, s)
	}
	for _, what := range []string{"null", "plain", "fails"} {
		a, _ := deploy(t, Options{Env: []string{"TEST_CLOCK=" + what}})
		if r, err := a.Timer(t.Context(), "Clock"); err == nil {
			t.Errorf("%s: %+v", what, r)
		}
	}
}

func TestTheFrontEndGivesUp(t *testing.T) {
	_, srv := deploy(t, Options{Timeout: 100 * time.Millisecond})
	begin := time.Now()
	if status, _, _ := ask(t, "GET", srv.URL+"/?do=hang", nil); status != http.StatusBadGateway || time.Since(begin) > 5*time.Second {
		t.Errorf("%d after %v", status, time.Since(begin))
	}
}

func TestAWorkerThatIsKilled(t *testing.T) {
	a, srv := deploy(t, Options{})
	_, _, was := ask(t, "GET", srv.URL+"/", nil)
	if status, _, _ := ask(t, "PATCH", srv.URL+"/?do=exit", strings.NewReader("x")); status != http.StatusBadGateway {
		t.Errorf("in the middle of a body: %d", status)
	}
	status, _, is := ask(t, "GET", srv.URL+"/", nil)
	if status != 200 || is.PID == was.PID {
		t.Errorf("after it: %d by process %d, that was %d", status, is.PID, was.PID)
	}
	if requests, failed := a.Counts(); requests != 3 || failed != 1 {
		t.Errorf("%d requests, %d failed", requests, failed)
	}
	resp, err := http.Get(srv.URL + "/?do=half")
	if err == nil {
		_, err = io.ReadAll(resp.Body)
		resp.Body.Close()
	}
	if err == nil {
		t.Error("half an answer passes for a whole one")
	}
	go func() {
		time.Sleep(200 * time.Millisecond)
		a.KillBusy(context.Background())
	}()
	// A request without a body is sent again: RetryProxyHandler.cs.
	if status, _, again := ask(t, "GET", srv.URL+"/?do=sleep", nil); status != 200 || again.PID == is.PID {
		t.Errorf("%d by process %d, that was %d", status, again.PID, is.PID)
	}
}

func TestAWorkerThatIsFrozen(t *testing.T) {
	a, srv := deploy(t, Options{Instances: 2})
	if n := len(a.Instances()); n != 2 {
		t.Fatalf("%d instances", n)
	}
	frozen := a.Instances()[0].PID
	if !a.Freeze(frozen) || a.Freeze(0) {
		t.Fatal("it is not there")
	}
	slow := 0
	for range 2 { // in turn
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		r, _ := http.NewRequestWithContext(ctx, http.MethodGet, srv.URL, nil)
		resp, err := http.DefaultClient.Do(r)
		if err == nil {
			resp.Body.Close()
		} else if errors.Is(err, context.DeadlineExceeded) {
			slow++
		}
		cancel()
	}
	if slow != 1 {
		t.Errorf("%d of two requests wait for the frozen one", slow)
	}
	a.Thaw(frozen)
	pids := map[int]bool{}
	for range 2 {
		_, _, s := ask(t, "GET", srv.URL, nil)
		pids[s.PID] = true
	}
	if !pids[frozen] || len(pids) != 2 {
		t.Errorf("%v answered, frozen was %d", pids, frozen)
	}
}
