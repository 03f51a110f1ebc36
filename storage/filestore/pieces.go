//go:build unix

package filestore

import (
	"strings"

	"golang.org/x/sys/unix"

	"github.com/fileloft/fileloft/tus"
)

// A home is where an upload's pieces lie.
type home struct {
	paths
	dir *folder
}

func (s *Store) home(u *tus.Upload) (home, error) {
	p, err := pathsOf(u)
	if err != nil {
		return home{}, err
	}
	d, err := s.tree.shard(p.shard)
	return home{p, d}, err
}

// make makes a piece that is not there.
func (s *Store) make(h home, name string, flag int) (*file, error) {
	return s.openPiece(h, name, flag|unix.O_CREAT|unix.O_EXCL)
}

// openPiece looks twice where the directory was another one.
func (s *Store) openPiece(h home, name string, flag int) (*file, error) {
	f, err := h.dir.open(h.stem+name, flag)
	if missing(err) {
		fresh, rerr := s.tree.renew(h.dir)
		if rerr != nil {
			return nil, rerr
		}
		if fresh {
			f, err = h.dir.open(h.stem+name, flag)
		}
	}
	return f, err
}

// A witness tells whether a Remove of the upload has begun, or a Complete has ended. For an upload with a committed data file
// it is that file, under its name; for others the name that is missing, of the sign that Remove puts up.
type witness struct {
	name string
	file unix.Stat_t // of the open file
}

// check is asked after every piece that is made on the way to files/. A Remove takes the witness away first and lists the
// pieces then: so it finds the piece, or the piece's maker finds the witness gone.
func (s *Store) check(h home, w *witness) error {
	if !s.careful {
		return nil
	}
	if w.name == "" {
		_, err := h.dir.stat(h.stem + goneName)
		if missing(err) {
			return nil
		}
		return gone(err)
	}
	at, err := h.dir.stat(h.stem + w.name)
	if err != nil || !same(&at, &w.file) {
		return gone(err)
	}
	return nil
}

// sweep removes the pieces of one upload that want says, in the order of kinds: data before fences, so that whoever finds
// no fence finds no data either.
func (s *Store) sweep(h home, want func(rest string, k kind) bool) error {
	names, err := s.tree.list(h.dir)
	if err != nil {
		return err
	}
	s.step("sweep:listed")
	for _, k := range []kind{dataPiece, stagedPiece, fencePiece} {
		for _, name := range names {
			rest, ok := strings.CutPrefix(name, h.stem)
			if !ok || kindOf(rest) != k || !want(rest, k) {
				continue
			}
			if _, err := h.dir.unlink(name); err != nil {
				return err
			}
			s.step("sweep:unlinked")
		}
	}
	return nil
}

func all(string, kind) bool { return true }

// removeData removes a data file, then its fence.
func (s *Store) removeData(h home, name string) error {
	if _, err := h.dir.unlink(h.stem + name); err != nil {
		return err
	}
	_, err := h.dir.unlink(h.stem + name + fenceSuffix)
	return err
}

// clear removes what an upload has in its shard, but the sign and the object of a Partial one: first the committed file, which
// is the witness, so that nothing that comes later is of use to anybody.
func (s *Store) clear(h home, committed string) error {
	if committed != "" {
		if _, err := h.dir.unlink(h.stem + committed); err != nil {
			return err
		}
		s.step("clear:witness")
	}
	return s.sweep(h, all)
}

// tidy is clear after a Complete. Most uploads are made by one PATCH, under the second epoch, and one name at most is unknown then:
// that of a data file made under the first. To ask for it is cheaper than to list the shard.
func (s *Store) tidy(h home, lease *tus.Lease) error {
	c, err := parseCursor(lease.Upload.Cursor)
	if err != nil || c.file != dataName(lease.Epoch, 0) || c.dropped != "" || lease.Epoch > 2 {
		return s.clear(h, c.file)
	}
	if _, err := h.dir.unlink(h.stem + c.file); err != nil {
		return err
	}
	s.step("clear:witness")
	if _, err := h.dir.unlink(h.stem + stagedName(lease.Epoch)); err != nil {
		return err
	}
	return s.clearOlder(h, lease.Epoch)
}

// clearOlder removes the data files of older epochs, none of which is committed or ever will be.
func (s *Store) clearOlder(h home, e tus.Epoch) error {
	if e <= 1 {
		return nil
	}
	if e == 2 {
		if found, err := h.dir.unlink(h.stem + dataName(1, 0)); err != nil || !found {
			return err
		}
	}
	return s.sweep(h, func(rest string, k kind) bool {
		of, ok := epochOf(strings.TrimSuffix(rest, fenceSuffix))
		return k != stagedPiece && ok && of < e
	})
}

// gone explains an error of opening what a committed cursor names.
func gone(err error) error {
	if err == nil || missing(err) {
		return errGone
	}
	return err
}

// settled makes the names of the upload's pieces durable.
func (s *Store) settled(h home) error {
	if !s.sync {
		return nil
	}
	return h.dir.sync()
}
