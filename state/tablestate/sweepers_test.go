package tablestate_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/fileloft/fileloft/state/tablestate"
	"github.com/fileloft/fileloft/storage/memstore"
	"github.com/fileloft/fileloft/tus"
)

// Several sweepers at once, over a record that moves: whatever they see, its entry stays.
func TestSweepersLeaveTheEntriesOfLivingRecords(t *testing.T) {
	start := time.Unix(1_800_000_000, 0)
	var mu sync.Mutex
	now := start
	clock := func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	st, client, _ := open(t, azurite(t), &tablestate.Options{Now: clock})
	ctx := t.Context()
	try(st.Create(ctx, tus.Upload{ID: "a", Birth: "b", Expires: start}, claim(0, 0)))(t)
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for {
				for _, err := range st.Due(ctx, start.Add(48*time.Hour)) {
					if err != nil {
						t.Error(err)
					}
				}
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	for i := range 30 { // to and fro between two buckets
		l := try(st.Acquire(ctx, "a", claim(time.Second, 0)))(t)
		next := l.Upload
		next.Expires = start.Add(time.Duration(1+i%2) * time.Hour)
		try(st.Commit(ctx, l, next, claim(0, 0)))(t)
	}
	close(done)
	wg.Wait()
	if got, due := index(t, client), entity(t, client, "a")["due"]; !slices.Equal(got, []string{fmt.Sprintf("due-%s-a", due)}) {
		t.Errorf("the index holds %q, the record names %v", got, due)
	}
}

// A sweep that removes an entry which no record names, while the record comes back to it: wherever in the sweep that
// happens, the record's entry stays.
func TestAnEntryThatComesBackStays(t *testing.T) {
	start := time.Unix(1_800_000_000, 0)
	opt := &tablestate.Options{Now: func() time.Time { return start }}
	deletions := 0
	for at := 1; at <= 5; at++ {
		st, client, w := open(t, azurite(t), opt)
		ctx := t.Context()
		other := try(tablestate.New(client, opt))(t)
		l := try(other.Create(ctx, tus.Upload{ID: "a", Birth: "b", Expires: start.Add(2 * time.Hour)}, claim(time.Second, 0)))(t)
		const entry = "due-20270115T0900-a"
		try(client.AddEntity(ctx, fmt.Appendf(nil, `{"PartitionKey":%q,"RowKey":%q}`, tablestate.PartitionOf("a"), entry), nil))(t)
		n := 0
		w.plan(func(call string) fault {
			if call == query || call == batch || call == replace {
				return fault{}
			}
			if n++; n == at { // before the request that is about to be sent
				w.fault = nil
				next := l.Upload
				next.Expires = start.Add(time.Hour)
				w.mu.Unlock()
				defer w.mu.Lock()
				try(other.Commit(ctx, l, next, claim(0, 0)))(t)
			}
			return fault{}
		})
		for _, err := range st.Due(ctx, start.Add(90*time.Minute)) {
			noError(t, err)
		}
		want := []string{entry}
		if n < at { // the sweep was over before
			want = []string{"due-20270115T1000-a"}
		}
		if got := index(t, client); !slices.Equal(got, want) {
			t.Errorf("moved before request %d of %d: the index holds %q, want %q", at, n, got, want)
		}
		if slices.Contains(w.since(), remove) {
			deletions++
		}
	}
	if deletions != 2 { // the one that comes too late, and the one that nothing disturbs
		t.Errorf("%d sweeps tried to remove the entry", deletions)
	}
}

// Several sweepers at once remove each upload once.
func TestSeveralSweepersAtOnce(t *testing.T) {
	var mu sync.Mutex
	now := time.Now()
	clock := func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	st, tab, _ := open(t, azurite(t), &tablestate.Options{Now: clock})
	store := memstore.New(nil)
	sweeper := func(st *tablestate.Store) *tus.Handler {
		return try(tus.NewHandler(st, store, &tus.Options{EnableExpiration: true, Now: clock}))(t)
	}
	for range 24 {
		client{sweeper(st)}.create(t)
	}
	mu.Lock()
	now = now.Add(25 * time.Hour)
	mu.Unlock()
	var wg sync.WaitGroup
	reports := make([]tus.SweepReport, 4)
	for i := range reports {
		h := sweeper(try(tablestate.New(tab, &tablestate.Options{Now: clock}))(t))
		wg.Go(func() {
			var err error
			if reports[i], err = h.Sweep(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	expired := 0
	for _, r := range reports {
		expired += r.Expired
	}
	if got := index(t, tab); expired != 24 || len(got) != 0 {
		t.Errorf("%d were removed, want 24: %+v; the index holds %q", expired, reports, got)
	}
	for u, err := range st.List(t.Context(), "") {
		t.Errorf("%s is left: %v", u.ID, err)
	}
}
