package sqlitestate

import (
	"context"
	"errors"
	"testing"

	"github.com/fileloft/fileloft/state"
	"github.com/fileloft/fileloft/tus"
)

// insertion returns the write of a new row.
func insertion(t *testing.T, tab *table, id tus.ID) *write {
	t.Helper()
	args, err := columns(state.Record{Upload: tus.Upload{ID: id}, Epoch: 1, Nonce: "n"})
	if err != nil {
		t.Fatal(err)
	}
	return &write{stmt: tab.insert, args: append(args, string(id)), unmet: tus.ErrExists, done: make(chan struct{})}
}

func TestBatchTellsEachWriteItsOwnOutcome(t *testing.T) {
	tab := openAt(t, newFile(t)).table
	batch := []*write{insertion(t, tab, "a"), insertion(t, tab, "a"), insertion(t, tab, "b")}
	tab.writer.run(batch)
	for i, want := range []error{nil, tus.ErrExists, nil} {
		if <-batch[i].done; !errors.Is(batch[i].err, want) {
			t.Errorf("write %d: %v, want %v", i, batch[i].err, want)
		}
	}
}

func TestBatchThatFailsChangesNothing(t *testing.T) {
	tab := openAt(t, newFile(t)).table
	batch := []*write{insertion(t, tab, "a"), insertion(t, tab, "bad"), insertion(t, tab, "c")}
	batch[1].stmt, batch[1].args = tab.update, []any{1} // too few arguments
	tab.writer.run(batch)
	for i, w := range batch {
		if <-w.done; w.err == nil {
			t.Errorf("write %d succeeded", i)
		}
	}
	if _, _, err := tab.Get(t.Context(), "a"); !errors.Is(err, tus.ErrNotFound) {
		t.Errorf("a write of a batch that failed: %v", err)
	}
	if err := tab.writer.do(t.Context(), insertion(t, tab, "a")); err != nil {
		t.Errorf("after it: %v", err)
	}
}

func TestWriteThatHasNotBegunCanBeCancelled(t *testing.T) {
	tab := openAt(t, newFile(t)).table
	<-tab.writer.lead // somebody is at work
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- tab.writer.do(ctx, insertion(t, tab, "a")) }()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	tab.writer.lead <- struct{}{}
	if err := tab.writer.do(t.Context(), insertion(t, tab, "b")); err != nil {
		t.Error(err)
	}
	if _, _, err := tab.Get(t.Context(), "a"); !errors.Is(err, tus.ErrNotFound) {
		t.Errorf("a cancelled write: %v", err)
	}
}

func TestLockOfAnotherProcessIsWaitedFor(t *testing.T) {
	path := newFile(t)
	tab, other := openAt(t, path).table, openAt(t, path).table
	if _, err := other.writer.conn.ExecContext(t.Context(), "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	tries, done := make(chan struct{}, 1), make(chan error)
	go func() {
		done <- patiently(t.Context(), func() error {
			err := insertion(t, tab, "a").exec(t.Context())
			select {
			case tries <- struct{}{}:
			default:
			}
			return err
		})
	}()
	<-tries // it has met the lock once at least
	if _, err := other.writer.conn.ExecContext(t.Context(), "COMMIT"); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if _, _, err := other.Get(t.Context(), "a"); err != nil {
		t.Error(err)
	}
}
