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

// publishPartial names the file of a Partial upload.
func (s *Store) publishPartial(u *tus.Upload, p home, h *held) error {
	if err := p.dir.link(p.stem+h.name, p.dir, p.stem+doneName); err != nil && !errors.Is(err, fs.ErrExist) {
		return gone(err)
	}
	s.step("complete:linked")
	if err := s.settled(p); err != nil {
		return err
	}
	done, err := s.published(u, p)
	if err == nil && !done {
		err = errGone
	}
	return err
}

// publish puts metadata and file under the upload's key, in this order and neither in place of anything. The metadata take
// the key: whose they are, his the file is.
func (s *Store) publish(lease *tus.Lease, p home, h *held) error {
	u := &lease.Upload
	if _, err := s.tree.statKey(p.key); err == nil { // before the owner is asked: metadata come first and go last
		if o, err := s.owner(p); err != nil {
			return err
		} else if o == nobody {
			return fmt.Errorf("%w: a file without metadata lies under key %q", tus.ErrExists, u.ObjectKey())
		}
	}
	if err := s.takeKey(lease, p, h.witness); err != nil {
		return err
	}
	s.step("complete:meta")
	if err := s.tree.syncKey(p.key); err != nil {
		return gone(err)
	}
	s.step("complete:metasynced")
	err := s.tree.publish(p.dir, p.stem+h.name, p.key)
	if errors.Is(err, fs.ErrExist) {
		var st unix.Stat_t
		if st, err = s.tree.statKey(p.key); err == nil && !is(&st, u.Length) {
			err = fmt.Errorf("%w: something else lies under key %q", tus.ErrExists, u.ObjectKey())
		}
	}
	if err != nil {
		return gone(err)
	}
	s.step("complete:linked")
	return s.tree.syncKey(p.key)
}

// takeKey puts the metadata in place, unless they are there.
func (s *Store) takeKey(lease *tus.Lease, p home, w *witness) error {
	meta, err := s.stageMeta(lease, p, w)
	if err != nil {
		return err
	}
	s.step("complete:staged")
	if err = s.tree.publish(p.dir, meta, p.meta()); !errors.Is(err, fs.ErrExist) {
		return err
	}
	switch o, err := s.owner(p); {
	case err != nil:
		return err
	case o == nobody:
		return errGone // removed in the meantime
	case o != ownerOf(&lease.Upload):
		return fmt.Errorf("key %q: %w", lease.Upload.ObjectKey(), tus.ErrExists)
	}
	return nil
}

// published reports whether the upload's object is in place.
func (s *Store) published(u *tus.Upload, p home) (bool, error) {
	if p.key != "" {
		owner, err := s.owner(p)
		if err != nil || owner == nobody {
			return false, err
		}
		if owner != ownerOf(u) {
			return false, fmt.Errorf("key %q: %w", u.ObjectKey(), tus.ErrExists)
		}
	}
	st, err := s.object(p)
	if missing(err) {
		return false, nil
	}
	if err == nil && !is(&st, u.Length) {
		err = fmt.Errorf("%w: the object under key %q has changed", tus.ErrCorrupt, u.ObjectKey())
	}
	return err == nil, err
}

// checkPublished does for an object in place what remains after a crash.
func (s *Store) checkPublished(ctx context.Context, u *tus.Upload, p home) (tus.Stored, error) {
	if err := s.syncObject(p); err != nil {
		return tus.Stored{}, err
	}
	f, err := s.openObject(p)
	if err != nil {
		return tus.Stored{}, err
	}
	defer f.Close()
	return s.stored(ctx, f, u)
}

// object looks for the object, wherever it belongs.
func (s *Store) object(p home) (unix.Stat_t, error) {
	if p.key == "" {
		return p.dir.stat(p.stem + doneName)
	}
	return s.tree.statKey(p.key)
}

func (s *Store) openObject(p home) (*file, error) {
	if p.key == "" {
		return s.openPiece(p, doneName, unix.O_RDONLY)
	}
	return s.tree.openKey(p.key)
}

func (s *Store) syncObject(p home) error {
	if p.key == "" {
		return s.settled(p)
	}
	return s.tree.syncKey(p.key)
}
