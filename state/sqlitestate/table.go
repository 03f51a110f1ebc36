package sqlitestate

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	_ "modernc.org/sqlite"

	"github.com/fileloft/fileloft/state"
)

// table is a [state.Swapper] over the rows of the file.
type table struct {
	path    string
	readers *sql.DB // a pool that cannot write
	writers *sql.DB // of one connection
	writer  *writer

	get, dueList, fullList *sql.Stmt // on readers
	insert, update, remove *sql.Stmt // on the writer's connection
}

var (
	_ state.Swapper   = (*table)(nil)
	_ state.Versioner = (*table)(nil)
)

// The steps that lead from one version of the schema to the next, kept in user_version: a file of version n has run the
// first n. Steps are only ever added. The record itself has a format number of its own, see [state.Format].
//
// The blob is the record. The columns beside it serve conditions, order and people with a SQL prompt; each write
// sets them all. A row is up to 20 KB, too large to live in the index of its key: hence no WITHOUT ROWID.
var schema = []string{
	`CREATE TABLE uploads (
		id      TEXT    NOT NULL PRIMARY KEY,
		epoch   INTEGER NOT NULL,
		nonce   TEXT    NOT NULL,
		birth   TEXT    NOT NULL,
		due     INTEGER,          -- Unix milliseconds, like created
		length  INTEGER,          -- NULL: not declared yet
		offset  INTEGER NOT NULL,
		phase   INTEGER NOT NULL, -- 0 open, 1 sealed, 2 done, 3 doomed
		created INTEGER NOT NULL,
		record  BLOB    NOT NULL
	) STRICT;
	CREATE INDEX uploads_due ON uploads (due, id) WHERE due IS NOT NULL;`,
}

// applicationID marks the file as fileloft's: "flft".
const applicationID = 0x666c6674

const (
	setColumns = "epoch, nonce, birth, due, length, offset, phase, created, record"
	getSQL     = "SELECT record FROM uploads WHERE id = ?"
	dueSQL     = "SELECT id, due FROM uploads WHERE due <= ? AND (due, id) > (?, ?) ORDER BY due, id LIMIT ?"
	listSQL    = "SELECT record FROM uploads WHERE id > ? ORDER BY id LIMIT ?"
	insertSQL  = "INSERT INTO uploads (" + setColumns + ", id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
	updateSQL  = "UPDATE uploads SET (" + setColumns + ") = (?, ?, ?, ?, ?, ?, ?, ?, ?) WHERE id = ? AND epoch = ? AND nonce = ? AND birth = ?"
	removeSQL  = "DELETE FROM uploads WHERE id = ? AND epoch = ? AND nonce = ? AND birth = ?"
)

// openTable opens or makes the file and brings its schema up to date.
func openTable(path string, sync Sync, steps []string) (*table, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("sqlitestate: %w", err)
	}
	if err := ensureFile(path); err != nil {
		return nil, err
	}
	t := &table{path: path}
	// The pragmas hold for one connection each, so they travel in the name. No busy_timeout: SQLite's own waiting
	// sleeps for up to 100 ms at a time and starves under load, see patiently.
	t.writers, err = sql.Open("sqlite", dataSource(path,
		"busy_timeout(0)", fmt.Sprintf("synchronous(%s)", sync), "journal_size_limit(67108864)"))
	if err == nil {
		t.readers, err = sql.Open("sqlite", dataSource(path, "busy_timeout(0)", "query_only(1)"))
	}
	if err == nil {
		err = t.prepare(steps)
	}
	if err != nil {
		_ = t.close() // the first error counts
		return nil, t.explain("open", err)
	}
	return t, nil
}

func (t *table) prepare(steps []string) error {
	ctx := context.Background()
	t.writers.SetMaxOpenConns(1)
	// Reads take microseconds of processor time: more connections than processors gain nothing.
	n := max(4, runtime.GOMAXPROCS(0))
	t.readers.SetMaxOpenConns(n)
	t.readers.SetMaxIdleConns(n)

	var conn *sql.Conn
	err := patiently(ctx, func() (err error) {
		conn, err = t.writers.Conn(ctx)
		return err
	})
	if err != nil {
		return err
	}
	t.writer = newWriter(conn, t.path+"-reserve")
	if err := migrate(ctx, conn, steps); err != nil {
		return err
	}
	t.writer.reserve.fill()
	for _, s := range []struct {
		stmt **sql.Stmt
		sql  string
		on   func(ctx context.Context, query string) (*sql.Stmt, error)
	}{
		{&t.get, getSQL, t.readers.PrepareContext},
		{&t.dueList, dueSQL, t.readers.PrepareContext},
		{&t.fullList, listSQL, t.readers.PrepareContext},
		{&t.insert, insertSQL, conn.PrepareContext},
		{&t.update, updateSQL, conn.PrepareContext},
		{&t.remove, removeSQL, conn.PrepareContext},
	} {
		err := patiently(ctx, func() (err error) {
			*s.stmt, err = s.on(ctx, s.sql)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// migrate switches the file to WAL mode and runs the steps that are missing.
func migrate(ctx context.Context, conn *sql.Conn, steps []string) error {
	have, err := identify(ctx, conn, len(steps))
	if err != nil {
		return err
	}
	exec := func(sql string) error {
		return patiently(ctx, func() error { _, err := conn.ExecContext(ctx, sql); return err })
	}
	if err := exec("PRAGMA journal_mode = WAL"); err != nil {
		return err
	}
	if have == len(steps) {
		return nil
	}
	if err := exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	// Another process may have been faster: what counts is what the file says under the lock.
	if have, err = identify(ctx, conn, len(steps)); err == nil {
		for _, step := range steps[have:] {
			if err = exec(step); err != nil {
				break
			}
		}
	}
	if err == nil {
		err = exec(fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT", applicationID, len(steps)))
	}
	if err != nil {
		return errors.Join(err, exec("ROLLBACK"))
	}
	return nil
}

// identify returns the version of the file's schema, 0 for an empty file.
func identify(ctx context.Context, conn *sql.Conn, newest int) (version int, err error) {
	var app, objects int
	err = patiently(ctx, func() error {
		return conn.QueryRowContext(ctx, "SELECT a.application_id, v.user_version, (SELECT count(*) FROM sqlite_schema) "+
			"FROM pragma_application_id AS a, pragma_user_version AS v").Scan(&app, &version, &objects)
	})
	switch {
	case err != nil:
		return 0, err
	case app != applicationID && (app != 0 || version != 0 || objects != 0):
		return 0, errors.New("this is some other program's SQLite file: choose another path")
	case version > newest:
		return 0, fmt.Errorf("the file was written by a newer version (schema %d, this program knows up to %d): "+
			"run that version or a later one", version, newest)
	}
	return version, nil
}

// read runs f, which reads by a reader's connection. A statement takes microseconds, so ctx is looked at before, not
// during: watching it would cost a goroutine a call.
func (t *table) read(ctx context.Context, f func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return patiently(ctx, f)
}

func (t *table) close() error {
	var errs []error
	// database/sql leaves statements to the connection, and SQLite leaves a connection open that has any: the file would
	// stay in use, with its WAL beside it.
	for _, s := range []*sql.Stmt{t.get, t.dueList, t.fullList} {
		if s != nil {
			errs = append(errs, s.Close())
		}
	}
	if t.writer != nil {
		errs = append(errs, t.writer.close(t.insert, t.update, t.remove))
	}
	for _, db := range []*sql.DB{t.readers, t.writers} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(errs...)
}

func dataSource(path string, pragmas ...string) string {
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(path), RawQuery: url.Values{"_pragma": pragmas}.Encode()}
	return u.String()
}

// ensuring keeps two Opens of this process apart: see ensureFile. Nothing else is shared between stores.
var ensuring sync.Mutex

// ensureFile makes the file, because SQLite would make it readable for everybody; -wal and -shm take after it. One that
// is there is not opened: closing it would drop the locks that this process holds on it by another connection, as POSIX
// has it.
func ensureFile(path string) error {
	ensuring.Lock()
	defer ensuring.Unlock()
	const need = "it must be a file that the user who runs this program can write, in a directory where that user can make files"
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("sqlitestate: %s is a directory or a device: %s", path, need)
	}
	if err == nil {
		return nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("sqlitestate: the state file cannot be found: %w: %s", err, need)
	}
	changed := []string{filepath.Dir(path)} // the directories that get a new entry
	for d := changed[0]; ; d = filepath.Dir(d) {
		if _, err := os.Stat(d); err == nil || d == filepath.Dir(d) {
			break
		}
		changed = append(changed, filepath.Dir(d))
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("sqlitestate: the directory of the state file cannot be made: %w: make it, or choose another path", err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) { // another process was faster
		return nil
	}
	if err != nil {
		return fmt.Errorf("sqlitestate: the state file cannot be made: %w: %s", err, need)
	}
	for _, d := range changed {
		syncDir(d)
	}
	return f.Close()
}

// syncDir makes new names in a directory survive a loss of power, where the system lets directories be fsync'd. SQLite
// does it for the -wal.
func syncDir(dir string) {
	if f, err := os.Open(dir); err == nil {
		_ = f.Sync() // not on Windows, where there is no need
		_ = f.Close()
	}
}
