//go:build unix

package filestore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"golang.org/x/sys/unix"

	"github.com/fileloft/fileloft/tus"
)

// Remove implements tus.Storage.
func (s *Store) Remove(ctx context.Context, lease tus.Lease) error {
	u := &lease.Upload
	p, err := s.home(u)
	if err == nil {
		err = ctx.Err()
	}
	if err == nil {
		err = s.remove(u, p)
	}
	return wrap("remove", u, err)
}

func (s *Store) remove(u *tus.Upload, p home) error {
	if _, err := s.tree.renew(p.dir); err != nil { // what is removed must be what others see
		return err
	}
	c, _ := parseCursor(u.Cursor) // who cannot read it has nothing to complete
	// A Complete or Concat that needs no committed file could make all that it needs.
	if u.Concat.Role == tus.Final || len(u.Cursor) == 0 && u.Offset == u.Length {
		f, err := s.make(p, goneName, unix.O_WRONLY)
		if err == nil {
			_ = f.Close()
		} else if !errors.Is(err, fs.ErrExist) {
			return err
		}
		s.step("remove:sign")
	}
	if err := s.clear(p, c.file); err != nil {
		return err
	}
	s.step("remove:pieces")
	// Only now: a Complete could link this name to pieces while they stood.
	if _, err := p.dir.unlink(p.stem + doneName); err != nil {
		return err
	}
	s.step("remove:done")
	// From here on nothing of this upload can come into files/ any more.
	if err := s.settled(p); err != nil || p.key == "" {
		return err
	}
	return s.unpublish(u, p)
}

// unpublish removes the object and then its metadata, if they are this upload's. The metadata are what tells, so they stay
// until the object is gone; and their lock is held meanwhile, because between looking and unlinking another
// Remove could finish, and somebody else take the key. Nobody unlinks either name without that lock.
func (s *Store) unpublish(u *tus.Upload, p home) error {
	f, err := s.tree.openKey(p.meta())
	if nowhere(err) {
		s.tree.prune(p.key)
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	s.step("unpublish:opened")
	b, err := f.readAll()
	if err != nil || parseOwner(b) != ownerOf(u) {
		return err
	}
	if ok, err := s.lock(f); err != nil || !ok {
		return errors.Join(fmt.Errorf("%w: another process is removing it", tus.ErrUnavailable), err)
	}
	st, err := f.stat()
	if err != nil {
		return err
	}
	if at, err := s.tree.statKey(p.meta()); err != nil || !same(&st, &at) {
		return nil // another Remove was faster
	}
	s.step("unpublish:locked")
	// Something that a person has put in its place is not ours to remove.
	if at, err := s.tree.statKey(p.key); err == nil && is(&at, u.Length) {
		if err := s.tree.unlinkKey(p.key); err != nil {
			return err
		}
	}
	s.step("unpublish:object")
	if err := s.tree.unlinkKey(p.meta()); err != nil {
		return err
	}
	s.step("unpublish:meta")
	if err := s.tree.syncKey(p.key); err != nil && !missing(err) {
		return err
	}
	s.tree.prune(p.key)
	return nil
}
