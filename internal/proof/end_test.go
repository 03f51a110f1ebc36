package proof

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/fileloft/fileloft/tus"
)

// inStore compares the upload's object with what was sent.
func (u *upload) inStore(ctx context.Context) error {
	// Trouble between this test and the store is none of the proof's: what fails is asked for again.
	rec, err := again(ctx, func() (tus.Upload, error) { return u.setup.stores.state.Load(ctx, tus.ID(u.id)) })
	if err != nil {
		return found("lost", "%s is complete, and its record: %v", u.id, err)
	}
	if rec.Phase != tus.Done {
		return found("corrupt", "%s was told to be complete, and is %v", u.id, rec.Phase)
	}
	return u.sameObject(ctx, &rec, u.data)
}

// sameObject compares a finished upload's object, read from the store, with what was sent.
func (l *load) sameObject(ctx context.Context, rec *tus.Upload, want []byte) error {
	if rec.Concat.Role == tus.Partial {
		return nil // nobody's object; its bytes are looked at in the final one
	}
	got, err := again(ctx, func() ([]byte, error) {
		o, err := l.setup.stores.object(ctx, rec)
		if err != nil {
			return nil, err
		}
		defer o.Close()
		return io.ReadAll(o)
	})
	switch {
	case err != nil:
		return found("corrupt", "%s is complete, and its object: %v", rec.ID, err)
	case !bytes.Equal(got, want):
		return found("corrupt", "%s is complete, and its object's %d bytes are not the %d sent", rec.ID, len(got), len(want))
	}
	return nil
}

// again tries a few times.
func again[T any](ctx context.Context, do func() (T, error)) (v T, err error) {
	for range 3 {
		if v, err = do(); err == nil || ctx.Err() != nil {
			return v, err
		}
		time.Sleep(200 * time.Millisecond)
	}
	return v, err
}

// checkEnd sweeps as on the days after, and holds all that the database and the store have against what there should be: finished uploads, each with
// its object, which is what was sent. Then it deletes these too.
func (l *load) checkEnd(t testing.TB) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	st := l.setup.stores
	for day := 1; day <= 10; day += 3 { // unfinished uploads live a day, waiting lists a week, and what follows from the end of one may be due later
		l.sweep(ctx, t, time.Duration(day)*25*time.Hour)
	}
	want := map[string]bool{}
	var done []tus.Upload
	for u, err := range st.state.(tus.Lister).List(ctx, "") {
		if err != nil {
			t.Fatalf("list: %v", err)
		}
		if u.Phase != tus.Done || u.Pending != 0 {
			l.tally.find(found("left", "record %s: %v at %d of %d, owing %v", u.ID, u.Phase, u.Offset, u.Length, u.Pending))
			continue
		}
		done = append(done, u)
		for _, n := range st.names(&u) {
			want[n] = true
		}
	}
	l.checkLeft(ctx, t, want)
	for i := range done {
		if err := l.checkContent(ctx, &done[i]); err != nil {
			l.tally.find(err)
		}
	}
	l.tally.add("records in the end", len(done))
	h := l.engine(t, 0)
	for i := range done {
		if err := remove(h, done[i].ID); err != nil {
			l.tally.find(found("left", "%s cannot be deleted: %v", done[i].ID, err))
		}
	}
	l.sweep(ctx, t, 300*time.Hour)
	for u, err := range st.state.(tus.Lister).List(ctx, "") {
		l.tally.find(found("left", "record %s, after all were deleted: %v, %v", u.ID, u.Phase, err))
	}
	l.checkLeft(ctx, t, nil)
}

// checkContent holds a finished upload against the file that it says to be of. It may be one that no client knows of.
func (l *load) checkContent(ctx context.Context, u *tus.Upload) error {
	p, err := pieceOf(u.Metadata)
	if err != nil || p.file >= len(l.files) {
		return found("corrupt", "%s: %v, %v", u.ID, p, err)
	}
	return l.sameObject(ctx, u, l.files[p.file].bytes()[p.from:p.to])
}

// checkLeft wants nothing in the store but this.
func (l *load) checkLeft(ctx context.Context, t testing.TB, want map[string]bool) {
	names, err := again(ctx, func() ([]string, error) { return l.setup.stores.inventory(ctx) })
	if err != nil {
		t.Fatalf("inventory: %v", err)
	}
	for _, n := range names {
		switch hidden := l.setup.stores.hidden; {
		case want[n]:
		case hidden != nil && hidden(n):
			l.tally.add("hidden, the store's to end", 1)
		default:
			l.tally.find(found("left", "%s", n))
		}
	}
	for n := range want {
		if !slices.Contains(names, n) {
			l.tally.find(found("lost", "%s is not in the store", n))
		}
	}
}

// engine is one over the stores themselves, some time from now.
func (l *load) engine(t testing.TB, later time.Duration) *tus.Handler {
	h, err := tus.NewHandler(l.setup.stores.state, l.setup.stores.storage, &tus.Options{
		EnableExpiration: true, EnableConcatenation: true, Now: func() time.Time { return time.Now().Add(later) }, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// remove deletes a finished upload as a client would.
func remove(h http.Handler, id tus.ID) error {
	r := httptest.NewRequest(http.MethodDelete, "/files/"+string(id), nil)
	r.Header.Set("Tus-Resumable", "1.0.0")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != http.StatusNoContent {
		return fmt.Errorf("%d %s", w.Code, w.Body)
	}
	return nil
}

// leaseTTL is what settings say.
const leaseTTL = 3 * time.Second

// sweep has what is due some time from now done. A lease ends by the state's clock, which is the true one: that of a holder who was killed at last
// may be running still, although the sweep is of days later. What has one when the longest must have ended is held by nobody that lives.
func (l *load) sweep(ctx context.Context, t testing.TB, later time.Duration) {
	h := l.engine(t, later)
	for over := time.Now().Add(2 * leaseTTL); ; time.Sleep(leaseTTL / 6) {
		r, err := again(ctx, func() (tus.SweepReport, error) { return h.Sweep(ctx) })
		l.tally.add("swept", r.Expired+r.Completed+r.Removed+r.Collected)
		t.Logf("sweep, %v later: %+v, %v", later, r, err)
		if err == nil && r.Failed == 0 && r.Busy > 0 && time.Now().Before(over) {
			continue
		}
		if err != nil || r.Failed > 0 {
			l.tally.find(found("left", "sweep: %+v, %v", r, err))
		}
		return
	}
}
