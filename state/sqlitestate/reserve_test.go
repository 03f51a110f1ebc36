package sqlitestate

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/fileloft/fileloft/tus"
)

// Where there is no space for a change the reserve is given up, for a new upload it is not. Later it is made again.
// What it is good for shows on a real disk: internal/badinput.
func TestTheReserveIsGivenUpOnAFullDisk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	s, err := Open(path, &Options{Sync: Off})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	size := func() int64 {
		t.Helper()
		info, err := os.Stat(path + "-reserve")
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	if size() != reserveSize {
		t.Errorf("the reserve has %d bytes", size())
	}
	limit := func(pages string) {
		t.Helper()
		if _, err := s.table.writer.conn.ExecContext(t.Context(), "PRAGMA max_page_count = "+pages); err != nil {
			t.Fatal(err)
		}
	}
	u := tus.Upload{ID: "first", Birth: "b", Length: 10}
	l, err := s.Create(t.Context(), u, tus.Claim{Nonce: tus.NewNonce(), TTL: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	limit("1") // SQLite makes it what there is
	for err == nil {
		_, err = s.Create(t.Context(), tus.Upload{ID: tus.NewID(), Birth: "b", Length: 10, Metadata: string(make([]byte, 4000))}, tus.Claim{Nonce: tus.NewNonce()})
	}
	if !errors.Is(err, tus.ErrNoSpace) || size() != reserveSize {
		t.Errorf("new ones: %v; the reserve has %d bytes", err, size())
	}
	u.Metadata = string(make([]byte, 10_000))
	if _, err = s.Commit(t.Context(), l, u, tus.Claim{Nonce: tus.NewNonce()}); !errors.Is(err, tus.ErrNoSpace) || size() != 0 {
		t.Errorf("one that grows: %v; the reserve has %d bytes", err, size())
	}
	limit("1000000")
	s.table.writer.reserve.tried = s.table.writer.reserve.tried.Add(-reserveWait)
	if _, err := s.Create(t.Context(), tus.Upload{ID: tus.NewID(), Birth: "b", Length: 10}, tus.Claim{Nonce: tus.NewNonce()}); err != nil || size() != reserveSize {
		t.Errorf("%v; the reserve has %d bytes", err, size())
	}
}
