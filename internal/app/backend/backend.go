// Package backend opens the State and the Storage that a Config names, for the standalone server. It is apart from
// package app so that a function links its own cloud and nothing of the others, and not SQLite.
//
// Opening makes the directories that are missing and, for SQLite, the database; nothing else is touched.
package backend

import (
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

// Open opens what c names, with dir as the data directory.
func Open(c app.Config, dir string) (*Stores, error) {
	storage, err := openStorage(c, dir)
	if err != nil {
		return nil, fmt.Errorf("open the storage (%sSTORAGE=%s) in %s: %w", app.Prefix, c.Storage, dir, err)
	}
	s := &Stores{Storage: storage}
	if s.State, err = openState(c, dir); err != nil {
		return nil, errors.Join(fmt.Errorf("open the state (%sSTATE=%s) in %s: %w", app.Prefix, c.State, dir, err), s.Close())
	}
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
