package sqlitestate

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/fileloft/fileloft/state"
	"github.com/fileloft/fileloft/tus"
)

func openAt(t *testing.T, path string) *Store {
	t.Helper()
	st, err := Open(path, &Options{Sync: Off})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() }) // some tests close it themselves
	return st
}

func newFile(t *testing.T) string { return filepath.Join(t.TempDir(), "state.db") }

func create(t *testing.T, st tus.State, u tus.Upload) tus.Lease {
	t.Helper()
	l, err := st.Create(context.Background(), u, tus.Claim{Nonce: tus.NewNonce()})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// wants ends the test where err does not say all of the texts.
func wants(t *testing.T, err error, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if err == nil || !strings.Contains(err.Error(), text) {
			t.Fatalf("the error is %v, want one with %q", err, text)
		}
	}
}

func TestFilesAreForTheirOwnerOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "deep", "state.db")
	st := openAt(t, path)
	create(t, st, tus.Upload{ID: "a"})
	for name, want := range map[string]os.FileMode{
		filepath.Dir(path): 0o700, path: 0o600, path + "-wal": 0o600, path + "-shm": 0o600,
	} {
		info, err := os.Stat(name)
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: mode %v, %v, want %v", name, info.Mode().Perm(), err, want)
		}
	}
}

func TestPathsWithOddCharacters(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a b?c#d%20é&_pragma=x", "state.db")
	create(t, openAt(t, path), tus.Upload{ID: "a"})
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}

func TestSyncModesReachTheConnection(t *testing.T) {
	for sync, want := range map[Sync]int{Full: 2, Normal: 1, Off: 0} {
		st, err := Open(newFile(t), &Options{Sync: sync})
		if err != nil {
			t.Fatal(err)
		}
		var got int
		var mode string
		conn := st.table.writer.conn
		if err := conn.QueryRowContext(t.Context(), "PRAGMA synchronous").Scan(&got); err != nil || got != want {
			t.Errorf("%s: synchronous = %d, %v, want %d", sync, got, err, want)
		}
		if err := conn.QueryRowContext(t.Context(), "PRAGMA journal_mode").Scan(&mode); err != nil || mode != "wal" {
			t.Errorf("%s: journal_mode = %s, %v", sync, mode, err)
		}
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	}
	_, err := Open(newFile(t), &Options{Sync: 9})
	wants(t, err, "sync(9)")
}

func TestOlderFilesAreBroughtUpToDateAndNewerRefused(t *testing.T) {
	path := newFile(t)
	create(t, openAt(t, path), tus.Upload{ID: "a", Length: 9, Offset: 7})

	newer := append(append([]string(nil), schema...), "ALTER TABLE uploads ADD COLUMN note TEXT; CREATE INDEX notes ON uploads (note)")
	tab, err := openTable(path, Off, newer)
	if err != nil {
		t.Fatal(err)
	}
	defer tab.close()
	r, _, err := tab.Get(t.Context(), "a")
	if err != nil || r.Upload.Offset != 7 {
		t.Errorf("after the migration: %+v, %v", r, err)
	}
	if _, err := tab.readers.Query("SELECT note FROM uploads"); err != nil {
		t.Error(err)
	}
	_, err = Open(path, nil)
	wants(t, err, path, "newer version (schema 2, this program knows up to 1)", "run that version")
}

func TestFailedMigrationLeavesTheFileAsItWas(t *testing.T) {
	path := newFile(t)
	create(t, openAt(t, path), tus.Upload{ID: "a"})
	broken := append(append([]string(nil), schema...), "ALTER TABLE uploads ADD COLUMN note TEXT", "no SQL at all")
	_, err := openTable(path, Off, broken)
	wants(t, err, "syntax error")
	if _, err := openAt(t, path).Load(t.Context(), "a"); err != nil {
		t.Error(err)
	}
}

func TestManyOpenANewFileAtOnce(t *testing.T) {
	path := newFile(t)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			st, err := Open(path, &Options{Sync: Off})
			if err != nil {
				t.Error(err)
				return
			}
			defer st.Close()
			_, err = st.Create(t.Context(), tus.Upload{ID: tus.ID(fmt.Sprint(i))}, tus.Claim{Nonce: "n"})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestErrorsSayWhatToDo(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte(strings.Repeat("no database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(dir, "other.db")
	db, err := sql.Open("sqlite", other)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("CREATE TABLE t (a)"); err != nil {
		t.Fatal(err)
	}
	_ = db.Close()

	_, err = Open(dir, nil)
	wants(t, err, dir, "is a directory", "it must be a file")
	_, err = Open(filepath.Join(file, "state.db"), nil)
	wants(t, err, file, "not a directory")
	_, err = Open(file, nil)
	wants(t, err, file, "never a state file", "choose another path")
	_, err = Open(other, nil)
	wants(t, err, other, "some other program's")
	if os.Getuid() != 0 { // whom permissions do not hold back
		if err := os.Chmod(dir, 0o500); err != nil {
			t.Fatal(err)
		}
		_, err = Open(filepath.Join(dir, "state.db"), nil)
		wants(t, err, "permission denied", "can write")
		_ = os.Chmod(dir, 0o700)
	}
}

func TestDamageIsFoundAndNamed(t *testing.T) {
	path := newFile(t)
	st := openAt(t, path)
	create(t, st, tus.Upload{ID: "a"})
	create(t, st, tus.Upload{ID: "b"})
	if _, err := st.table.writer.conn.ExecContext(t.Context(), "UPDATE uploads SET record = x'7b7d' WHERE id = 'a'"); err != nil {
		t.Fatal(err)
	}
	_, err := st.Load(t.Context(), "a")
	wants(t, err, path, "upload a", "no record")
	if err := st.Close(); err != nil { // which moves all into the file proper
		t.Fatal(err)
	}

	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := 4096; i < len(b); i++ { // all pages but the first
		b[i] = 0xa5
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = openAt(t, path).Load(t.Context(), "b")
	wants(t, err, path, "damaged", "restore a backup")
}

func TestFullDiskIsNoSpaceAndChangesNothing(t *testing.T) {
	st := openAt(t, newFile(t))
	l := create(t, st, tus.Upload{ID: "a"})
	if _, err := st.table.writer.conn.ExecContext(t.Context(), "PRAGMA max_page_count = 10"); err != nil {
		t.Fatal(err)
	}
	next := l.Upload
	next.Cursor = make(tus.Cursor, tus.MaxCursor)
	var err error
	for i := 0; err == nil && i < 20; i++ {
		next.Offset++
		_, err = st.Create(t.Context(), tus.Upload{ID: tus.NewID(), Length: tus.Unknown, Cursor: next.Cursor}, tus.Claim{Nonce: "n"})
	}
	if !errors.Is(err, tus.ErrNoSpace) {
		t.Fatalf("a full disk: %v", err)
	}
	if u, err := st.Load(t.Context(), "a"); err != nil || u.Offset != 0 {
		t.Errorf("%+v, %v", u, err)
	}
	if _, err := st.table.writer.conn.ExecContext(t.Context(), "PRAGMA max_page_count = 100000"); err != nil {
		t.Fatal(err)
	}
	create(t, st, tus.Upload{ID: "after"})
}

func TestReadersCannotWrite(t *testing.T) {
	st := openAt(t, newFile(t))
	_, err := st.table.readers.Exec("DELETE FROM uploads")
	wants(t, st.table.explain("delete", err), "must be able to write the file")
}

func TestClosedStoreAnswersWithErrors(t *testing.T) {
	path := newFile(t)
	st := openAt(t, path)
	if err := st.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	if err := errors.Join(st.Close(), st.Close()); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path + "-wal"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the last to close the file left the WAL beside it: %v", err)
	}
	_, err := st.Create(t.Context(), tus.Upload{ID: "a"}, tus.Claim{Nonce: "n"})
	wants(t, err, "closed")
	wants(t, st.Ping(t.Context()), "closed")
	if errors.Is(err, state.ErrConflict) {
		t.Error("a closed store speaks of a conflict")
	}
}
