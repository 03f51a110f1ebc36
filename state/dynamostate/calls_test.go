package dynamostate_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fileloft/fileloft/state/dynamostate"
	"github.com/fileloft/fileloft/storage/memstore"
	"github.com/fileloft/fileloft/tus"
)

// called ends the test where other calls were made than these.
func called(t *testing.T, w *wire, what string, want ...string) {
	t.Helper()
	if got := w.since(); !slices.Equal(got, want) {
		t.Errorf("%s made the calls %q, want %q", what, got, want)
	}
}

func TestEachStepIsOneCallAndExplainsItselfWithoutARead(t *testing.T) {
	st, _, w := open(t, nil)
	ctx := t.Context()
	u := tus.Upload{ID: "a", Birth: "b", Length: 100, Offset: 7}
	create := claim(0, 0)
	try(st.Create(ctx, u, create))(t)
	called(t, w, "Create", "PutItem")
	try(st.Create(ctx, u, create))(t)
	called(t, w, "Create repeated", "PutItem")
	_, err := st.Create(ctx, u, claim(0, 0))
	refused(t, "Create of a taken ID", err, tus.ErrExists)
	called(t, w, "Create of a taken ID", "PutItem")

	first := claim(time.Minute, 2)
	first.Offset = 7
	l := try(st.Acquire(ctx, "a", first))(t)
	next := l.Upload
	next.Offset = 50
	kept := try(st.Commit(ctx, l, next, claim(time.Minute, 2)))(t)
	called(t, w, "a PATCH", "UpdateItem", "UpdateItem")

	_, err = st.Acquire(ctx, "a", claim(time.Minute, 0))
	if e, ok := errors.AsType[*tus.LeasedError](err); !ok || e.Upload.Offset != 50 || !e.Expires.Equal(kept.Expires) {
		t.Errorf("Acquire of a leased upload: %+v", err)
	}
	called(t, w, "Acquire of a leased upload", "UpdateItem")
	_, err = st.Commit(ctx, l, next, claim(0, 0))
	refused(t, "Commit by a lease renewed since", err, tus.ErrSuperseded)
	called(t, w, "a superseded Commit", "UpdateItem")

	released := try(st.Commit(ctx, kept, kept.Upload, claim(0, 0)))(t)
	wrong := claim(time.Minute, 0)
	wrong.Offset = 7
	w.since()
	_, err = st.Acquire(ctx, "a", wrong)
	if e, ok := errors.AsType[*tus.OffsetError](err); !ok || e.Upload.Offset != 50 {
		t.Errorf("Acquire at another offset: %+v", err)
	}
	called(t, w, "Acquire at another offset", "UpdateItem")
	_, err = st.Acquire(ctx, "nobody", claim(time.Minute, 0))
	refused(t, "Acquire of nothing", err, tus.ErrNotFound)
	called(t, w, "Acquire of nothing", "UpdateItem")

	try(st.Load(ctx, "a"))(t)
	called(t, w, "Load", "GetItem")
	refused(t, "Delete by an older lease", st.Delete(ctx, kept), tus.ErrSuperseded)
	called(t, w, "a superseded Delete", "DeleteItem")
	noError(t, st.Delete(ctx, released))
	noError(t, st.Delete(ctx, released))
	called(t, w, "Delete and its repeat", "DeleteItem", "DeleteItem")
	noError(t, st.Ping(ctx))
	called(t, w, "Ping", "GetItem")

	for _, id := range []tus.ID{"", "../a", tus.ID(strings.Repeat("x", 3000))} {
		_, err := st.Load(ctx, id)
		refused(t, "Load of a bad ID", err, tus.ErrNotFound)
		_, err = st.Acquire(ctx, id, claim(time.Minute, 0))
		refused(t, "Acquire of a bad ID", err, tus.ErrNotFound)
	}
	called(t, w, "an ID that cannot be")
}

func refused(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
}

// The record of another life is not this call's, even where it carries this call's nonce.
func TestCreateKnowsItsOwnByBirthAndNonce(t *testing.T) {
	st, _, _ := open(t, nil)
	c := claim(0, 0)
	try(st.Create(t.Context(), tus.Upload{ID: "a", Birth: "b"}, c))(t)
	_, err := st.Create(t.Context(), tus.Upload{ID: "a", Birth: "another"}, c)
	refused(t, "Create of a taken ID", err, tus.ErrExists)
}

func TestLoadIsStronglyConsistent(t *testing.T) {
	st, _, w := open(t, nil)
	try(st.Create(t.Context(), tus.Upload{ID: "a", Birth: "b"}, claim(0, 0)))(t)
	try(st.Load(t.Context(), "a"))(t)
	if !strings.Contains(w.body, `"ConsistentRead":true`) {
		t.Errorf("Load asked for %s", w.body)
	}
	try(st.Read(t.Context(), "a"))(t)
	if !strings.Contains(w.body, `"ConsistentRead":true`) {
		t.Errorf("a listing asked for %s", w.body)
	}
}

// client speaks tus to a handler.
type client struct{ h http.Handler }

func (c client) do(method, path, body string, header ...string) *httptest.ResponseRecorder {
	req := httptest.NewRequest(method, path, strings.NewReader(body))
	req.Header.Set("Tus-Resumable", "1.0.0")
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	rec := httptest.NewRecorder()
	c.h.ServeHTTP(rec, req)
	return rec
}

// create makes an upload of a million bytes and returns where it is.
func (c client) create(t *testing.T) string {
	t.Helper()
	made := c.do(http.MethodPost, "/files/", "", "Upload-Length", "1000000")
	if made.Code != http.StatusCreated {
		t.Fatalf("POST: %d %s", made.Code, made.Body)
	}
	return made.Header().Get("Location")
}

// A PATCH through the engine is two UpdateItem calls and nothing else, with expiration too.
func TestAPATCHIsTwoWritesAndNoRead(t *testing.T) {
	st, _, w := open(t, nil)
	c := client{try(tus.NewHandler(st, memstore.New(nil), &tus.Options{EnableExpiration: true}))(t)}
	location := c.create(t)
	called(t, w, "POST", "PutItem")
	for i := range 5 {
		rec := c.do(http.MethodPatch, location, strings.Repeat("x", 1000),
			"Upload-Offset", fmt.Sprint(i*1000), "Content-Type", "application/offset+octet-stream")
		if rec.Code != http.StatusNoContent {
			t.Fatalf("PATCH: %d %s", rec.Code, rec.Body)
		}
		called(t, w, "PATCH", "UpdateItem", "UpdateItem")
	}
	if rec := c.do(http.MethodHead, location, ""); rec.Header().Get("Upload-Offset") != "5000" {
		t.Errorf("HEAD: %d %v", rec.Code, rec.Header())
	}
	called(t, w, "HEAD", "GetItem")
}

func TestASweepRemovesWhatIsExpiredAndNeverScans(t *testing.T) {
	now := time.Now()
	clock := func() time.Time { return now }
	st, _, w := open(t, &dynamostate.Options{Now: clock})
	h := try(tus.NewHandler(st, memstore.New(nil), &tus.Options{EnableExpiration: true, Now: clock}))(t)
	for range 25 {
		client{h}.create(t)
	}
	now = now.Add(12 * time.Hour)
	young := client{h}.create(t)
	now = now.Add(13 * time.Hour)
	w.since()
	report, err := h.Sweep(t.Context())
	if err != nil || report != (tus.SweepReport{Expired: 25}) {
		t.Errorf("Sweep: %+v, %v", report, err)
	}
	if calls := w.since(); slices.Contains(calls, "Scan") || len(calls) > 16+1+25*4 {
		t.Errorf("a sweep of 25 made %d calls: %q", len(calls), calls)
	}
	left := 0
	for u, err := range st.List(t.Context(), "") {
		noError(t, err)
		if left++; !strings.HasSuffix(young, string(u.ID)) {
			t.Errorf("%s is left", u.ID)
		}
	}
	if left != 1 {
		t.Errorf("%d are left, want 1", left)
	}
}
