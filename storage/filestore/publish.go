//go:build unix

package filestore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"syscall"

	"github.com/fileloft/fileloft/tus"
)

// publishPartial names the file of a Partial upload.
func (s *Store) publishPartial(u *tus.Upload, p paths, from string) error {
	if err := s.root.Link(from, p.key); err != nil && !errors.Is(err, fs.ErrExist) {
		return gone(err)
	}
	s.step("complete:linked")
	if err := s.syncDirs(p.dir); err != nil {
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
func (s *Store) publish(lease *tus.Lease, p paths, from string) error {
	u := &lease.Upload
	if _, err := s.root.Lstat(p.key); err == nil { // before the owner is asked: metadata come first and go last
		if o, err := s.owner(p); err != nil {
			return err
		} else if o == nobody {
			return fmt.Errorf("%w: a file without metadata lies under key %q", tus.ErrExists, u.ObjectKey())
		}
	}
	if err := s.takeKey(lease, p); err != nil {
		return err
	}
	s.step("complete:meta")
	dirs := chain(p.key)
	if err := s.syncDirs(dirs...); err != nil {
		return gone(err)
	}
	s.step("complete:metasynced")
	err := s.link(from, p.key)
	if errors.Is(err, fs.ErrExist) {
		var fi fs.FileInfo
		if fi, err = s.root.Lstat(p.key); err == nil && (!fi.Mode().IsRegular() || fi.Size() != u.Length) {
			err = fmt.Errorf("%w: something else lies under key %q", tus.ErrExists, u.ObjectKey())
		}
	}
	if err != nil {
		return gone(err)
	}
	s.step("complete:linked")
	return s.syncDirs(dirs...)
}

// takeKey puts the metadata in place, unless they are there.
func (s *Store) takeKey(lease *tus.Lease, p paths) error {
	meta, err := s.stageMeta(lease, p)
	if err != nil {
		return err
	}
	s.step("complete:staged")
	if err = s.link(meta, p.meta); !errors.Is(err, fs.ErrExist) {
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

// link gives a file of the upload's directory a second name below files/, making directories as needed.
func (s *Store) link(from, to string) error {
	for try := 0; ; try++ {
		if path.Dir(to) != filesDir {
			if err := s.root.MkdirAll(path.Dir(to), dirMode); errors.Is(err, syscall.ENOTDIR) || errors.Is(err, fs.ErrExist) {
				return fmt.Errorf("%w: part of the key names a file", tus.ErrExists)
			} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		err := s.root.Link(from, to)
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		// Either our file is gone, or a Remove took the directory away because it was empty.
		if _, serr := s.root.Lstat(from); serr != nil || try == 10 {
			return gone(err)
		}
	}
}

// published reports whether the upload's object is in place.
func (s *Store) published(u *tus.Upload, p paths) (bool, error) {
	if p.meta != "" {
		owner, err := s.owner(p)
		if err != nil || owner == nobody {
			return false, err
		}
		if owner != ownerOf(u) {
			return false, fmt.Errorf("key %q: %w", u.ObjectKey(), tus.ErrExists)
		}
	}
	fi, err := s.root.Lstat(p.key)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err == nil && (!fi.Mode().IsRegular() || fi.Size() != u.Length) {
		err = fmt.Errorf("%w: the object under key %q has changed", tus.ErrCorrupt, u.ObjectKey())
	}
	return err == nil, err
}

// checkPublished does for an object in place what remains after a crash.
func (s *Store) checkPublished(ctx context.Context, u *tus.Upload, p paths) (tus.Stored, error) {
	dirs := []string{p.dir}
	if p.meta != "" {
		dirs = chain(p.key)
	}
	if err := s.syncDirs(dirs...); err != nil {
		return tus.Stored{}, err
	}
	f, err := s.root.Open(p.key)
	if err != nil {
		return tus.Stored{}, err
	}
	defer f.Close()
	return s.stored(ctx, f, u)
}
