package sqlitestate

import (
	"context"
	"errors"
	"fmt"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/fileloft/fileloft/state"
	"github.com/fileloft/fileloft/tus"
)

// code returns the primary result code of SQLite in err, or 0.
func code(err error) int {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code() & 0xff // the rest are details of it
	}
	return 0
}

// isBusy reports whether err means that another connection held a lock and nothing was done.
func isBusy(err error) bool {
	c := code(err)
	return c == sqlite3.SQLITE_BUSY || c == sqlite3.SQLITE_LOCKED
}

// isFull reports whether err means that there was no space on the disk.
func isFull(err error) bool { return code(err) == sqlite3.SQLITE_FULL }

// explain adds to an error of SQLite what was wanted of which file, and what a person can do about it.
func (t *table) explain(verb string, err error) error {
	if err == nil || errors.Is(err, tus.ErrExists) || errors.Is(err, state.ErrConflict) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	switch code(err) {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		err = fmt.Errorf("%w: another process has kept the file locked for %s: %w", tus.ErrUnavailable, maxBusy, err)
	case sqlite3.SQLITE_FULL:
		err = fmt.Errorf("%w: the disk of the state file is full: %w", tus.ErrNoSpace, err)
	case sqlite3.SQLITE_READONLY:
		err = fmt.Errorf("%w: %w: the user who runs this program must be able to write the file, its -wal and -shm, and to make files in "+
			"its directory", tus.ErrUnavailable, err)
	case sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM:
		err = fmt.Errorf("%w: %w: it must be a file on a local disk that the user who runs this program can write, in a directory where that "+
			"user can make files", tus.ErrUnavailable, err)
	case sqlite3.SQLITE_IOERR:
		err = fmt.Errorf("%w: %w: the disk failed, or the file lies on a network file system, where SQLite cannot work", tus.ErrUnavailable, err)
	case sqlite3.SQLITE_NOTADB:
		err = fmt.Errorf("%w: the file is damaged or was never a state file: restore it from a backup, or choose another path", err)
	case sqlite3.SQLITE_CORRUPT:
		err = fmt.Errorf("%w: the file is damaged: stop the program, keep a copy, and restore a backup or run sqlite3's .recover on it", err)
	}
	return fmt.Errorf("sqlitestate: %s: %s: %w", t.path, verb, err)
}
