//go:build unix

package filestore

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fileloft/fileloft/storage/storetest"
	"github.com/fileloft/fileloft/tus"
)

// fastDir is a directory on the quickest file system there is: what is tested there needs no disk.
func fastDir(tb testing.TB) string {
	tb.Helper()
	if dir, err := os.MkdirTemp("/dev/shm", "filestore-test-"); err == nil {
		tb.Cleanup(func() { _ = os.RemoveAll(dir) })
		return dir
	}
	return tb.TempDir()
}

func newStore(tb testing.TB, dir string, opt *Options) *Store {
	tb.Helper()
	s, err := New(dir, opt)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = s.Close() })
	return s
}

// piece returns the path of one piece.
func piece(s *Store, u *tus.Upload, rest string) string {
	p, _ := pathsOf(u)
	return filepath.Join(s.tree.shards[p.shard].at, p.stem+rest)
}

// pieces lists every file and directory that belongs to an id, apart from the signs that Remove puts up.
func pieces(s *Store, u *tus.Upload) []string {
	var found []string
	var names []string
	if h, err := s.home(u); err == nil {
		names, _ = s.tree.list(h.dir)
	}
	for _, n := range names {
		if strings.HasPrefix(n, string(u.ID)+".") && !strings.HasSuffix(n, "."+goneName) {
			found = append(found, n)
		}
	}
	for _, n := range []string{u.ObjectKey(), u.ObjectKey() + metaSuffix} {
		name := filepath.Join(s.tree.root.at, filesDir, n)
		if b, err := os.ReadFile(name); err == nil && (!strings.HasSuffix(n, metaSuffix) || parseOwner(b).id == u.ID) {
			if !strings.HasSuffix(n, metaSuffix) && parseMetaOwner(name) != u.ID {
				continue
			}
			found = append(found, name)
		}
	}
	return found
}

// parseMetaOwner returns the owner of an object; one without metadata counts as everybody's.
func parseMetaOwner(name string) tus.ID {
	b, err := os.ReadFile(name + metaSuffix)
	if err != nil {
		return ""
	}
	return parseOwner(b).id
}

// config is the suite's, for stores that change makes different from others.
func config(opt *Options, change func(*Store)) storetest.Config {
	return storetest.Config{
		New: func(tb testing.TB) tus.Storage {
			s := newStore(tb, fastDir(tb), opt)
			s.lock = tryLock // the pauses of lock add up
			s.tree.spread = 4
			change(s)
			return s
		},
		PartSize: 1000,
		Pieces:   func(s tus.Storage, u tus.Upload) []string { return pieces(s.(*Store), &u) },
	}
}

func TestStore(t *testing.T) {
	storetest.Run(t, config(&Options{NoSync: true, Verify: VerifyAlways}, func(*Store) {}))
}

// TestTeeth: the schedules must catch a store that goes on in a file which somebody else holds, and one that does not ask which
// epoch held it last.
func TestTeeth(t *testing.T) {
	for name, change := range map[string]func(*Store){
		"continues a locked file": func(s *Store) { s.lock = func(*file) (bool, error) { return true, nil } },
		"knows no fence":          func(s *Store) { s.fenced = false },
	} {
		t.Run(name, func(t *testing.T) {
			c := config(&Options{NoSync: true, Verify: VerifyNever}, change)
			s := c.New(t)
			for seed := uint64(1); seed <= 300; seed++ {
				if err := storetest.Schedule(t.Context(), s, c, seed); err != nil {
					t.Logf("caught by seed %d: %.200v", seed, err)
					return
				}
			}
			t.Error("300 schedules found nothing wrong")
		})
	}
}
