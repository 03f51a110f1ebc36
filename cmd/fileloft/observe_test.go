package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// metricsURL returns where a server's metrics are, as its log says.
func (s *server) metricsURL() string {
	s.t.Helper()
	for _, line := range s.log {
		if line["msg"] == "metrics" {
			return "http://" + line["address"].(string)
		}
	}
	s.t.Fatalf("no line about metrics: %v", s.log)
	return ""
}

// scrape reads a server's metrics as Prometheus does.
func (s *server) scrape() map[string]*dto.MetricFamily {
	s.t.Helper()
	resp := request(s.t, http.MethodGet, s.metricsURL()+"/metrics", nil)
	p := expfmt.NewTextParser(model.LegacyValidation)
	families, err := p.TextToMetricFamilies(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		s.t.Fatalf("%s: %v", resp.Status, err)
	}
	return families
}

// value returns a counter's or a gauge's value; labels are name, value, name, value.
func (s *server) value(name string, labels ...string) float64 {
	s.t.Helper()
	for _, m := range s.scrape()["fileloft_"+name].GetMetric() {
		has := map[string]string{}
		for _, l := range m.GetLabel() {
			has[l.GetName()] = l.GetValue()
		}
		same := true
		for i := 0; i < len(labels); i += 2 {
			same = same && has[labels[i]] == labels[i+1]
		}
		if same {
			return m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	s.t.Errorf("there is no %s %q", name, labels)
	return -1
}

func TestMetricsOfTheBinary(t *testing.T) {
	t.Parallel()
	s := serve(t, command(t, []string{"FILELOFT_DATA_DIR=d", "FILELOFT_METRICS_BIND=127.0.0.1:0", "FILELOFT_ENABLE_DOWNLOAD=1"}))
	path := create(t, s, 10)
	for _, offset := range []string{"0", "0", "5"} {
		s.request(http.MethodPatch, path, []byte("hello"), "Upload-Offset", offset)
	}
	s.holds(path, []byte("hellohello"))
	page, err := io.ReadAll(request(t, http.MethodGet, s.metricsURL()+"/metrics", nil).Body)
	if err != nil {
		t.Fatal(err)
	}
	if problems, err := promlint.New(bytes.NewReader(page)).Lint(); err != nil || len(problems) > 0 {
		t.Errorf("%v %v", problems, err)
	}
	if id := strings.TrimPrefix(path, "/files/"); strings.Contains(string(page), id) {
		t.Error("the metrics contain an upload's id")
	}
	for _, tt := range []struct {
		want   float64
		name   string
		labels []string
	}{
		{1, "http_requests_total", []string{"method", "POST", "code", "201"}},
		{2, "http_requests_total", []string{"method", "PATCH", "code", "204"}},
		{1, "http_requests_total", []string{"method", "PATCH", "code", "409"}},
		{1, "http_requests_total", []string{"method", "GET", "code", "200"}},
		{10, "http_sent_bytes_total", nil},
		{10, "upload_committed_bytes_total", nil},
		{1, "uploads_finished_total", []string{"kind", "whole"}},
		{2, "storage_calls_total", []string{"call", "append", "result", "ok"}},
		{1, "storage_calls_total", []string{"call", "open", "result", "ok"}},
		{1, "build_info", []string{"version", testRelease, "storage", "fs", "state", "sqlite"}},
	} {
		got := s.value(tt.name, tt.labels...)
		if tt.name == "http_sent_bytes_total" { // the refusal has a sentence
			got = min(got, tt.want)
		}
		if got != tt.want {
			t.Errorf("%s %q is %v, want %v", tt.name, tt.labels, got, tt.want)
		}
	}
	for _, want := range []string{"go_goroutines", "process_resident_memory_bytes"} {
		if s.scrape()[want] == nil {
			t.Errorf("no %s", want)
		}
	}
	// Neither is where clients are, and profiles only where they are wanted.
	for _, url := range []string{s.url + "/metrics", s.url + "/debug/pprof/", s.metricsURL() + "/debug/pprof/", s.metricsURL() + "/files/"} {
		if resp := request(t, http.MethodGet, url, nil); resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %s", url, resp.Status)
		}
	}
	if s.stop() != 0 {
		t.Errorf("%v", s.log)
	}
}

// Two processes share a directory. One is in the middle of a body; the other is turned away, and then deletes the upload.
func TestTwoProcessesCountWhatBecomesOfALease(t *testing.T) {
	t.Parallel()
	env := []string{"FILELOFT_DATA_DIR=" + filepath.Join(t.TempDir(), "d"), "FILELOFT_METRICS_BIND=127.0.0.1:0", "FILELOFT_LOCK_TIMEOUT=1"}
	one, two := serve(t, command(t, env)), serve(t, command(t, env))
	uploads := 0
	var conflicts, superseded float64
	for ; uploads < 10 && (conflicts == 0 || superseded == 0); uploads++ { // on a starved machine the writer may fall silent, and has no lease then
		conflicts, superseded = meet(t, one, two)
	}
	t.Logf("%d uploads", uploads)
	if conflicts < 1 || superseded < 1 {
		t.Errorf("%v conflicts, %v superseded commits", conflicts, superseded)
	}
	if got := two.value("lease_steals_total"); got < 1 || got > float64(uploads) {
		t.Errorf("%v steals", got)
	}
	if got := two.value("uploads_removed_total", "reason", "terminated"); got != float64(uploads) {
		t.Errorf("%v removed of %d", got, uploads)
	}
}

// meet has two turned away, and one superseded, and returns what they have counted by then.
func meet(t *testing.T, one, two *server) (conflicts, superseded float64) {
	acquired := one.value("state_calls_total", "call", "acquire", "result", "ok")
	path := create(t, one, 1000)
	f := one.patchSlowly(path, 1000, []byte("x"))
	ended := make(chan struct{})
	var typing sync.WaitGroup
	typing.Go(func() { // a byte now and then: a client that is silent loses its lease
		for {
			select {
			case <-ended:
				return
			case <-time.After(50 * time.Millisecond):
				if _, err := f.rest.Write([]byte("x")); err != nil {
					return
				}
			}
		}
	})
	for one.value("state_calls_total", "call", "acquire", "result", "ok") == acquired {
		time.Sleep(20 * time.Millisecond)
	}
	before := two.value("lease_conflicts_total")
	beside := two.request(http.MethodPatch, path, []byte("y"), "Upload-Offset", fmt.Sprint(two.offset(path)))
	conflicts = two.value("lease_conflicts_total")
	if conflicts > before && beside.StatusCode != http.StatusLocked && beside.StatusCode != http.StatusConflict {
		t.Errorf("beside a living writer: %s", beside.Status)
	}
	before = one.value("superseded_commits_total")
	if resp := two.request(http.MethodDelete, path, nil); resp.StatusCode != http.StatusNoContent {
		t.Errorf("%s", resp.Status)
	}
	answered := <-f.answer
	close(ended)
	_ = f.rest.Close()
	typing.Wait()
	superseded = one.value("superseded_commits_total")
	if superseded > before && answered != nil && answered.StatusCode != http.StatusNotFound {
		t.Errorf("the writer is answered %s", answered.Status)
	}
	return conflicts, superseded
}

func TestMetricsCanBeReadUntilTheServerHasDrained(t *testing.T) {
	t.Parallel()
	s := serve(t, command(t, []string{"FILELOFT_DATA_DIR=d", "FILELOFT_METRICS_BIND=127.0.0.1:0", "FILELOFT_SHUTDOWN_TIMEOUT=4s"}))
	url := s.metricsURL()
	s.patchSlowly(create(t, s, 100), 100, []byte("x"))
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	s.await("stopping")
	if got := s.value("http_requests_in_flight"); got != 1 {
		t.Errorf("%v requests in flight while the server drains", got)
	}
	if status := s.wait(); status != 0 {
		t.Errorf("exit status %d: %v", status, s.log)
	}
	if conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://")); err == nil {
		_ = conn.Close()
		t.Error("the metrics outlive the server")
	}
}

func TestProfilesWhereTheyAreWanted(t *testing.T) {
	t.Parallel()
	s := serve(t, command(t, []string{"FILELOFT_DATA_DIR=d", "FILELOFT_METRICS_BIND=127.0.0.1:0", "FILELOFT_ENABLE_PPROF=1"}))
	for path, want := range map[string]int{
		"/debug/pprof/": 200, "/debug/pprof/heap": 200, "/debug/pprof/goroutine?debug=1": 200, "/debug/pprof/profile?seconds=1": 200,
		"/debug/pprof/cmdline": 404, // flags may be secrets
	} {
		if resp := request(t, http.MethodGet, s.metricsURL()+path, nil); resp.StatusCode != want {
			t.Errorf("%s: %s", path, resp.Status)
		}
	}
}

func TestAnAddressOfTheMetricsInUseNamesTheVariable(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	r := run1(t, []string{"FILELOFT_BIND=127.0.0.1:0", "FILELOFT_DATA_DIR=d", "FILELOFT_METRICS_BIND=" + ln.Addr().String(), "FILELOFT_LOG_LEVEL=off"})
	if r.status != 1 || !strings.Contains(r.stderr, "FILELOFT_METRICS_BIND") || strings.Count(r.stderr, "\n") != 1 {
		t.Errorf("%+v", r)
	}
}
