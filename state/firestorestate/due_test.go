package firestorestate_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/firestore"
	"cloud.google.com/go/firestore/apiv1/firestorepb"

	"github.com/fileloft/fileloft/state/firestorestate"
	"github.com/fileloft/fileloft/tus"
)

// fields reads a document as it lies in the collection.
func fields(t testing.TB, client *firestore.Client, id tus.ID) map[string]any {
	t.Helper()
	return try(client.Collection(collection).Doc(firestorestate.DocumentID(id)).Get(t.Context()))(t).Data()
}

// The index is written where its fields change, and only then: a PATCH leaves it alone.
func TestProgressLeavesTheIndexAlone(t *testing.T) {
	now := time.Unix(1_800_000_000, 0) // the beginning of a bucket
	st, client, w := open(t, emulator(t), &firestorestate.Options{Now: func() time.Time { return now }})
	u := tus.Upload{ID: "a", Birth: "b", Length: 1 << 40, Expires: now.Add(24 * time.Hour)}
	try(st.Create(t.Context(), u, claim(0, 0)))(t)
	first := fields(t, client, "a")
	w.since()
	for i := range 59 {
		now = now.Add(10 * time.Second)
		l := try(st.Acquire(t.Context(), u.ID, claim(6*time.Second, 2)))(t)
		next := l.Upload
		next.Offset += 8 << 20
		next.NextSlot++
		next.Expires = now.Add(24 * time.Hour)
		try(st.Commit(t.Context(), l, next, claim(0, 0)))(t)
		called(t, w, fmt.Sprintf("the PATCH %d", i), 1, 2, get, commit, commit)
	}
	last := fields(t, client, "a")
	for _, f := range []string{"shard", "bucket"} {
		if first[f] == nil || first[f] != last[f] {
			t.Errorf("the index's field %q went from %v to %v", f, first[f], last[f])
		}
	}
	now = now.Add(10 * time.Second)
	l := try(st.Acquire(t.Context(), u.ID, claim(6*time.Second, 2)))(t)
	next := l.Upload
	next.Expires = now.Add(24 * time.Hour)
	l = try(st.Commit(t.Context(), l, next, claim(time.Minute, 0)))(t)
	if b := fields(t, client, "a")["bucket"]; b == first["bucket"] {
		t.Errorf("after ten minutes the bucket is still %v", b)
	}
	next.Expires = time.Time{}
	try(st.Commit(t.Context(), l, next, claim(0, 0)))(t)
	gone := fields(t, client, "a")
	for _, f := range []string{"shard", "bucket", "expireAt"} {
		if v, ok := gone[f]; ok {
			t.Errorf("what never expires has the field %s: %v", f, v)
		}
	}
}

func TestDueAsksTheIndexAndListsWhatIsDueOnly(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	st, _, w := open(t, emulator(t), &firestorestate.Options{Now: func() time.Time { return now }})
	const same, n = firestorestate.Page + 60, firestorestate.Page + 160
	var wg sync.WaitGroup
	for k := range 8 {
		wg.Go(func() {
			for i := k; i < n; i += 8 {
				// Some hundred in one bucket, seconds apart, the rest an hour apart.
				u := tus.Upload{ID: tus.ID(fmt.Sprintf("u%04d", i)), Length: 1, Expires: now.Add(time.Duration(i%600) * time.Second)}
				if i >= same {
					u.Expires = now.Add(time.Duration(i-same+1) * time.Hour)
				}
				if i%7 == 0 {
					u.Expires = time.Time{}
				}
				if _, err := st.Create(t.Context(), u, claim(0, 0)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	w.since()
	list := func(at time.Time) []int {
		var got []int
		for id, err := range st.Due(t.Context(), at) {
			noError(t, err)
			var i int
			_, err := fmt.Sscanf(string(id), "u%d", &i)
			noError(t, err)
			got = append(got, i)
		}
		return got
	}
	want := func(from, to int) (all []int) {
		for i := from; i < to; i++ {
			if i%7 != 0 {
				all = append(all, i)
			}
		}
		return all
	}
	got := list(now.Add(50 * time.Hour))
	all := want(0, same+50)
	if later := got[slices.IndexFunc(got, func(i int) bool { return i >= same }):]; !slices.IsSorted(later) {
		t.Errorf("not in the order of time: %v", later)
	}
	slices.Sort(got)
	if !slices.Equal(got, all) {
		t.Errorf("due are %v", got)
	}
	called(t, w, "Due", len(all), 0, query, query)
	structured(t, w)

	got = list(now.Add(100 * time.Second))
	slices.Sort(got)
	if !slices.Equal(got, want(0, 101)) {
		t.Errorf("due within the bucket are %v", got)
	}
	called(t, w, "Due within a bucket", len(want(0, same)), 0, query, query)
	if got := list(now.Add(-time.Hour)); len(got) != 0 {
		t.Errorf("due an hour before are %v", got)
	}
	called(t, w, "Due with nothing due", 0, 0, query)
	for range st.Due(t.Context(), now) {
		break // a caller may stop
	}
}

// structured holds the last query to what the index is made for: a scan would have no filter.
func structured(t *testing.T, w *wire) {
	t.Helper()
	q := w.last.(*firestorepb.RunQueryRequest).GetStructuredQuery()
	var ops []string
	for _, f := range q.GetWhere().GetCompositeFilter().GetFilters() {
		ops = append(ops, f.GetFieldFilter().GetField().GetFieldPath()+" "+f.GetFieldFilter().GetOp().String())
	}
	var order []string
	for _, o := range q.GetOrderBy() {
		order = append(order, o.GetField().GetFieldPath()+" "+o.GetDirection().String())
	}
	if !slices.Equal(ops, []string{"shard IN", "bucket LESS_THAN_OR_EQUAL"}) ||
		!slices.Equal(order, []string{"bucket ASCENDING", "__name__ ASCENDING"}) || q.GetLimit().GetValue() != firestorestate.Page {
		t.Errorf("the query asks for %v in the order %v, at most %v", ops, order, q.GetLimit())
	}
	for _, f := range q.GetSelect().GetFields() {
		if p := f.GetFieldPath(); p != "bucket" && p != "record.due" {
			t.Errorf("the query returns the field %s", p)
		}
	}
}

// Firestore keeps some names for itself. An ID that a hook chose may be one of them.
func TestIDsThatFirestoreKeepsForItself(t *testing.T) {
	st, _, _ := open(t, emulator(t), nil)
	ids := []tus.ID{"-a", "A", "__", "____", "__a", "__a__", "__a__-", "__a__0", "__a_a", "__id7__", "a__", "b"}
	slices.Sort(ids)
	for _, id := range ids {
		try(st.Create(t.Context(), tus.Upload{ID: id, Birth: "b", Expires: time.Unix(1, 0)}, claim(0, 0)))(t)
		if u := try(st.Load(t.Context(), id))(t); u.ID != id {
			t.Errorf("%s came back as %s", id, u.ID)
		}
	}
	for after := range ids {
		var got []tus.ID
		for u, err := range st.List(t.Context(), ids[after]) {
			noError(t, err)
			got = append(got, u.ID)
		}
		if !slices.Equal(got, ids[after+1:]) {
			t.Errorf("after %s are listed %q, want %q", ids[after], got, ids[after+1:])
		}
	}
	due := 0
	for id, err := range st.Due(t.Context(), time.Unix(2, 0)) {
		noError(t, err)
		if due++; !slices.Contains(ids, id) {
			t.Errorf("%s is due", id)
		}
	}
	if due != len(ids) {
		t.Errorf("%d are due, want %d", due, len(ids))
	}
}

// A program of a newer version may add fields: an older one keeps them. A document of a newer format it leaves alone.
func TestDocumentsOfNewerPrograms(t *testing.T) {
	st, client, _ := open(t, emulator(t), nil)
	ctx := t.Context()
	try(st.Create(ctx, tus.Upload{ID: "a", Birth: "b"}, claim(0, 0)))(t)
	doc := client.Collection(collection).Doc("a")
	try(doc.Update(ctx, []firestore.Update{{Path: "later", Value: "kept"}, {Path: "record.later", Value: "kept"}}))(t)
	l := try(st.Acquire(ctx, "a", claim(time.Minute, 0)))(t)
	try(st.Commit(ctx, l, l.Upload, claim(0, 0)))(t)
	if f := fields(t, client, "a"); f["later"] != "kept" || f["record"].(map[string]any)["later"] != "kept" {
		t.Errorf("fields of a newer program are lost: %v", f)
	}
	try(doc.Update(ctx, []firestore.Update{{Path: "record.format", Value: 2}}))(t)
	before := try(doc.Get(ctx))(t)
	_, err1 := st.Load(ctx, "a")
	_, err2 := st.Acquire(ctx, "a", claim(time.Minute, 0))
	_, err3 := st.Commit(ctx, l, l.Upload, claim(0, 0))
	for _, err := range []error{err1, err2, err3} {
		if err == nil || !strings.Contains(err.Error(), "run a newer one") {
			t.Errorf("a newer format was read: %v", err)
		}
	}
	if after := try(doc.Get(ctx))(t); !after.UpdateTime.Equal(before.UpdateTime) {
		t.Error("a document of a newer format was changed")
	}
}

// The largest settings make a document that Firestore takes: below 1 MiB.
func TestTheLargestRecordFits(t *testing.T) {
	st, _, _ := open(t, emulator(t), nil)
	u := tus.Upload{
		ID: tus.ID(strings.Repeat("x", 128)), Birth: "b", Metadata: strings.Repeat("m", 512<<10), Key: strings.Repeat("k", 1024),
		Cursor: make(tus.Cursor, tus.MaxCursor), Digest: make([]byte, 200),
		Concat: tus.Concat{Role: tus.Final, Header: strings.Repeat("h", 200<<10)},
	}
	for range 6000 {
		u.Concat.Parts = append(u.Concat.Parts, tus.NewID())
	}
	try(st.Create(t.Context(), u, claim(0, 0)))(t)
	if got := try(st.Load(t.Context(), u.ID))(t); len(got.Concat.Parts) != 6000 || len(got.Metadata) != 512<<10 {
		t.Errorf("%d parts, %d bytes of metadata came back", len(got.Concat.Parts), len(got.Metadata))
	}
}
