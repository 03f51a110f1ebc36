package tablestate_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/data/aztables"

	"github.com/fileloft/fileloft/state/tablestate"
	"github.com/fileloft/fileloft/tus"
)

// The index is written where an upload's bucket changes, and only then: a PATCH leaves it alone.
func TestProgressLeavesTheIndexAlone(t *testing.T) {
	now := time.Unix(1_800_000_000, 0) // the beginning of a bucket
	st, client, w := open(t, azurite(t), &tablestate.Options{Now: func() time.Time { return now }})
	u := tus.Upload{ID: "a", Birth: "b", Length: 1 << 40, Expires: now.Add(24 * time.Hour)}
	try(st.Create(t.Context(), u, claim(0, 0)))(t)
	w.since()
	for i := range 59 {
		now = now.Add(10 * time.Second)
		l := try(st.Acquire(t.Context(), u.ID, claim(6*time.Second, 2)))(t)
		next := l.Upload
		next.Offset += 8 << 20
		next.NextSlot++
		next.Expires = now.Add(24 * time.Hour)
		try(st.Commit(t.Context(), l, next, claim(0, 0)))(t)
		called(t, w, fmt.Sprintf("the PATCH %d", i), read, replace, replace)
	}
	if got := index(t, client); !slices.Equal(got, []string{"due-20270116T0800-a"}) {
		t.Errorf("the index holds %q", got)
	}
	w.since()
	now = now.Add(10 * time.Second)
	l := try(st.Acquire(t.Context(), u.ID, claim(6*time.Second, 2)))(t)
	next := l.Upload
	next.Expires = now.Add(24 * time.Hour)
	l = try(st.Commit(t.Context(), l, next, claim(time.Minute, 0)))(t)
	called(t, w, "the PATCH after ten minutes", read, replace, batch)
	if got := index(t, client); !slices.Equal(got, []string{"due-20270116T0810-a"}) || entity(t, client, "a")["due"] != "20270116T0810" {
		t.Errorf("after ten minutes the index holds %q, the entity names %v", got, entity(t, client, "a")["due"])
	}
	next.Expires = time.Time{}
	l = try(st.Commit(t.Context(), l, next, claim(time.Minute, 0)))(t)
	if got, due := index(t, client), entity(t, client, "a")["due"]; len(got) != 0 || due != nil {
		t.Errorf("what never expires is in the index as %q, and names %v", got, due)
	}
	noError(t, st.Delete(t.Context(), l))
}

func TestDueAsksTheIndexAndListsWhatIsDueOnly(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	st, _, w := open(t, azurite(t), &tablestate.Options{Now: func() time.Time { return now }})
	const same, n = 100, 160
	var wg sync.WaitGroup
	for k := range 8 {
		wg.Go(func() {
			for i := k; i < n; i += 8 {
				// Some in one bucket, seconds apart, the rest an hour apart.
				u := tus.Upload{ID: tus.ID(fmt.Sprintf("u%04d", i)), Length: 1, Expires: now.Add(time.Duration(i) * time.Second)}
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
	list := func(at time.Time) []int {
		w.since()
		var got []int
		for id, err := range st.Due(t.Context(), at) {
			noError(t, err)
			var i int
			try(fmt.Sscanf(string(id), "u%d", &i))(t)
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
	queries := slices.Repeat([]string{query}, tablestate.Partitions)
	reads := func(n int) []string {
		return append(queries[:len(queries):len(queries)], slices.Repeat([]string{read}, n)...)
	}

	got := list(now.Add(50 * time.Hour))
	all := want(0, same+50)
	called(t, w, "Due", reads(len(all))...)
	if later := got[slices.IndexFunc(got, func(i int) bool { return i >= same }):]; !slices.IsSorted(later) {
		t.Errorf("not in the order of time: %v", later)
	}
	slices.Sort(got)
	if !slices.Equal(got, all) {
		t.Errorf("due are %v", got)
	}
	got = list(now.Add(50 * time.Second))
	called(t, w, "Due within the bucket", reads(len(want(0, same)))...) // early entries are read
	slices.Sort(got)
	if !slices.Equal(got, want(0, 51)) {
		t.Errorf("due within the bucket are %v", got)
	}
	if got := list(now.Add(-time.Hour)); len(got) != 0 {
		t.Errorf("due an hour before are %v", got)
	}
	called(t, w, "Due with nothing due", queries...)
	for _, part := range []string{"PartitionKey+eq+", "RowKey+gt+%27due-%27", "RowKey+lt+%27due-20270115T0700.%27", "%24select=RowKey"} {
		if !strings.Contains(strings.ReplaceAll(w.last, "%20", "+"), part) {
			t.Errorf("a query without %s: %s", part, w.last)
		}
	}
	for range st.Due(t.Context(), now) {
		break // a caller may stop
	}
}

// Pages that are full are followed by the next, in every partition.
func TestListingsGoOverPages(t *testing.T) {
	st, client, w := open(t, azurite(t), nil)
	var ids []tus.ID
	for i := 0; len(ids) < tablestate.Page+10; i++ { // all in one partition
		if id := tus.ID(fmt.Sprintf("u%05d", i)); tablestate.PartitionOf(id) == "p07" {
			ids = append(ids, id)
		}
	}
	// Written as somebody else would, many at once: Azure takes a hundred in one transaction.
	for part := range slices.Chunk(ids, 100) {
		var actions []aztables.TransactionAction
		for _, id := range part {
			actions = append(actions, aztables.TransactionAction{
				ActionType: aztables.TransactionTypeAdd,
				Entity:     fmt.Appendf(nil, `{"PartitionKey":"p07","RowKey":"upload-%s","record":"{\"v\":1,\"i\":\"%s\",\"g\":1,\"n\":\"n\"}"}`, id, id),
			})
		}
		try(client.SubmitTransaction(t.Context(), actions, nil))(t)
	}
	try(st.Create(t.Context(), tus.Upload{ID: "u0"}, claim(0, 0)))(t)
	w.since()
	var got []tus.ID
	for u, err := range st.List(t.Context(), ids[2]) {
		noError(t, err)
		got = append(got, u.ID)
	}
	if !slices.Equal(got, ids[3:]) {
		t.Errorf("listed are %d: %q", len(got), got)
	}
	if calls := w.since(); len(calls) != tablestate.Partitions+1 {
		t.Errorf("List made %d requests", len(calls))
	}
}

// Any order of IDs that differ in their case, and IDs with what separates the parts of a row key.
func TestOrderOfIDs(t *testing.T) {
	st, _, _ := open(t, azurite(t), nil)
	ids := []tus.ID{"-a", "--", "A", "_", "a", "a-", "a-b", "a_", "aB", "b", "due-", "0", "upload-x"}
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
	var due []tus.ID
	for id, err := range st.Due(t.Context(), time.Unix(2, 0)) {
		noError(t, err)
		due = append(due, id)
	}
	slices.Sort(due)
	if !slices.Equal(due, ids) {
		t.Errorf("due are %q", due)
	}
}

// What other hands have done to the index heals: an entry too few does not hold up its record, an entry too many is removed by
// a sweep, and one that a record names is not.
func TestAnIndexThatOthersHaveTouchedHeals(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	st, client, w := open(t, azurite(t), &tablestate.Options{Now: func() time.Time { return now }})
	ctx := t.Context()
	add := func(id tus.ID, row string) {
		t.Helper()
		try(client.AddEntity(ctx, fmt.Appendf(nil, `{"PartitionKey":%q,"RowKey":%q}`, tablestate.PartitionOf(id), row), nil))(t)
	}
	for _, id := range []tus.ID{"a", "b", "c"} {
		try(st.Create(ctx, tus.Upload{ID: id, Birth: "b", Expires: now.Add(time.Hour)}, claim(0, 0)))(t)
	}
	const entry = "due-20270115T0900-"
	if got := index(t, client); !slices.Equal(got, []string{entry + "a", entry + "b", entry + "c"}) {
		t.Fatalf("the index holds %q", got)
	}
	try(client.DeleteEntity(ctx, tablestate.PartitionOf("a"), entry+"a", nil))(t)
	l := try(st.Acquire(ctx, "a", claim(2*time.Hour, 0)))(t) // it moves the entry that is not there
	if got := index(t, client); !slices.Contains(got, "due-20270115T1000-a") || len(got) != 3 {
		t.Errorf("the index holds %q", got)
	}
	try(client.DeleteEntity(ctx, tablestate.PartitionOf("a"), "due-20270115T1000-a", nil))(t)
	noError(t, st.Delete(ctx, l))
	if _, err := st.Load(ctx, "a"); err == nil {
		t.Error("a is still there")
	}

	try(client.DeleteEntity(ctx, tablestate.PartitionOf("b"), "upload-b", nil))(t)
	add("c", "due-20270115T0830-c")
	add("x", "due-nonsense")
	w.since()
	sweep := func() (due []tus.ID) {
		for id, err := range st.Due(ctx, now.Add(2*time.Hour)) {
			noError(t, err)
			due = append(due, id)
		}
		return due
	}
	if due := sweep(); !slices.Equal(due, []tus.ID{"c"}) {
		t.Errorf("due are %q", due)
	}
	if got := index(t, client); !slices.Equal(got, []string{entry + "c", "due-nonsense"}) {
		t.Errorf("the index holds %q", got)
	}
	now = time.Date(9999, 12, 31, 23, 59, 0, 0, time.UTC)
	sweep()
	if got := index(t, client); !slices.Equal(got, []string{entry + "c", "due-nonsense"}) {
		t.Errorf("the index holds %q", got) // 'n' is behind every year
	}
}
