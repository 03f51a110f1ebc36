// Package sqlitestate keeps upload records in one SQLite file: the [tus.State] of a standalone server. It owns that
// file, with its -wal and -shm beside it, and nothing else but a -reserve of 1 MiB: where the disk is full that is given
// up, so that it can still be recorded what was stored, and what is deleted to make room.
//
// # What it promises
//
// Any number of processes of one host may open the same file at once. SQLite's locks need shared memory, so
// the file must lie on a local disk, never on NFS, SMB or another network file system.
//
// With [Full], the default, a call that returned nil has survived: the file is in WAL mode, and the WAL is fsync'd
// before a write returns. What can happen:
//
//	what went wrong                   Full          Normal                       Off
//	the process is killed             all kept      all kept                     all kept
//	the machine loses power           all kept      the last writes may be       the last writes may be gone,
//	                                                gone, the file is sound      the file may be damaged
//
// A record that goes back in time breaks the promise that acknowledged bytes are never lost: Normal and Off are for
// tests, for benchmarks, and for data that can be uploaded again.
//
// # Cost
//
// Load is one indexed read. Acquire is one read and one UPDATE, Commit and Create are one statement each. Writes of
// one process that wait for the disk at the same time share one transaction, so one fsync serves them all.
// docs/decisions/0003-sqlite-durability.md has the numbers. A process keeps one connection for writing and a few for
// reading. No goroutine outlives a call.
package sqlitestate

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/fileloft/fileloft/state"
	"github.com/fileloft/fileloft/tus"
)

// Sync says what a write waits for.
type Sync int

const (
	Full   Sync = iota // the WAL is fsync'd at every commit: survives a loss of power
	Normal             // fsync at checkpoints only
	Off                // no fsync at all
)

func (s Sync) String() string {
	switch s {
	case Full:
		return "full"
	case Normal:
		return "normal"
	case Off:
		return "off"
	}
	return fmt.Sprintf("sync(%d)", int(s))
}

// Options configure a [Store]. Nil and zero mean the default.
type Options struct {
	Sync Sync             // default: Full
	Now  func() time.Time // default: time.Now
}

// Store is a [tus.State] in a SQLite file. It lists records and tells what is due.
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

// Open opens the file at path. A file that is not there is created, readable for its owner only, with the directory
// that it is to lie in. A file of an older version is brought up to date, one of a newer version is refused.
func Open(path string, opt *Options) (*Store, error) {
	var o Options
	if opt != nil {
		o = *opt
	}
	if o.Sync < Full || o.Sync > Off {
		return nil, fmt.Errorf("sqlitestate: unknown %s", o.Sync)
	}
	t, err := openTable(path, o.Sync, schema)
	if err != nil {
		return nil, err
	}
	return &Store{Store: state.NewStore(t, &state.Options{Now: o.Now}), table: t}, nil
}

// Close ends the use of the file, once the calls that are under way have returned.
func (s *Store) Close() error { return s.table.close() }

// page is how many rows a listing reads at once. It holds no lock in between.
const page = 256

// Due lists the records that a sweep should look at, the longest due first.
func (s *Store) Due(ctx context.Context, now time.Time) iter.Seq2[tus.ID, error] {
	return func(yield func(tus.ID, error) bool) {
		var lastDue int64
		var lastID tus.ID
		for {
			ids, due, err := s.table.due(ctx, now, lastDue, lastID)
			if err != nil {
				yield("", err)
				return
			}
			for i, id := range ids {
				if !yield(id, nil) {
					return
				}
				lastDue, lastID = due[i], id
			}
			if len(ids) < page {
				return
			}
		}
	}
}

// List lists the records with IDs behind after, in the order of the IDs.
func (s *Store) List(ctx context.Context, after tus.ID) iter.Seq2[tus.Upload, error] {
	return func(yield func(tus.Upload, error) bool) {
		for {
			records, err := s.table.list(ctx, after)
			if err != nil {
				yield(tus.Upload{}, err)
				return
			}
			for _, r := range records {
				if !yield(r.Upload, nil) {
					return
				}
				after = r.Upload.ID
			}
			if len(records) < page {
				return
			}
		}
	}
}

// Ping reads from the file.
func (s *Store) Ping(ctx context.Context) error {
	var n int
	err := s.table.read(ctx, func() error {
		return s.table.readers.QueryRow("SELECT count(*) FROM (SELECT 1 FROM uploads LIMIT 1)").Scan(&n)
	})
	return s.table.explain("ping", err)
}

// Get reads a record; see [state.Swapper].
func (t *table) Get(ctx context.Context, id tus.ID) (state.Record, string, error) {
	var blob []byte
	err := t.read(ctx, func() error { return t.get.QueryRow(string(id)).Scan(&blob) })
	if errors.Is(err, sql.ErrNoRows) {
		return state.Record{}, "", tus.ErrNotFound
	}
	if err != nil {
		return state.Record{}, "", t.explain("read upload "+string(id), err)
	}
	r, err := state.Decode(blob)
	if err != nil {
		return state.Record{}, "", t.explain("read upload "+string(id), err)
	}
	return r, t.VersionOf(r), nil
}

// Insert adds a row; see [state.Swapper].
func (t *table) Insert(ctx context.Context, r state.Record) error {
	args, err := columns(r)
	if err != nil {
		return err
	}
	w := &write{stmt: t.insert, args: append(args, string(r.Upload.ID)), unmet: tus.ErrExists, creates: true}
	return t.explain("create upload "+string(r.Upload.ID), t.writer.do(ctx, w))
}

// Swap updates a row; see [state.Swapper].
func (t *table) Swap(ctx context.Context, r state.Record, version string) error {
	args, err := columns(r)
	if err != nil {
		return err
	}
	epoch, nonce, birth := marks(version)
	w := &write{stmt: t.update, args: append(args, string(r.Upload.ID), epoch, nonce, birth), unmet: state.ErrConflict}
	return t.explain("write upload "+string(r.Upload.ID), t.writer.do(ctx, w))
}

// Delete removes a row; see [state.Swapper].
func (t *table) Delete(ctx context.Context, id tus.ID, version string) error {
	epoch, nonce, birth := marks(version)
	w := &write{stmt: t.remove, args: []any{string(id), epoch, nonce, birth}, unmet: state.ErrConflict}
	return t.explain("delete upload "+string(id), t.writer.do(ctx, w))
}

// VersionOf joins the three marks that no two writes share; see [state.Versioner].
func (t *table) VersionOf(r state.Record) string {
	return strconv.FormatInt(int64(r.Epoch), 10) + "\n" + r.Nonce + "\n" + r.Upload.Birth
}

// marks takes apart what VersionOf made.
func marks(version string) (epoch int64, nonce, birth string) {
	number, rest, _ := strings.Cut(version, "\n")
	nonce, birth, _ = strings.Cut(rest, "\n")
	epoch, _ = strconv.ParseInt(number, 10, 64) // 0, which no row has, for what VersionOf did not make
	return epoch, nonce, birth
}

// columns returns the values of a row, in the order of [setColumns].
func columns(r state.Record) ([]any, error) {
	blob, err := state.Encode(r)
	if err != nil {
		return nil, err
	}
	u := r.Upload
	var due, length any
	if !r.Due.IsZero() {
		due = r.Due.UnixMilli()
	}
	if u.Length != tus.Unknown {
		length = u.Length
	}
	return []any{int64(r.Epoch), r.Nonce, u.Birth, due, length, u.Offset, int64(u.Phase), u.Created.UnixMilli(), blob}, nil
}

// due returns a page of what is due at now, behind the row (lastDue, lastID).
func (t *table) due(ctx context.Context, now time.Time, lastDue int64, lastID tus.ID) (ids []tus.ID, due []int64, err error) {
	err = t.read(ctx, func() error {
		ids, due = nil, nil
		rows, err := t.dueList.Query(now.UnixMilli(), lastDue, string(lastID), page)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var id string
			var at int64
			if err := rows.Scan(&id, &at); err != nil {
				return err
			}
			ids, due = append(ids, tus.ID(id)), append(due, at)
		}
		return rows.Err()
	})
	return ids, due, t.explain("list what is due", err)
}

// list returns a page of records behind the ID after.
func (t *table) list(ctx context.Context, after tus.ID) (records []state.Record, err error) {
	err = t.read(ctx, func() error {
		records = nil
		rows, err := t.fullList.Query(string(after), page)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var blob sql.RawBytes
			if err := rows.Scan(&blob); err != nil {
				return err
			}
			r, err := state.Decode(blob)
			if err != nil {
				return err
			}
			records = append(records, r)
		}
		return rows.Err()
	})
	return records, t.explain("list uploads", err)
}
