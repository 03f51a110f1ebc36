package metrics

import (
	"context"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/fileloft/fileloft/internal/app"
	"github.com/fileloft/fileloft/state/memstate"
	"github.com/fileloft/fileloft/state/statetest"
	"github.com/fileloft/fileloft/storage/memstore"
	"github.com/fileloft/fileloft/tus"
)

// A replica is one of several servers over the same stores, with its own numbers.
type replica struct {
	*app.App
	m *Metrics
}

func newReplica(t testing.TB, state tus.State, storage tus.Storage, env ...string) replica {
	t.Helper()
	c, err := app.Load(env, nil)
	if err != nil {
		t.Fatal(err)
	}
	m := New(Info{Version: "v1", Storage: "memory", State: "memory"})
	a, err := app.New(c, state, storage, &app.Options{Log: slog.New(slog.DiscardHandler), Watch: m})
	if err != nil {
		t.Fatal(err)
	}
	return replica{a, m}
}

// send sends one tus request and returns the answer.
func (r replica) send(method, path string, body io.Reader, header ...string) *httptest.ResponseRecorder {
	req := httptest.NewRequest(method, path, body)
	header = append([]string{"Tus-Resumable", "1.0.0", "Content-Type", "application/offset+octet-stream"}, header...)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	r.ServeHTTP(w, req)
	return w
}

func text(s string) io.Reader { return strings.NewReader(s) }

// create makes an upload and returns its path.
func (r replica) create(t *testing.T, length int, header ...string) string {
	t.Helper()
	w := r.send(http.MethodPost, "/files/", nil, append(header, "Upload-Length", strconv.Itoa(length))...)
	if w.Code != http.StatusCreated {
		t.Fatalf("create: %d %s", w.Code, w.Body)
	}
	return strings.TrimPrefix(w.Header().Get("Location"), "http://example.com")
}

// page returns what Prometheus would read.
func (r replica) page(t *testing.T) string {
	t.Helper()
	w := httptest.NewRecorder()
	r.m.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	return w.Body.String()
}

// want compares series with their values.
func (r replica) want(t *testing.T, series map[string]float64) {
	t.Helper()
	page := "\n" + r.page(t)
	for _, name := range slices.Sorted(maps.Keys(series)) {
		_, rest, found := strings.Cut(page, "\n"+name+" ")
		value, _, _ := strings.Cut(rest, "\n")
		got, err := strconv.ParseFloat(value, 64)
		if !found || err != nil || got != series[name] {
			t.Errorf("%s is %q, want %v", name, value, series[name])
		}
	}
}

func TestNamesAndTypesFollowTheRules(t *testing.T) {
	r := newReplica(t, memstate.New(nil), memstore.New(nil))
	r.send(http.MethodPatch, r.create(t, 5), text("hello"), "Upload-Offset", "0")
	if _, err := r.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	problems, err := testutil.GatherAndLint(r.m.registry)
	if err != nil || len(problems) != 0 {
		t.Errorf("%v %v", problems, err)
	}
}

func TestAnUploadInNumbers(t *testing.T) {
	r := newReplica(t, memstate.New(nil), memstore.New(nil))
	path := r.create(t, 10)
	r.send(http.MethodPatch, path, text("hello"), "Upload-Offset", "0")
	r.send(http.MethodPatch, path, text("hello"), "Upload-Offset", "0") // where it is no more
	r.send(http.MethodHead, path, nil)
	r.send(http.MethodPost, path, text("world"), "Upload-Offset", "5", "X-HTTP-Method-Override", "PATCH")
	r.send(http.MethodDelete, path, nil)
	r.send("BREW", "/pot/"+path, nil)
	r.send(http.MethodGet, "/healthz", nil)
	r.send(http.MethodGet, "/readyz", nil)
	r.want(t, map[string]float64{
		`fileloft_http_requests_total{code="201",method="POST"}`:            1,
		`fileloft_http_requests_total{code="204",method="PATCH"}`:           2,
		`fileloft_http_requests_total{code="409",method="PATCH"}`:           1,
		`fileloft_http_requests_total{code="200",method="HEAD"}`:            1,
		`fileloft_http_requests_total{code="204",method="DELETE"}`:          1,
		`fileloft_http_requests_total{code="404",method="other"}`:           1,
		`fileloft_http_request_duration_seconds_count{method="PATCH"}`:      3,
		`fileloft_http_requests_in_flight`:                                  0,
		`fileloft_http_received_bytes_total`:                                10, // the refused body was not read
		`fileloft_uploads_created_total{kind="whole"}`:                      1,
		`fileloft_uploads_sealed_total{kind="whole"}`:                       1,
		`fileloft_uploads_finished_total{kind="whole"}`:                     1,
		`fileloft_uploads_removed_total{reason="terminated"}`:               1,
		`fileloft_uploads_removed_total{reason="failed"}`:                   0,
		`fileloft_upload_committed_bytes_total`:                             10,
		`fileloft_storage_written_bytes_total`:                              10,
		`fileloft_state_calls_total{call="create",result="ok"}`:             1,
		`fileloft_state_calls_total{call="acquire",result="refused"}`:       1,
		`fileloft_state_calls_total{call="delete",result="ok"}`:             1,
		`fileloft_state_call_duration_seconds_count{call="load"}`:           2, // HEAD and DELETE
		`fileloft_storage_calls_total{call="append",result="ok"}`:           2,
		`fileloft_storage_calls_total{call="complete",result="ok"}`:         1,
		`fileloft_storage_calls_total{call="remove",result="ok"}`:           1,
		`fileloft_storage_call_duration_seconds_count{call="append"}`:       2,
		`fileloft_lease_steals_total`:                                       1, // the deletion
		`fileloft_lease_conflicts_total`:                                    0,
		`fileloft_build_info{state="memory",storage="memory",version="v1"}`: 1,
	})
}

func TestNoLabelHoldsWhatAClientChose(t *testing.T) {
	r := newReplica(t, memstate.New(nil), memstore.New(nil))
	path := r.create(t, 10, "Upload-Metadata", "filename c2VjcmV0")
	r.send("CHOSEN", path, nil, "X-Request-ID", "chosen")
	r.send(http.MethodGet, "/chosen", nil)
	page := r.page(t)
	for _, s := range []string{strings.TrimPrefix(path, "/files/"), "chosen", "CHOSEN", "secret"} {
		if strings.Contains(page, s) {
			t.Errorf("the page contains %q", s)
		}
	}
}

func TestWhyUploadsAreRemoved(t *testing.T) {
	r := newReplica(t, memstate.New(nil), memstore.New(nil),
		"FILELOFT_ENABLE_EXPIRATION=1", "FILELOFT_EXPIRATION_TTL=1", "FILELOFT_ENABLE_CONCATENATION=1", "FILELOFT_ENABLE_CLEANUP_CONCAT_PARTIALS=1")
	// A body whose checksum is wrong takes its upload with it.
	if w := r.send(http.MethodPost, "/files/", text("hello"), "Upload-Length", "5", "Upload-Checksum", "sha1 AAAAAAAAAAAAAAAAAAAAAAAAAAA="); w.Code != 460 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	part := r.create(t, 5, "Upload-Concat", "partial")
	r.send(http.MethodPatch, part, text("hello"), "Upload-Offset", "0")
	if w := r.send(http.MethodPost, "/files/", nil, "Upload-Concat", "final;"+part); w.Code != http.StatusCreated {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	r.create(t, 7)
	time.Sleep(1100 * time.Millisecond)
	if report, err := r.Sweep(t.Context()); err != nil || report.Expired != 1 {
		t.Fatalf("%+v %v", report, err)
	}
	r.want(t, map[string]float64{
		`fileloft_uploads_created_total{kind="whole"}`:                  2,
		`fileloft_uploads_created_total{kind="partial"}`:                1,
		`fileloft_uploads_created_total{kind="final"}`:                  1,
		`fileloft_uploads_finished_total{kind="partial"}`:               1,
		`fileloft_uploads_finished_total{kind="final"}`:                 1,
		`fileloft_uploads_removed_total{reason="failed"}`:               1,
		`fileloft_uploads_removed_total{reason="cleaned_up"}`:           1,
		`fileloft_uploads_removed_total{reason="expired"}`:              1,
		`fileloft_uploads_removed_total{reason="terminated"}`:           0,
		`fileloft_upload_committed_bytes_total`:                         5,
		`fileloft_storage_calls_total{call="concat",result="ok"}`:       1,
		`fileloft_sweeps_total{result="ok"}`:                            1,
		`fileloft_sweep_uploads_total{outcome="expired"}`:               1,
		`fileloft_sweep_duration_seconds_count`:                         1,
		`fileloft_storage_calls_total{call="collect",result="ok"}`:      1,
		`fileloft_storage_call_duration_seconds_count{call="complete"}`: 1, // of the part
	})
}

// until waits for a condition that another goroutine brings about.
func until(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for range 500 {
		if cond() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("never: %s", what)
}

// Two servers share their stores. One holds the lease of an upload, with a body that does not end; the other is turned away, and
// then takes the lease by force, for a deletion.
func TestAFencedWriterIsCounted(t *testing.T) {
	state, storage := memstate.New(nil), memstore.New(nil)
	one := newReplica(t, state, storage)
	two := newReplica(t, state, storage, "FILELOFT_LOCK_TIMEOUT=100ms")
	path := one.create(t, 100)
	body, in := io.Pipe()
	answered := make(chan *httptest.ResponseRecorder)
	go func() { answered <- one.send(http.MethodPatch, path, body, "Upload-Offset", "0") }()
	_, _ = in.Write([]byte("x"))
	until(t, "the first has its lease", func() bool {
		return testutil.ToFloat64(one.m.stateCalls.WithLabelValues("acquire", "ok")) == 1
	})
	if w := two.send(http.MethodPatch, path, text("y"), "Upload-Offset", "0"); w.Code != http.StatusLocked {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if n := testutil.ToFloat64(two.m.conflicts); n < 2 || n > 10 {
		t.Errorf("%v conflicts in 100 ms of asking", n)
	}
	if w := two.send(http.MethodDelete, path, nil); w.Code != http.StatusNoContent {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	_, _ = in.Write([]byte("z"))
	_ = in.Close()
	if w := <-answered; w.Code != http.StatusNotFound {
		t.Errorf("the writer of a deleted upload is answered %d %s", w.Code, w.Body)
	}
	one.want(t, map[string]float64{`fileloft_superseded_commits_total`: 1, `fileloft_lease_conflicts_total`: 0, `fileloft_upload_committed_bytes_total`: 0})
	two.want(t, map[string]float64{`fileloft_lease_steals_total`: 1, `fileloft_superseded_commits_total`: 0, `fileloft_uploads_removed_total{reason="terminated"}`: 1})
}

func TestStepsThatAreTriedAgain(t *testing.T) {
	var lose atomic.Int32
	state := statetest.NewFaulty(memstate.New(nil), func(method string) statetest.Fault {
		if method == "Commit" && lose.Add(-1) >= 0 {
			return statetest.LoseAnswer
		}
		return statetest.Pass
	})
	r := newReplica(t, state, memstore.New(nil))
	path := r.create(t, 10)
	lose.Store(2)
	if w := r.send(http.MethodPatch, path, text("hello"), "Upload-Offset", "0"); w.Code != http.StatusNoContent {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	r.want(t, map[string]float64{
		`fileloft_state_calls_total{call="commit",result="error"}`: 2,
		`fileloft_state_calls_total{call="commit",result="ok"}`:    1,
		`fileloft_state_retries_total{call="commit"}`:              2,
		`fileloft_upload_committed_bytes_total`:                    5,
	})
	if n := len(r.m.doubtful.calls); n != 0 {
		t.Errorf("%d calls are still in doubt", n)
	}
}

// full is a storage without space.
type full struct{ tus.Storage }

func (full) Append(context.Context, tus.Lease, io.Reader) (tus.Receipt, error) {
	return tus.Receipt{}, tus.ErrNoSpace
}

func TestWhatTheStorageSays(t *testing.T) {
	state, storage := memstate.New(nil), memstore.New(nil)
	r := newReplica(t, state, full{storage})
	if w := r.send(http.MethodPatch, r.create(t, 5), text("hello"), "Upload-Offset", "0"); w.Code != http.StatusInsufficientStorage {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	r.want(t, map[string]float64{`fileloft_storage_calls_total{call="append",result="no_space"}`: 1})
	// A client that goes away is no failure of the storage's.
	r = newReplica(t, state, storage)
	body, in := io.Pipe()
	go func() { _ = in.CloseWithError(io.ErrUnexpectedEOF) }()
	r.send(http.MethodPatch, r.create(t, 5), body, "Upload-Offset", "0")
	r.want(t, map[string]float64{
		`fileloft_storage_calls_total{call="append",result="body"}`:  1,
		`fileloft_storage_calls_total{call="append",result="error"}`: 0,
	})
}
