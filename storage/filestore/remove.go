//go:build unix

package filestore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"
	"time"

	"github.com/fileloft/fileloft/tus"
)

// Remove implements tus.Storage.
func (s *Store) Remove(ctx context.Context, lease tus.Lease) error {
	u := &lease.Upload
	p, err := pathsOf(u)
	if err == nil {
		err = ctx.Err()
	}
	if err == nil {
		err = s.remove(u, p)
	}
	return wrap("remove", u, err)
}

func (s *Store) remove(u *tus.Upload, p paths) error {
	// A Complete or Concat that needs no committed file could make the directory anew.
	if u.Concat.Role == tus.Final || len(u.Cursor) == 0 && u.Offset == u.Length {
		if err := s.root.Mkdir(p.gone, dirMode); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		s.step("remove:sign")
	}
	if err := s.removeDir(p.dir); err != nil {
		return err
	}
	s.step("remove:dir")
	// From here on nothing of this upload can come into files/ any more.
	if err := s.syncDirs(partialDir); err != nil || p.meta == "" {
		return err
	}
	return s.unpublish(u, p)
}

// unpublish removes the object and then its metadata, if they are this upload's. The metadata are what tells, so they stay
// until the object is gone; and their lock is held meanwhile, because between looking and unlinking another
// Remove could finish, and somebody else take the key. Nobody unlinks either name without that lock.
func (s *Store) unpublish(u *tus.Upload, p paths) error {
	f, err := s.root.Open(p.meta)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		s.prune(p)
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	s.step("unpublish:opened")
	b, err := io.ReadAll(f)
	if err != nil || parseOwner(b) != ownerOf(u) {
		return err
	}
	if ok, err := s.lock(f); err != nil || !ok {
		return errors.Join(fmt.Errorf("%w: another process is removing it", tus.ErrUnavailable), err)
	}
	fi, err := f.Stat()
	if err != nil {
		return err
	}
	if at, err := s.root.Lstat(p.meta); err != nil || !os.SameFile(fi, at) {
		return nil // another Remove was faster
	}
	s.step("unpublish:locked")
	// Something that a person has put in its place is not ours to remove.
	if at, err := s.root.Lstat(p.key); err == nil && at.Mode().IsRegular() && at.Size() == u.Length {
		if err := s.unlink(p.key); err != nil {
			return err
		}
	}
	s.step("unpublish:object")
	if err := s.unlink(p.meta); err != nil {
		return err
	}
	s.step("unpublish:meta")
	for _, d := range chain(p.key) {
		if err := s.syncDirs(d); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	s.prune(p)
	return nil
}

// prune removes the directories above an object that are empty now. Whoever is about to put something there
// makes them again.
func (s *Store) prune(p paths) {
	dirs := chain(p.key)
	for _, d := range dirs[:len(dirs)-1] {
		fi, err := s.root.Lstat(d)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil || !fi.IsDir() || s.root.Remove(d) != nil {
			return // not empty, most likely
		}
	}
}

// Collect implements tus.Collector. It looks at every directory in partial/.
func (s *Store) Collect(ctx context.Context, before time.Time, alive func(context.Context, tus.ID, string) (bool, error)) (int, error) {
	names, err := s.list(partialDir)
	if err != nil {
		return 0, fmt.Errorf("filestore: collect: %w", err)
	}
	removed := 0
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return removed, err
		}
		base, sign := strings.CutSuffix(name, goneSuffix)
		id, birth, ok := strings.Cut(base, ".")
		if !ok || tus.ID(id).Validate() != nil || tus.ID(birth).Validate() != nil {
			continue // not ours
		}
		dir := path.Join(partialDir, name)
		old, err := s.olderThan(dir, before)
		if err != nil {
			return removed, fmt.Errorf("filestore: collect: %w", err)
		}
		if !old {
			continue
		}
		live, err := alive(ctx, tus.ID(id), birth)
		if err != nil {
			return removed, fmt.Errorf("filestore: collect: %w", err)
		}
		if live {
			continue
		}
		if err := s.removeDir(dir); err != nil {
			return removed, fmt.Errorf("filestore: collect %s: %w", name, err)
		}
		if !sign {
			removed++
		}
	}
	return removed, nil
}

// olderThan reports whether dir and everything in it was last changed before t.
func (s *Store) olderThan(dir string, t time.Time) (bool, error) {
	names, err := s.list(dir)
	if err != nil {
		return false, err
	}
	for _, n := range append(names, ".") {
		fi, err := s.root.Lstat(path.Join(dir, n))
		if errors.Is(err, fs.ErrNotExist) {
			return false, nil // it is being changed right now
		}
		if err != nil || !fi.ModTime().Before(t) {
			return false, err
		}
	}
	return true, nil
}
