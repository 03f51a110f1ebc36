//go:build unix

package filestore

import (
	"errors"
	"io/fs"
	"path"
	"strings"
	"syscall"
)

// syncDirs makes the names in the directories durable.
func (s *Store) syncDirs(dirs ...string) error {
	if !s.sync {
		return nil
	}
	for _, d := range dirs {
		f, err := s.root.Open(d)
		if err != nil {
			return err
		}
		err = f.Sync()
		_ = f.Close()
		// Some file systems know no fsync of a directory.
		if err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.ENOTSUP) {
			return err
		}
	}
	return nil
}

// chain returns the directory of a file below files/ and those above it, up to files/ itself.
func chain(file string) []string {
	var dirs []string
	for d := path.Dir(file); ; d = path.Dir(d) {
		dirs = append(dirs, d)
		if d == filesDir || d == "." {
			return dirs
		}
	}
}

// list returns the names in a directory; a directory that is not there has none.
func (s *Store) list(dir string) ([]string, error) {
	f, err := s.root.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Readdirnames(-1)
}

// unlink removes a name, if it is there.
func (s *Store) unlink(name string) error {
	if err := s.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// removeData removes a data file, then its fence: in that order, so that whoever finds no fence finds no data either.
func (s *Store) removeData(p paths, name string) error {
	if err := s.unlink(path.Join(p.dir, name)); err != nil {
		return err
	}
	return s.unlink(path.Join(p.dir, name+fenceSuffix))
}

// clear removes the files in dir, except those whose name, or the name of whose data file, is to be kept.
// Data files go before fences.
func (s *Store) clear(dir string, keep func(name string) bool) error {
	names, err := s.list(dir)
	if err != nil {
		return err
	}
	for _, fences := range []bool{false, true} {
		for _, name := range names {
			data, isFence := strings.CutSuffix(name, fenceSuffix)
			if isFence != fences || keep(data) {
				continue
			}
			if err := s.unlink(path.Join(dir, name)); err != nil {
				return err
			}
		}
	}
	return nil
}

// removeDir removes a directory of pieces. A late writer may still be putting files into it: what succeeds in the end is
// the removal of the directory itself, and after that nobody can.
func (s *Store) removeDir(dir string) error {
	for try := 0; ; try++ {
		err := s.clear(dir, func(string) bool { return false })
		if err == nil {
			s.step("removedir:cleared")
			err = s.unlink(dir)
		}
		if err == nil || try == 10 || !errors.Is(err, syscall.ENOTEMPTY) && !errors.Is(err, syscall.EEXIST) {
			return err
		}
	}
}
