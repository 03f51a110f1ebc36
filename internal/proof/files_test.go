package proof

import (
	"context"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fileloft/fileloft/state/sqlitestate"
	"github.com/fileloft/fileloft/storage/filestore"
	"github.com/fileloft/fileloft/tus"
)

// settings are those of all replicas. Short leases make for many takeovers.
var settings = []string{
	"FILELOFT_ENABLE_CONCATENATION=true", "FILELOFT_ENABLE_EXPIRATION=true", "FILELOFT_ENABLE_DOWNLOAD=true",
	"FILELOFT_LEASE_TTL=3s", "FILELOFT_MAX_SIZE=1073741824", "FILELOFT_LOG_LEVEL=warn",
}

// database is the name of SQLite's file in the data directory.
const database = "fileloft.db"

// onFiles is three servers over one directory and one SQLite file.
func onFiles(t testing.TB) *setup { return serversOn(t, build(t, "cmd/fileloft"), t.TempDir()) }

func serversOn(t testing.TB, server, dir string) *setup {
	f := &processes{path: "/files/"}
	for range 3 {
		f.all = append(f.all, startProcess(t, "/healthz", func(addr string) *exec.Cmd {
			cmd := exec.Command(server, "serve")
			cmd.Env = append([]string{"FILELOFT_BIND=" + addr, "FILELOFT_DATA_DIR=" + dir, "FILELOFT_SWEEP_INTERVAL=5s"}, settings...)
			return cmd
		}))
	}
	state, err := sqlitestate.Open(filepath.Join(dir, database), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = state.Close() })
	return &setup{name: "files, SQLite", fleet: f, stores: inDirectory(t, dir, state), checksums: true, body: 64 << 20}
}

// inDirectory is the stores of uploads in files.
func inDirectory(t testing.TB, dir string, state tus.State) *stores {
	storage, err := filestore.New(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	return &stores{
		state: state, storage: storage,
		object: func(_ context.Context, u *tus.Upload) (io.ReadCloser, error) {
			return os.Open(filepath.Join(dir, "files", u.ObjectKey()))
		},
		inventory: func(context.Context) ([]string, error) { return filesBelow(dir) },
		names: func(u *tus.Upload) []string {
			if u.Concat.Role == tus.Partial {
				return []string{"partial/" + string(u.ID) + "." + u.Birth + ".done"}
			}
			return []string{"files/" + u.ObjectKey(), "files/" + u.ObjectKey() + ".meta.json"}
		},
	}
}

// filesBelow lists all files but the database's, without the shards of the pieces.
func filesBelow(dir string) (names []string, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		name := filepath.ToSlash(strings.TrimPrefix(path, dir+string(filepath.Separator)))
		if err != nil || d.IsDir() || strings.HasPrefix(name, database) {
			return err
		}
		if shard, piece, ok := strings.Cut(strings.TrimPrefix(name, "partial/"), "/"); ok && len(shard) == 2 && strings.HasPrefix(name, "partial/") {
			name = "partial/" + piece
		}
		names = append(names, name)
		return err
	})
	return names, err
}
