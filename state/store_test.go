package state_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fileloft/fileloft/state"
	"github.com/fileloft/fileloft/state/statetest"
	"github.com/fileloft/fileloft/tus"
)

// tags is a Swapper as a cloud's table is one: its versions are opaque, and its network loses requests and answers.
type tags struct {
	mu   sync.Mutex
	rows map[tus.ID]row
	tag  int
	plan func(method, nonce string) fault // the nonce is that of the record to write, if any
	// calls counts, by method.
	calls map[string]int
}

type row struct {
	r   state.Record
	tag string
}

type fault int

const (
	none fault = iota
	lost
	unanswered
	retried // the client library has sent it twice, and reports the second answer
)

var errNet = errors.New("the network failed")

func newTags(plan func(method, nonce string) fault) *tags {
	return &tags{rows: map[tus.ID]row{}, plan: plan, calls: map[string]int{}}
}

func (s *tags) write(method string, id tus.ID, nonce string, f func(old row, ok bool) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls[method]++
	try := func() error {
		old, ok := s.rows[id]
		return f(old, ok)
	}
	switch s.plan(method, nonce) {
	case lost:
		return errNet
	case unanswered:
		_ = try()
		return errNet
	case retried:
		_ = try()
	}
	return try()
}

func (s *tags) put(r state.Record) {
	s.tag++
	s.rows[r.Upload.ID] = row{r, strconv.Itoa(s.tag)}
}

func (s *tags) Get(_ context.Context, id tus.ID) (state.Record, string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls["Get"]++
	if s.plan("Get", "") != none {
		return state.Record{}, "", errNet
	}
	w, ok := s.rows[id]
	if !ok {
		return state.Record{}, "", tus.ErrNotFound
	}
	return w.r, w.tag, nil
}

func (s *tags) Insert(_ context.Context, r state.Record) error {
	return s.write("Insert", r.Upload.ID, r.Nonce, func(_ row, ok bool) error {
		if ok {
			return tus.ErrExists
		}
		s.put(r)
		return nil
	})
}

func (s *tags) Swap(_ context.Context, r state.Record, version string) error {
	return s.write("Swap", r.Upload.ID, r.Nonce, func(old row, ok bool) error {
		if !ok || old.tag != version {
			return state.ErrConflict
		}
		s.put(r)
		return nil
	})
}

func (s *tags) Delete(_ context.Context, id tus.ID, version string) error {
	return s.write("Delete", id, "", func(old row, ok bool) error {
		if !ok || old.tag != version {
			return state.ErrConflict
		}
		delete(s.rows, id)
		return nil
	})
}

func atOnce(int) time.Duration { return 0 }

func noFault(_, _ string) fault { return none }

// withContext answers for a dead context, which tags takes no notice of.
type withContext struct{ *tags }

func (s withContext) Get(ctx context.Context, id tus.ID) (state.Record, string, error) {
	if ctx.Err() != nil {
		return state.Record{}, "", ctx.Err()
	}
	return s.tags.Get(ctx, id)
}

func TestStoreOverOpaqueVersions(t *testing.T) {
	statetest.Run(t, func(_ testing.TB, now func() time.Time) tus.State {
		return state.NewStore(withContext{newTags(noFault)}, &state.Options{Now: now, Backoff: atOnce})
	}, &statetest.Options{Seeds: 500})
}

// The store hides a network that fails now and then, without ever counting a write twice: every write that
// the suite makes gets the answer that it would have got from a sound one.
func TestStoreHidesABadNetwork(t *testing.T) {
	statetest.Run(t, func(_ testing.TB, now func() time.Time) tus.State {
		failed := map[string]int{} // by nonce; three failures would end a call. Tags calls plan under its lock.
		plan := func(method, nonce string) fault {
			if method == "Get" || rand.IntN(20) > 0 || failed[nonce] == 2 {
				if method == "Delete" {
					failed[nonce] = 0
				}
				return none
			}
			failed[nonce]++
			return fault(1 + rand.IntN(3))
		}
		return state.NewStore(withContext{newTags(plan)}, &state.Options{Now: now, Backoff: atOnce})
	}, &statetest.Options{Seeds: 500, Repeats: true})
}

// script returns a plan that lets the writes fail in this order, and then no more.
func script(faults ...fault) func(method, nonce string) fault {
	return func(method, _ string) fault {
		if method == "Get" || len(faults) == 0 {
			return none
		}
		f := faults[0]
		faults = faults[1:]
		return f
	}
}

func TestStoreGivesUpOnADeadDatabase(t *testing.T) {
	table := newTags(noFault)
	st := state.NewStore(table, &state.Options{Backoff: atOnce})
	ctx := t.Context()
	c := func(ttl time.Duration) tus.Claim {
		return tus.Claim{Offset: tus.AnyOffset, TTL: ttl, Nonce: tus.NewNonce()}
	}
	if _, err := st.Create(ctx, tus.Upload{ID: "a", Birth: "b"}, c(0)); err != nil {
		t.Fatal(err)
	}
	table.plan = script(lost, lost, lost, lost)
	if _, err := st.Acquire(ctx, "a", c(time.Hour)); !errors.Is(err, errNet) {
		t.Errorf("three requests lost: %v", err)
	}
	table.plan = script(lost, lost, unanswered)
	l, err := st.Acquire(ctx, "a", c(time.Hour))
	if err != nil || l.Epoch != 2 {
		t.Errorf("the last of three was made, its answer lost: %+v, %v", l, err)
	}
	table.plan = script(lost, unanswered)
	if l, err = st.Commit(ctx, l, l.Upload, c(0)); err != nil {
		t.Errorf("Commit: %v", err)
	}
	table.plan = script(retried)
	if l, err = st.Commit(ctx, l, l.Upload, c(0)); err != nil {
		t.Errorf("Commit that the client library has sent twice: %v", err)
	}
	table.plan = script(unanswered)
	if err := st.Delete(ctx, l); err != nil {
		t.Errorf("Delete: %v", err)
	}
	table.plan = script(unanswered)
	if _, err = st.Create(ctx, tus.Upload{ID: "a", Birth: "c"}, c(0)); err != nil {
		t.Errorf("Create: %v", err)
	}

	// A write in doubt, and then the read fails too: both are told.
	reads := 0
	table.plan = func(method, _ string) fault {
		if reads++; method == "Get" && reads == 1 {
			return none
		}
		return lost
	}
	if _, err := st.Acquire(ctx, "a", c(time.Hour)); strings.Count(fmt.Sprint(err), errNet.Error()) != 2 {
		t.Errorf("a write and a read failed: %v", err)
	}
}

func TestStoreWaitsLongerEachTimeAndHeedsTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := newTags(noFault)
		st := state.NewStore(table, nil)
		if _, err := st.Create(t.Context(), tus.Upload{ID: "a"}, tus.Claim{Nonce: "n"}); err != nil {
			t.Fatal(err)
		}
		busy := &neverFirst{table}
		st = state.NewStore(busy, nil)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		start := time.Now()
		_, err := st.Acquire(ctx, "a", tus.Claim{TTL: time.Hour, Nonce: "m"})
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, state.ErrConflict) || time.Since(start) != time.Minute {
			t.Errorf("after %s: %v", time.Since(start), err)
		}
		// About a minute in steps of 320 ms on average, after some shorter ones.
		if n := table.calls["Get"]; n < 100 || n > 1000 {
			t.Errorf("%d attempts in a minute", n)
		}
	})
}

// neverFirst is a table where somebody else is always faster.
type neverFirst struct{ *tags }

func (s *neverFirst) Swap(context.Context, state.Record, string) error { return state.ErrConflict }

func TestVersionerSavesTheReadOfACommit(t *testing.T) {
	table := newTags(noFault)
	st := state.NewStore(&birthEpochNonce{table}, nil)
	l, err := st.Create(t.Context(), tus.Upload{ID: "a", Birth: "b"}, tus.Claim{TTL: time.Hour, Nonce: "n1"})
	if err != nil {
		t.Fatal(err)
	}
	if l, err = st.Commit(t.Context(), l, l.Upload, tus.Claim{TTL: time.Hour, Nonce: "n2"}); err != nil {
		t.Fatal(err)
	}
	if err := st.Delete(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	if table.calls["Get"] != 0 || len(table.rows) != 0 {
		t.Errorf("calls %v, rows %v", table.calls, table.rows)
	}
}

// birthEpochNonce is a table whose version is made from the record.
type birthEpochNonce struct{ *tags }

func (s *birthEpochNonce) VersionOf(r state.Record) string {
	return fmt.Sprint(r.Upload.Birth, " ", r.Epoch, " ", r.Nonce)
}

func (s *birthEpochNonce) tagOf(id tus.ID, version string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if w := s.rows[id]; s.VersionOf(w.r) == version {
		return w.tag
	}
	return "stale"
}

func (s *birthEpochNonce) Swap(ctx context.Context, r state.Record, version string) error {
	return s.tags.Swap(ctx, r, s.tagOf(r.Upload.ID, version))
}

func (s *birthEpochNonce) Delete(ctx context.Context, id tus.ID, version string) error {
	return s.tags.Delete(ctx, id, s.tagOf(id, version))
}

func ExampleNewStore() {
	var table state.Swapper = newTags(noFault) // four methods over a database
	var st tus.State = state.NewStore(table, nil)

	_, err := st.Load(context.Background(), "nobody-has-made-it")
	fmt.Println(errors.Is(err, tus.ErrNotFound))
	// Output: true
}
