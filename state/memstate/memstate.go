// Package memstate keeps upload records in memory: a [tus.State] for tests and demos. Nothing survives the process,
// and nothing is shared between processes. No call crosses the network.
package memstate

import (
	"context"
	"iter"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/fileloft/fileloft/state"
	"github.com/fileloft/fileloft/tus"
)

// Options configure a [Store]. Nil and zero mean the default.
type Options struct {
	Now func() time.Time // default: time.Now
}

// Store is a [tus.State] in memory. It lists records and tells what is due.
type Store struct {
	*state.Store
	table *table
}

var (
	_ tus.State     = (*Store)(nil)
	_ tus.DueLister = (*Store)(nil)
	_ tus.Lister    = (*Store)(nil)
	_ tus.Pinger    = (*Store)(nil)
)

// New returns an empty Store.
func New(opt *Options) *Store {
	var o Options
	if opt != nil {
		o = *opt
	}
	t := &table{records: make(map[tus.ID]state.Record)}
	return &Store{Store: state.NewStore(t, &state.Options{Now: o.Now}), table: t}
}

// Due lists the records that a sweep should look at, the longest due first, as they are when the listing begins.
func (s *Store) Due(ctx context.Context, now time.Time) iter.Seq2[tus.ID, error] {
	return func(yield func(tus.ID, error) bool) {
		due := s.table.filter(func(r state.Record) bool { return !r.Due.IsZero() && !r.Due.After(now) })
		slices.SortFunc(due, func(a, b state.Record) int { return a.Due.Compare(b.Due) })
		for _, r := range due {
			if ctx.Err() != nil {
				yield("", ctx.Err())
				return
			}
			if !yield(r.Upload.ID, nil) {
				return
			}
		}
	}
}

// List lists the records with IDs behind after, in the order of the IDs, as they are when the listing begins.
func (s *Store) List(ctx context.Context, after tus.ID) iter.Seq2[tus.Upload, error] {
	return func(yield func(tus.Upload, error) bool) {
		all := s.table.filter(func(r state.Record) bool { return r.Upload.ID > after })
		slices.SortFunc(all, func(a, b state.Record) int {
			return strings.Compare(string(a.Upload.ID), string(b.Upload.ID))
		})
		for _, r := range all {
			if ctx.Err() != nil {
				yield(tus.Upload{}, ctx.Err())
				return
			}
			if !yield(r.Upload, nil) {
				return
			}
		}
	}
}

// Ping always succeeds.
func (s *Store) Ping(context.Context) error { return nil }

// table is a [state.Swapper] over a map. Records share their slices with the callers, who never change them in
// place: that is the contract of [tus.Upload].
type table struct {
	mu      sync.Mutex
	records map[tus.ID]state.Record
}

var (
	_ state.Swapper   = (*table)(nil)
	_ state.Versioner = (*table)(nil)
)

func (t *table) Get(ctx context.Context, id tus.ID) (state.Record, string, error) {
	if err := ctx.Err(); err != nil {
		return state.Record{}, "", err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	r, ok := t.records[id]
	if !ok {
		return state.Record{}, "", tus.ErrNotFound
	}
	return r, t.VersionOf(r), nil
}

func (t *table) Insert(ctx context.Context, r state.Record) error {
	return t.change(ctx, r.Upload.ID, func(_ state.Record, ok bool) error {
		if ok {
			return tus.ErrExists
		}
		t.records[r.Upload.ID] = r
		return nil
	})
}

func (t *table) Swap(ctx context.Context, r state.Record, version string) error {
	return t.change(ctx, r.Upload.ID, func(old state.Record, ok bool) error {
		if !ok || t.VersionOf(old) != version {
			return state.ErrConflict
		}
		t.records[r.Upload.ID] = r
		return nil
	})
}

func (t *table) Delete(ctx context.Context, id tus.ID, version string) error {
	return t.change(ctx, id, func(old state.Record, ok bool) error {
		if !ok || t.VersionOf(old) != version {
			return state.ErrConflict
		}
		delete(t.records, id)
		return nil
	})
}

// VersionOf joins the three marks that no two writes share; see [state.Versioner].
func (t *table) VersionOf(r state.Record) string {
	return strconv.FormatUint(uint64(r.Epoch), 10) + " " + r.Nonce + " " + r.Upload.Birth
}

// change runs f on the record of id under the lock.
func (t *table) change(ctx context.Context, id tus.ID, f func(old state.Record, ok bool) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	old, ok := t.records[id]
	return f(old, ok)
}

func (t *table) filter(keep func(state.Record) bool) []state.Record {
	t.mu.Lock()
	defer t.mu.Unlock()
	var kept []state.Record
	for _, r := range t.records {
		if keep(r) {
			kept = append(kept, r)
		}
	}
	return kept
}
