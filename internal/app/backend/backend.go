// Package backend opens the State and the Storage that a Config names, for the standalone server. It is apart from
// package app so that a function links its own cloud and nothing of the others, and not SQLite.
//
// Opening makes the directories that are missing and, for SQLite, the database; nothing else is touched, and nothing is
// sent over the network.
package backend

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/fileloft/fileloft/internal/app"
	"github.com/fileloft/fileloft/tus"
)

// Stores are an open State and an open Storage.
type Stores struct {
	State   tus.State
	Storage tus.Storage
}

// NeedsDir reports whether any of what c names lives in the data directory.
func NeedsDir(c app.Config) bool {
	return c.Storage == "fs" || c.StateName() == "sqlite" && c.SQLiteFile == ""
}

// Open opens what c names, with dir as the data directory, which may be "" where none is needed.
func Open(ctx context.Context, c app.Config, dir string) (*Stores, error) {
	where := ""
	if dir != "" {
		where = " in " + dir + " (" + app.Prefix + "DATA_DIR)"
	}
	storage, err := openStorage(ctx, c, dir)
	if err != nil {
		return nil, fmt.Errorf("open the storage (%sSTORAGE=%s)%s: %w", app.Prefix, c.Storage, where, err)
	}
	s := &Stores{Storage: storage}
	state, err := openState(ctx, c, dir)
	if err != nil { // state may be a nil pointer, which is no nil interface
		return nil, errors.Join(fmt.Errorf("open the state (%sSTATE=%s)%s: %w", app.Prefix, c.StateName(), where, err), s.Close())
	}
	s.State = state
	return s, nil
}

// Close closes both, as far as they want to be closed. No request may be at work on them.
func (s *Stores) Close() error {
	var errs []error
	for _, store := range []any{s.State, s.Storage} {
		if c, ok := store.(io.Closer); ok {
			errs = append(errs, c.Close())
		}
	}
	return errors.Join(errs...)
}
