//go:build unix

package filestore

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fileloft/fileloft/tus"
)

// Modes of what the store makes; the umask applies.
const (
	dirMode  = 0o750
	fileMode = 0o640
)

// Options configure a [Store]. Nil and zero mean the default.
type Options struct {
	// NoSync leaves out every fsync: what was acknowledged then survives the death of the process, but not the
	// loss of power.
	NoSync bool
	// Verify says whether Complete reads the file back and compares it with the upload's rolling crc32c
	// before anybody can see it. Default: up to 16 GiB, unless NoSync.
	Verify Verify
	// Now tells the time for the metadata beside a finished file. Default time.Now.
	Now func() time.Time
}

// Verify is when Complete reads files back.
type Verify uint8

// The values of [Options.Verify].
const (
	VerifySynced Verify = iota // up to 16 GiB, unless NoSync
	VerifyAlways
	VerifyNever
)

// verifyMax bounds VerifySynced: a file of this length is read in well under the time that an engine gives to Complete, even if
// it has to come from the disk. One that is not would never be completed.
const verifyMax = 16 << 30

// limit returns the length up to which files are read back, or -1.
func (v Verify) limit(noSync bool) int64 {
	switch {
	case v == VerifyAlways:
		return math.MaxInt64
	case v == VerifySynced && !noSync:
		return verifyMax
	}
	return -1
}

// A Store is a tus.Storage in a directory. See the package comment.
type Store struct {
	tree   *tree
	sync   bool
	verify int64 // length up to which Complete reads back
	now    func() time.Time
	bufs   sync.Pool

	// What tests replace: to stop or die between two steps, to write into a full disk, to be naive.
	step    func(name string)
	writeAt func(f *file, p []byte, off int64) (int, error)
	lock    func(f *file) (bool, error)
	fenced  bool
	careful bool // looks at the witness
}

// New returns a Store below dir, which it makes if need be. It refuses a dir that is no directory, cannot be written
// to, or lies on a file system without hard links.
func New(dir string, opt *Options) (*Store, error) {
	var o Options
	if opt != nil {
		o = *opt
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if dir == "" {
		return nil, errors.New("filestore: the data directory has no name")
	}
	if o.Verify > VerifyNever {
		return nil, fmt.Errorf("filestore: Verify has no value %d", o.Verify)
	}
	if err := os.MkdirAll(dir, dirMode); err != nil {
		return nil, fmt.Errorf("filestore: data directory: %w", err)
	}
	tree, err := openTree(dir, !o.NoSync)
	if err != nil {
		return nil, fmt.Errorf("filestore: data directory: %w", err)
	}
	s := &Store{
		tree:    tree,
		sync:    !o.NoSync,
		verify:  o.Verify.limit(o.NoSync),
		now:     o.Now,
		step:    func(string) {},
		writeAt: (*file).WriteAt,
		lock:    lock,
		fenced:  true,
		careful: true,
	}
	s.bufs.New = func() any { return new(buffer) }
	if err := tree.prepare(); err != nil {
		tree.close()
		return nil, err
	}
	return s, nil
}

// Close lets the data directory go. Calls that are under way may fail.
func (s *Store) Close() error {
	s.tree.close()
	return nil
}

// Slots returns 0: files need none.
func (s *Store) Slots(int64) uint32 { return 0 }

// Ping reports whether the data directory is there and may be written to, by two system calls.
func (s *Store) Ping(context.Context) error {
	for _, d := range []string{filesDir, partialDir} {
		err := s.tree.root.use("access", d, func(root int) error { return unix.Faccessat(root, d, unix.W_OK|unix.X_OK, 0) })
		if err != nil {
			return fmt.Errorf("filestore: ping: %w: %w", tus.ErrUnavailable, err)
		}
	}
	return nil
}

// wrap names the verb and the upload in an error, and adds the fact that the engine knows it by.
func wrap(verb string, u *tus.Upload, err error) error {
	if err == nil {
		return nil
	}
	var fact error
	for _, f := range []struct {
		errno syscall.Errno
		fact  error
	}{
		{syscall.ENOSPC, tus.ErrNoSpace},
		{syscall.EDQUOT, tus.ErrNoSpace},
		{syscall.EFBIG, tus.ErrNoSpace},
		{syscall.EIO, tus.ErrUnavailable},
		{syscall.EROFS, tus.ErrUnavailable},
		{syscall.ESTALE, tus.ErrUnavailable},
		{syscall.EMFILE, tus.ErrUnavailable},
		{syscall.ENFILE, tus.ErrUnavailable},
		{syscall.ENOMEM, tus.ErrUnavailable},
	} {
		if errors.Is(err, f.errno) {
			fact = f.fact
			break
		}
	}
	id := strings.ToValidUTF8(string(u.ID), "?")
	if fact == nil || errors.Is(err, fact) {
		return fmt.Errorf("filestore: %s %s: %w", verb, id, err)
	}
	return fmt.Errorf("filestore: %s %s: %w: %w", verb, id, fact, err)
}

var (
	_ tus.Storage      = (*Store)(nil)
	_ tus.Concatenator = (*Store)(nil)
	_ tus.Opener       = (*Store)(nil)
	_ tus.Prober       = (*Store)(nil)
	_ tus.Collector    = (*Store)(nil)
	_ tus.Pinger       = (*Store)(nil)
)
