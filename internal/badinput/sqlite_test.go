package badinput

import (
	"database/sql"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	_ "modernc.org/sqlite"
)

// nobody is a user who owns nothing. Root is let into everything, so what permissions do is tested as somebody else.
const nobody = 65534

// A server that cannot work with its files does not start, and says which file, what is wrong and what to do.
func TestStartOnBadFiles(t *testing.T) {
	notShort(t)
	t.Parallel()
	for _, tt := range []struct {
		name string
		prep func(t *testing.T, dir string)
		env  []string // @ stands for the data directory
		says []string
	}{
		{"a database file that is none", func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, "fileloft.db"), random(10_000))
		}, nil, []string{"fileloft.db", "FILELOFT_STATE=sqlite", "restore it from a backup, or choose another path"}},
		{"another program's database", func(t *testing.T, dir string) {
			run1(t, filepath.Join(dir, "fileloft.db"), "CREATE TABLE x (y)")
		}, nil, []string{"fileloft.db", "some other program's SQLite file: choose another path"}},
		{"a database of a newer version", func(t *testing.T, dir string) {
			run1(t, filepath.Join(dir, "fileloft.db"), "PRAGMA application_id = 1718380148; PRAGMA user_version = 1000")
		}, nil, []string{"fileloft.db", "written by a newer version", "run that version or a later one"}},
		{"a directory in place of the database", func(t *testing.T, dir string) {
			if err := os.Mkdir(filepath.Join(dir, "fileloft.db"), 0o755); err != nil {
				t.Fatal(err)
			}
		}, nil, []string{"fileloft.db", "is a directory"}},
		{"a file in place of the data directory", func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, "file"), nil)
		}, []string{"FILELOFT_DATA_DIR=@/file"}, []string{"@/file", "FILELOFT_DATA_DIR"}},
		{"a data directory below a file", func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, "file"), nil)
		}, []string{"FILELOFT_DATA_DIR=@/file/below"}, []string{"@/file", "FILELOFT_DATA_DIR"}},
		{
			"somebody else's data directory", func(t *testing.T, dir string) { own(t, dir, 0o755, 0) },
			[]string{"as nobody"},
			[]string{"@", "permission denied", "FILELOFT_DATA_DIR"},
		},
		{"a database that may not be written", func(t *testing.T, dir string) {
			own(t, dir, 0o755, nobody)
			run1(t, filepath.Join(dir, "fileloft.db"), "PRAGMA application_id = 1718380148")
			own(t, filepath.Join(dir, "fileloft.db"), 0o444, 0)
		}, []string{"as nobody"}, []string{"fileloft.db", "must be able to write the file"}},
		{"a database in a directory that may not be written", func(t *testing.T, dir string) {
			own(t, dir, 0o755, nobody)
			below := filepath.Join(dir, "records")
			if err := os.Mkdir(below, 0o555); err != nil {
				t.Fatal(err)
			}
		}, []string{"as nobody", "FILELOFT_SQLITE_FILE=@/records/x.db"}, []string{"@/records/x.db", "in a directory where that user can make files"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			tt.prep(t, dir)
			o := setup{dir: dir}
			for _, e := range tt.env {
				if e == "as nobody" {
					asNobody(t, &o)
					continue
				}
				o.env = append(o.env, strings.ReplaceAll(e, "@", dir))
			}
			s := launch(t, o)
			select {
			case <-s.ended:
			case <-time.After(patience):
				t.Fatalf("it starts: %s", s.log.tail(2000))
			}
			lines := strings.Split(strings.TrimSpace(s.log.tail(4000)), "\n")
			last := lines[len(lines)-1]
			if code := s.cmd.ProcessState.ExitCode(); code <= 0 {
				t.Errorf("exit status %d", code)
			}
			for _, w := range tt.says {
				if !strings.Contains(last, strings.ReplaceAll(w, "@", dir)) {
					t.Errorf("it does not say %q", w)
				}
			}
			t.Logf("%s", last)
		})
	}
}

// Another process keeps the database locked for longer than anybody waits. Requests are told so, HEAD goes on, and when the lock is gone
// so does the upload.
func TestDatabaseLocked(t *testing.T) {
	notShort(t)
	t.Parallel()
	s := serve(t, setup{})
	data := random(300_000)
	at := s.create(int64(len(data)))
	if a := s.patch(at, 0, data[:1000]); a.status != http.StatusNoContent {
		t.Fatal(a)
	}
	db := openDB(t, filepath.Join(s.dir, "fileloft.db"))
	if _, err := db.Exec("BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	a := s.patch(at, 1000, data[1000:2000])
	says(t, a, "unavailable", http.StatusServiceUnavailable)
	if a.header.Get("Retry-After") == "" {
		t.Error("it does not say when to come again")
	}
	if took := time.Since(start); took > 40*time.Second {
		t.Errorf("the answer took %v", took)
	}
	if got := s.offset(at); got != 1000 {
		t.Errorf("offset %d", got)
	}
	if _, err := db.Exec("ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	s.resume(at, data)
	s.unharmed()
	if log := s.log.tail(1 << 20); !strings.Contains(log, "another process has kept the file locked") {
		t.Errorf("the log does not say why: %s", log)
	}
}

// The disk of the bytes becomes read-only in the middle of an upload. When it can be written again, the same upload goes on, without a restart.
// The kernel makes no disk read-only on which a file is open for writing, as the database is: for that see below.
func TestDiskReadOnly(t *testing.T) {
	notShort(t)
	t.Parallel()
	dir, records := t.TempDir(), t.TempDir()
	env := []string{"FILELOFT_SQLITE_FILE=" + filepath.Join(records, "fileloft.db")}
	d := onDisk(t, setup{dir: dir, env: env}, map[string]string{dir: "32m"})
	data := random(300_000)
	at := d.create(int64(len(data)))
	if a := d.patch(at, 0, data[:1000]); a.status != http.StatusNoContent {
		t.Fatal(a)
	}
	d.step("readonly=" + dir)
	says(t, d.patch(at, 1000, data[1000:2000]), "unavailable", http.StatusServiceUnavailable)
	says(t, d.ready(), "storage", http.StatusServiceUnavailable)
	if got := d.offset(at); got != 1000 {
		t.Errorf("offset %d", got)
	}
	d.step("writable=" + dir)
	d.resume(at, data)
	says(t, d.ready(), "", http.StatusOK)
	d.unharmed()
}

// No write to any file succeeds any more, as on a disk that fails: here by a limit of 0 on the size of files.
func TestWritesFail(t *testing.T) {
	notShort(t)
	t.Parallel()
	for _, state := range []string{"sqlite", "memory"} { // where the records go on the storage is what fails
		t.Run(state, func(t *testing.T) {
			t.Parallel()
			s := serve(t, setup{env: []string{"FILELOFT_STATE=" + state}})
			data := random(300_000)
			at := s.create(int64(len(data)))
			if a := s.patch(at, 0, data[:1000]); a.status != http.StatusNoContent {
				t.Fatal(a)
			}
			limit := func(n uint64) {
				t.Helper()
				if err := unix.Prlimit(s.cmd.Process.Pid, unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: n, Max: unix.RLIM_INFINITY}, nil); err != nil {
					t.Skipf("=== SKIPPED: limits cannot be changed: %v ===", err)
				}
			}
			limit(0)
			says(t, s.patch(at, 1000, data[1000:2000]), "unavailable|no-space", http.StatusServiceUnavailable, http.StatusInsufficientStorage)
			if state == "sqlite" {
				says(t, s.do(http.MethodPost, "/files/", nil, "Upload-Length", "10"), "unavailable", http.StatusServiceUnavailable)
			}
			if got := s.offset(at); got != 1000 {
				t.Errorf("offset %d", got)
			}
			limit(unix.RLIM_INFINITY)
			s.resume(at, data)
			s.unharmed()
		})
	}
}

func write(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func openDB(t *testing.T, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// run1 runs statements on a database file and closes it.
func run1(t *testing.T, path, statements string) {
	t.Helper()
	db := openDB(t, path)
	if _, err := db.Exec(statements); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// own gives a file to a user. Who is not root has no other files than his own: the test is skipped.
func own(t *testing.T, path string, mode os.FileMode, uid int) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("=== SKIPPED: only root can give files to others ===")
	}
	for p := filepath.Dir(path); strings.HasPrefix(p, os.TempDir()) && p != os.TempDir(); p = filepath.Dir(p) {
		if err := os.Chmod(p, 0o755); err != nil { // others must get there
			t.Fatal(err)
		}
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(path, uid, uid); err != nil {
		t.Fatal(err)
	}
}

func asNobody(t *testing.T, o *setup) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("=== SKIPPED: only root can become somebody else ===")
	}
	attr := &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	o.change = func(cmd *exec.Cmd) { cmd.SysProcAttr = attr }
}
