package prototest

import (
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fileloft/fileloft/state/sqlitestate"
	"github.com/fileloft/fileloft/storage/filestore"
	"github.com/fileloft/fileloft/tus"
)

func TestFiles(t *testing.T) {
	t.Parallel()
	Run(t, func(t testing.TB, opt tus.Options) *Server {
		dir := t.TempDir()
		state, storage := openFiles(t, dir, opt)
		s := serve(t, state, storage, opt)
		s.Leftovers = func(id tus.ID) ([]string, error) {
			left := recordOf(state, id)
			err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
				if err == nil && strings.Contains(d.Name(), string(id)) && !strings.HasSuffix(d.Name(), ".gone") { // a sign for late writers, empty
					left = append(left, path)
				}
				return nil
			})
			return left, err
		}
		return s
	})
}

// openFiles opens the standalone server's default state and storage, without the fsyncs that only a power cut would show.
func openFiles(t testing.TB, dir string, opt tus.Options) (*sqlitestate.Store, *filestore.Store) {
	t.Helper()
	state, err := sqlitestate.Open(filepath.Join(dir, "state.db"), &sqlitestate.Options{Now: opt.Now, Sync: sqlitestate.Off})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = state.Close() })
	storage, err := filestore.New(filepath.Join(dir, "data"), &filestore.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = storage.Close() })
	return state, storage
}
