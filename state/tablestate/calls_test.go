package tablestate_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fileloft/fileloft/state/tablestate"
	"github.com/fileloft/fileloft/storage/memstore"
	"github.com/fileloft/fileloft/tus"
)

// The costs that the package comment promises, as requests on the wire.
func TestWhatEachStepCosts(t *testing.T) {
	st, client, w := open(t, azurite(t), nil)
	ctx := t.Context()
	called(t, w, "New")
	u := tus.Upload{ID: "a", Birth: "b", Length: 100, Offset: 7}
	create := claim(0, 0)
	try(st.Create(ctx, u, create))(t)
	called(t, w, "Create", insert)
	try(st.Create(ctx, u, create))(t)
	called(t, w, "Create repeated", insert, read)
	_, err := st.Create(ctx, u, claim(0, 0))
	refused(t, "Create of a taken ID", err, tus.ErrExists)
	called(t, w, "Create of a taken ID", insert, read)
	try(st.Load(ctx, "a"))(t)
	called(t, w, "Load", read)

	var l tus.Lease
	for range 5 {
		l = try(st.Acquire(ctx, "a", claim(time.Minute, 2)))(t)
		called(t, w, "Acquire", read, replace)
		next := l.Upload
		next.Offset++
		l = try(st.Commit(ctx, l, next, claim(time.Minute, 2)))(t)
		called(t, w, "a Commit that renews", replace)
		next.Offset++
		l = try(st.Commit(ctx, l, next, claim(0, 0)))(t)
		called(t, w, "a Commit that releases", replace)
	}

	try(st.Commit(ctx, l, l.Upload, claim(time.Minute, 0)))(t)
	called(t, w, "a Commit under a released lease", read, replace)

	steal := claim(time.Minute, 0)
	steal.Steal = true
	l = try(st.Acquire(ctx, "a", steal))(t)
	w.since()
	other := try(tablestate.New(client, nil))(t)
	l = try(other.Commit(ctx, l, l.Upload, claim(time.Minute, 0)))(t)
	called(t, w, "a Commit by another process", read, replace)
	next := l.Upload
	next.Expires = time.Now().Add(time.Hour)
	l = try(other.Commit(ctx, l, next, claim(time.Minute, 0)))(t)
	called(t, w, "a Commit that writes the index", batch)
	l = try(other.Commit(ctx, l, next, claim(time.Minute, 0)))(t)
	called(t, w, "the Commit after it", replace)
	noError(t, other.Delete(ctx, l))
	called(t, w, "Delete", batch)
	noError(t, other.Delete(ctx, l))
	called(t, w, "Delete repeated", read)
	_, err = st.Acquire(ctx, "nobody", claim(time.Minute, 0))
	refused(t, "Acquire of nothing", err, tus.ErrNotFound)
	called(t, w, "Acquire of nothing", read)
	noError(t, st.Ping(ctx))
	called(t, w, "Ping", read)

	for _, id := range []tus.ID{"", "../a", "a/b", "a#", "a\\", "a?", "a\x00", tus.ID(strings.Repeat("x", 3000))} {
		_, err := st.Load(ctx, id)
		refused(t, "Load of a bad ID", err, tus.ErrNotFound)
		_, err = st.Acquire(ctx, id, claim(time.Minute, 0))
		refused(t, "Acquire of a bad ID", err, tus.ErrNotFound)
	}
	called(t, w, "an ID that cannot be")
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

// create makes an upload of six thousand bytes and returns where it is.
func (c client) create(t *testing.T) string {
	t.Helper()
	made := c.do(http.MethodPost, "/files/", "", "Upload-Length", "6000")
	if made.Code != http.StatusCreated {
		t.Fatalf("POST: %d %s", made.Code, made.Body)
	}
	return made.Header().Get("Location")
}

func (c client) patch(t *testing.T, location string, offset int) {
	t.Helper()
	rec := c.do(http.MethodPatch, location, strings.Repeat("x", 1000),
		"Upload-Offset", fmt.Sprint(offset), "Content-Type", "application/offset+octet-stream")
	if rec.Code != http.StatusNoContent {
		t.Fatalf("PATCH: %d %s", rec.Code, rec.Body)
	}
}

// A PATCH through the engine is one read and two writes, however many came before it, with expiration too. The last one also
// seals the upload and finishes it. None lists anything.
func TestAPATCHIsOneReadAndTwoWrites(t *testing.T) {
	now := time.Unix(1_800_000_000, 0) // the beginning of a bucket
	clock := func() time.Time { now = now.Add(time.Second); return now }
	st, _, w := open(t, azurite(t), &tablestate.Options{Now: clock})
	c := client{try(tus.NewHandler(st, memstore.New(nil), &tus.Options{EnableExpiration: true, Now: clock}))(t)}
	location := c.create(t)
	called(t, w, "POST", batch)
	for i := range 5 {
		c.patch(t, location, i*1000)
		called(t, w, "PATCH", read, replace, replace)
	}
	if rec := c.do(http.MethodHead, location, ""); rec.Header().Get("Upload-Offset") != "5000" {
		t.Errorf("HEAD: %d %v", rec.Code, rec.Header())
	}
	called(t, w, "HEAD", read)
	c.patch(t, location, 5000)
	called(t, w, "the last PATCH", read, replace, batch, batch) // sealed, it is due soon; done, it is due when it expires
	if rec := c.do(http.MethodDelete, location, ""); rec.Code != http.StatusNoContent {
		t.Errorf("DELETE: %d %s", rec.Code, rec.Body)
	}
	called(t, w, "DELETE", read, read, replace, batch, batch) // it looks whether there is an upload first
}

func TestASweepRemovesWhatIsExpiredAndNeverScans(t *testing.T) {
	now := time.Unix(1_800_000_000, 0) // the beginning of a bucket: a minute later is still in it
	clock := func() time.Time { return now }
	st, tab, w := open(t, azurite(t), &tablestate.Options{Now: clock})
	h := try(tus.NewHandler(st, memstore.New(nil), &tus.Options{EnableExpiration: true, Now: clock}))(t)
	for range 10 {
		client{h}.create(t)
	}
	now = now.Add(12 * time.Hour)
	young := client{h}.create(t)
	now = now.Add(13 * time.Hour)
	w.since()
	report, err := h.Sweep(t.Context())
	if err != nil || report != (tus.SweepReport{Expired: 10}) {
		t.Errorf("Sweep: %+v, %v", report, err)
	}
	called(t, w, "a sweep of ten", slices.Concat(slices.Repeat([]string{query}, tablestate.Partitions), slices.Repeat([]string{read}, 10),
		slices.Repeat([]string{read, batch, replace, batch}, 10))...)
	left := 0
	for u, err := range st.List(t.Context(), "") {
		noError(t, err)
		if left++; !strings.HasSuffix(young, string(u.ID)) {
			t.Errorf("%s is left", u.ID)
		}
	}
	if entries := index(t, tab); left != 1 || len(entries) != 1 {
		t.Errorf("%d are left, and in the index %q, want 1 and 1", left, entries)
	}
}
