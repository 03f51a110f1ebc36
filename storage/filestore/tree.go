//go:build unix

package filestore

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/fileloft/fileloft/tus"
)

const shards = 256

// A tree is the data directory: what stays open of it for as long as the store does. partial/ has its names in shards,
// so that no directory grows long; they are made when they are first wanted, and never removed.
type tree struct {
	mu     sync.RWMutex
	sync   bool
	root   folder
	files  folder
	shards [shards]folder // in partial/
	spread int            // over how many of them; fewer in tests, where pieces of others should be in the way
}

func openTree(dir string, sync bool) (*tree, error) {
	t := &tree{sync: sync, spread: shards}
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: dir, Err: err}
	}
	t.root = folder{&t.mu, fd, dir}
	t.files = folder{&t.mu, -1, path.Join(dir, filesDir)}
	for i := range t.shards {
		t.shards[i] = folder{&t.mu, -1, path.Join(dir, partialDir, shardName(i))}
	}
	return t, nil
}

// prepare makes the two directories and tries out what the store relies on.
func (t *tree) prepare() error {
	dir := t.root.at
	for _, name := range []string{filesDir, partialDir} {
		d, err := t.durable(&t.root, name)
		if errors.Is(err, unix.ENOTDIR) {
			return fmt.Errorf("filestore: %s is not a directory (%w)", path.Join(dir, name), err)
		}
		if err != nil {
			return fmt.Errorf("filestore: %s cannot be written to: %w", dir, err)
		}
		if name == filesDir {
			t.files.fd = d.fd
			continue
		}
		defer d.close()
		if err := t.try(d); err != nil {
			return err
		}
	}
	return nil
}

// try makes a file and a hard link from partial/ to files/.
func (t *tree) try(partial *folder) error {
	dir, probe := t.root.at, ".probe-"+tus.NewNonce()
	f, err := partial.open(probe, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL)
	if err != nil {
		return fmt.Errorf("filestore: %s cannot be written to: %w", dir, err)
	}
	_ = f.Close()
	err = partial.link(probe, &t.files, probe)
	_, uerr := partial.unlink(probe)
	if err = errors.Join(err, uerr); err != nil {
		return fmt.Errorf("filestore: %s must be one file system with hard links: %w", dir, err)
	}
	if _, err := t.files.unlink(probe); err != nil {
		return fmt.Errorf("filestore: %s cannot be written to: %w", dir, err)
	}
	return nil
}

func shardName(i int) string { return fmt.Sprintf("%02x", i) }

func (t *tree) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.root.closeLocked()
	t.files.closeLocked()
	for i := range t.shards {
		t.shards[i].closeLocked()
	}
}

// shard returns the directory of an upload's pieces.
func (t *tree) shard(i int) (*folder, error) {
	d := &t.shards[i%t.spread]
	t.mu.RLock()
	open := d.fd >= 0
	t.mu.RUnlock()
	if open {
		return d, nil
	}
	_, err := t.renew(d)
	return d, err
}

// renew opens a directory that is not open, or that is not the one of its name any more: a person may have removed an empty
// one. It reports whether d has changed.
func (t *tree) renew(d *folder) (bool, error) {
	if now, err := t.current(d); now || err != nil {
		return false, err
	}
	t.mu.RLock()
	closed := t.root.fd < 0
	t.mu.RUnlock()
	if closed {
		return false, fs.ErrClosed
	}
	fresh, err := t.openNamed(d)
	if err != nil {
		return false, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.root.fd < 0 {
		_ = unix.Close(fresh.fd)
		return false, fs.ErrClosed
	}
	d.closeLocked()
	d.fd = fresh.fd
	return true, nil
}

// current reports whether d is open and still what its name stands for.
func (t *tree) current(d *folder) (bool, error) {
	name, _ := strings.CutPrefix(d.at, t.root.at+"/")
	t.mu.RLock()
	defer t.mu.RUnlock()
	if d.fd < 0 {
		return false, nil
	}
	var open, named unix.Stat_t
	if err := unix.Fstat(d.fd, &open); err != nil {
		return false, &fs.PathError{Op: "stat", Path: d.at, Err: err}
	}
	err := unix.Fstatat(t.root.fd, name, &named, unix.AT_SYMLINK_NOFOLLOW)
	return err == nil && same(&open, &named), nil
}

// openNamed opens files/ or a shard, and makes it if need be. Its own name is durable then: whoever made it may have died
// before that.
func (t *tree) openNamed(d *folder) (*folder, error) {
	if d == &t.files {
		return t.durable(&t.root, filesDir)
	}
	partial, err := t.durable(&t.root, partialDir)
	if err != nil {
		return nil, err
	}
	defer partial.close()
	return t.durable(partial, path.Base(d.at))
}

func (t *tree) durable(in *folder, name string) (*folder, error) {
	d, err := in.sub(name, true)
	if err == nil && t.sync {
		if err = in.sync(); err != nil {
			d.close()
		}
	}
	return d, err
}

// list returns the names in a directory that the tree keeps open.
func (t *tree) list(d *folder) ([]string, error) {
	if _, err := t.renew(d); err != nil { // the wrong one would look empty
		return nil, err
	}
	return d.names()
}

// A route is the open directories from files/ down to that of a key; all but files/ itself belong to who has it.
type route []*folder

func (r route) last() *folder { return r[len(r)-1] }

func (r route) close() {
	for _, d := range r[1:] {
		d.close()
	}
}

// walk opens the directories of a key below files/, and returns the key's last segment. With mk it makes them if need be.
// The route is to be closed in any case; with an error it ends where it could not go on.
func (t *tree) walk(key string, mk bool) (route, string, error) {
	r := route{&t.files}
	for {
		name, rest, more := strings.Cut(key, "/")
		if !more {
			return r, name, nil
		}
		d, err := r.last().sub(name, mk)
		if err != nil {
			return r, "", err
		}
		r, key = append(r, d), rest
	}
}

// inside calls f with the directory of a key and the key's last segment.
func (t *tree) inside(key string, mk bool, f func(d *folder, name string) error) error {
	r, name, err := t.walk(key, mk)
	defer r.close()
	if err != nil {
		return err
	}
	return f(r.last(), name)
}

func (t *tree) statKey(key string) (st unix.Stat_t, err error) {
	err = t.inside(key, false, func(d *folder, name string) error { st, err = d.stat(name); return err })
	return st, err
}

func (t *tree) openKey(key string) (f *file, err error) {
	err = t.inside(key, false, func(d *folder, name string) error { f, err = d.open(name, unix.O_RDONLY); return err })
	return f, err
}

func (t *tree) unlinkKey(key string) error {
	return t.inside(key, false, func(d *folder, name string) error { _, err := d.unlink(name); return err })
}

// publish gives one of the upload's pieces a second name below files/, making directories as needed.
func (t *tree) publish(from *folder, piece, key string) error {
	for try := 0; ; try++ {
		err := t.inside(key, true, func(d *folder, name string) error { return from.link(piece, d, name) })
		if errors.Is(err, unix.ENOTDIR) {
			return fmt.Errorf("%w: part of the key names a file", tus.ErrExists)
		}
		if !missing(err) {
			return err
		}
		// Either our piece is gone, or the directory: a Remove has found it empty, or a person.
		if _, serr := from.stat(piece); serr != nil || try == 10 {
			return gone(err)
		}
		if _, err := t.renew(&t.files); err != nil {
			return err
		}
	}
}

// syncKey makes the name of a key durable, and those of its directories.
func (t *tree) syncKey(key string) error {
	if !t.sync {
		return nil
	}
	r, _, err := t.walk(key, false)
	defer r.close()
	for i := len(r) - 1; i >= 0; i-- { // where directories are missing, that has to be durable, too
		if err := r[i].sync(); err != nil {
			return err
		}
	}
	return err
}

// prune removes the directories above a key that are empty now. Whoever is about to put something there
// makes them again.
func (t *tree) prune(key string) {
	for dir := path.Dir(key); dir != "."; dir = path.Dir(dir) {
		err := t.inside(dir, false, (*folder).rmdir)
		if err != nil && !missing(err) {
			return // not empty, most likely
		}
	}
}
