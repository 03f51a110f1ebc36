package watch_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fileloft/fileloft/internal/watch"
	"github.com/fileloft/fileloft/state/memstate"
	"github.com/fileloft/fileloft/state/statetest"
	"github.com/fileloft/fileloft/storage/memstore"
	"github.com/fileloft/fileloft/storage/storetest"
	"github.com/fileloft/fileloft/tus"
)

// A recorder keeps what it is told.
type recorder struct {
	name string
	mu   sync.Mutex
	told []string
	acts []watch.Act
}

type nesting struct{}

func (r *recorder) Begin(ctx context.Context, a watch.Act) context.Context {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.told = append(r.told, "begin "+r.name)
	within, _ := ctx.Value(nesting{}).(string)
	return context.WithValue(ctx, nesting{}, within+r.name)
}

func (r *recorder) End(ctx context.Context, a watch.Act) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.told = append(r.told, fmt.Sprintf("end %s within %s", r.name, ctx.Value(nesting{})))
	r.acts = append(r.acts, a)
}

func (r *recorder) last(t *testing.T) *watch.Call {
	t.Helper()
	c, ok := r.acts[len(r.acts)-1].(*watch.Call)
	if !ok {
		t.Fatalf("told of a %T", r.acts[len(r.acts)-1])
	}
	return c
}

func TestAWatchedStateIsAState(t *testing.T) {
	statetest.Run(t, func(_ testing.TB, now func() time.Time) tus.State {
		return watch.State(memstate.New(&memstate.Options{Now: now}), &recorder{})
	}, &statetest.Options{Seeds: 100, Rounds: 2})
}

func TestAWatchedStorageIsAStorage(t *testing.T) {
	storetest.Run(t, storetest.Config{
		New: func(testing.TB) tus.Storage {
			return watch.Storage(memstore.New(&memstore.Options{PartSize: 1000}), &recorder{})
		},
		PartSize: 1000, Seeds: 50, MaxHeap: -1,
	})
}

func TestCallsAreToldWithTheirResults(t *testing.T) {
	ctx := t.Context()
	r := &recorder{name: "a"}
	st, store := watch.State(memstate.New(nil), r), watch.Storage(memstore.New(nil), r)
	l, err := st.Create(ctx, tus.Upload{ID: "x", Birth: "b", Length: 10, NextSlot: 1}, tus.Claim{TTL: time.Minute, Slots: 1, Nonce: "1"})
	if c := r.last(t); err != nil || c.Port != watch.StatePort || c.Method != "create" || c.ID != "x" || c.Next.Length != 10 || c.Claim.Nonce != "1" || c.Err != nil {
		t.Errorf("%+v, %v", c, err)
	}
	rc, err := store.Append(ctx, l, strings.NewReader("hello"))
	if c := r.last(t); err != nil || c.Port != watch.StoragePort || c.Method != "append" || c.Receipt.N != 5 || c.BodyFailed || c.Lease.Epoch != l.Epoch {
		t.Errorf("%+v, %v", c, err)
	}
	next := l.Upload
	next.Offset, next.Cursor, next.NextSlot = rc.N, rc.Cursor, rc.NextSlot
	if _, err = st.Commit(ctx, l, next, tus.Claim{Nonce: "2"}); err != nil {
		t.Fatal(err)
	}
	if c := r.last(t); c.Method != "commit" || c.Next.Offset-c.Lease.Upload.Offset != 5 {
		t.Errorf("%+v", c)
	}
	_, err = st.Acquire(ctx, "x", tus.Claim{Offset: 3, TTL: time.Minute, Nonce: "3"})
	if c := r.last(t); c.Method != "acquire" || !errors.As(c.Err, new(*tus.OffsetError)) || !errors.Is(err, c.Err) {
		t.Errorf("%+v", c)
	}
	_, _ = st.Load(ctx, "y")
	if c := r.last(t); c.Method != "load" || c.ID != "y" || !errors.Is(c.Err, tus.ErrNotFound) {
		t.Errorf("%+v", c)
	}
	_, _ = store.Append(ctx, l, io.MultiReader(strings.NewReader("x"), broken{}))
	if c := r.last(t); !c.BodyFailed {
		t.Errorf("a body that breaks off counts as the storage's failure: %+v", c)
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("gone") }

func TestTheInnerWatcherIsToldLastAndFirst(t *testing.T) {
	r := &recorder{name: "a"}
	inner := &recorder{name: "b"}
	_, _ = watch.State(memstate.New(nil), watch.Watchers{r, inner}).Load(t.Context(), "x")
	if r.told[0] != "begin a" || r.told[1] != "end a within ab" || inner.told[1] != "end b within ab" {
		t.Errorf("%q %q", r.told, inner.told)
	}
}

// slow reads take a second each.
type slow struct{ n int }

func (s *slow) Read(p []byte) (int, error) {
	time.Sleep(time.Second)
	if s.n--; s.n < 0 {
		return 0, io.EOF
	}
	return copy(p, "x"), nil
}

// idle is a storage that does nothing for a while.
type idle struct{ tus.Storage }

func (idle) Append(_ context.Context, _ tus.Lease, r io.Reader) (tus.Receipt, error) {
	n, err := io.Copy(io.Discard, r)
	time.Sleep(10 * time.Second)
	return tus.Receipt{N: n}, err
}

func (idle) Complete(context.Context, tus.Lease) (tus.Stored, error) { panic("no") }

func TestTheClientsTimeIsToldFromTheStorages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{}
		_, _ = watch.Storage(idle{}, r).Append(t.Context(), tus.Lease{}, &slow{n: 2})
		if c := r.last(t); c.Took != 13*time.Second || c.Waited != 3*time.Second {
			t.Errorf("took %s, of which %s waiting", c.Took, c.Waited)
		}
	})
}

func TestAPanicIsAnEnd(t *testing.T) {
	r := &recorder{}
	func() {
		defer func() { _ = recover() }()
		_, _ = watch.Storage(idle{}, r).Complete(t.Context(), tus.Lease{})
	}()
	if c := r.last(t); c.Method != "complete" || c.Err == nil {
		t.Errorf("%+v", c)
	}
}

// plain is a storage without abilities.
type plain struct{ tus.Storage }

func TestAWatchedStorageHasTheAbilitiesThatItHadBefore(t *testing.T) {
	found := func(st tus.Storage) (names []string) {
		for st != nil {
			if _, ok := st.(tus.Concatenator); ok {
				names = append(names, "concat")
			}
			if _, ok := st.(tus.Opener); ok {
				names = append(names, "open")
			}
			if _, ok := st.(tus.Linker); ok {
				names = append(names, "link")
			}
			if _, ok := st.(tus.Collector); ok {
				names = append(names, "collect")
			}
			u, ok := st.(interface{ Unwrap() tus.Storage })
			if !ok {
				break
			}
			st = u.Unwrap()
		}
		return names
	}
	if got := found(watch.Storage(plain{}, &recorder{})); got != nil {
		t.Errorf("a storage without abilities has %q when watched", got)
	}
	r := &recorder{}
	st := watch.Storage(memstore.New(nil), r)
	// Each once as a layer and once in the storage itself.
	if got := strings.Join(found(st), " "); got != "collect open concat concat open collect" {
		t.Errorf("%q", got)
	}
	h, err := tus.NewHandler(memstate.New(nil), st, &tus.Options{EnableConcatenation: true, EnableDownload: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if c := r.last(t); c.Method != "collect" {
		t.Errorf("the engine got past the layer: %+v", c)
	}
}

func TestAttemptsAreToldToTheWatcherInTheContext(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	defer srv.Close()
	c := watch.Client("s3", srv.Client())
	send := func(ctx context.Context, url, attempt string) {
		req, err := http.NewRequestWithContext(ctx, http.MethodPut, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Amz-Sdk-Request", attempt)
		if resp, err := c.Do(req); err == nil {
			_ = resp.Body.Close()
		}
	}
	r := &recorder{}
	send(t.Context(), srv.URL, "")
	if len(r.acts) != 0 {
		t.Error("told without a watcher in the context")
	}
	send(watch.Into(t.Context(), r), srv.URL, "attempt=2; max=6")
	if a, ok := r.acts[0].(*watch.Attempt); !ok || a.Service != "s3" || a.Number != 2 || a.Status != http.StatusTeapot || a.Err != nil {
		t.Errorf("%+v", r.acts[0])
	}
	send(watch.Into(t.Context(), r), "http://127.0.0.1:1", "")
	if a, ok := r.acts[1].(*watch.Attempt); !ok || a.Number != 1 || a.Status != 0 || a.Err == nil {
		t.Errorf("%+v", r.acts[1])
	}
}
