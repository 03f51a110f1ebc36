// Package memstore keeps uploads in memory: for tests, demos and benchmarks.
//
// It is a fake of S3 multipart storage that polices itself. Bytes become parts of one size, numbered by the slots of
// the lease; what is short of a part becomes tail objects under names that begin with the epoch; a cursor names the
// parts and tails that count; Complete joins exactly those. Like S3 it silently replaces a part that is sent twice, and
// unlike S3 it writes that down: see [Store.Violations]. A test that uses a Store should end by looking there.
//
// The rules that every S3-like driver needs, in the form that this one gives them:
//
//   - A session (a multipart upload) is made by the first Append of an upload and named in its cursor. Two leases
//     that both find an empty cursor make two; the committed cursor decides.
//   - Tails are never rewritten or removed by the Append that replaces them. The new cursor lists them as dropped, and
//     the next call under a committed cursor that lists them takes them away.
//   - An Append that comes late makes a session beside the finished object. Collect ends such ones: nobody reads from a session
//     of an upload that is Done.
//   - Remove aborts the sessions before it removes the object, so a Complete that comes late finds no session.
//     A Complete that needs none (an empty upload, a Concat) would find its way back: for those Remove leaves a
//     tombstone, which Collect takes away once it is older than any call can be.
//
// It never touches the network or the disk and is safe for concurrent use. It holds every body in memory.
package memstore

import (
	"context"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fileloft/fileloft/tus"
)

// Options configure a [Store]. Nil and zero mean the default.
type Options struct {
	// PartSize is the size of a part in bytes. Default 1 MiB; tests take a small one, to meet its boundaries.
	PartSize int
	// Now tells the age of pieces for Collect. Default time.Now.
	Now func() time.Time
}

// A Store is a tus.Storage in memory.
type Store struct {
	partSize int
	now      func() time.Time

	mu         sync.Mutex
	sessions   map[string]*session
	lives      map[life][]string  // the names of each upload's sessions
	objects    map[string]*object // finished objects by key
	partials   map[life]*object   // finished Partial uploads, visible to Concat and Open alone
	gone       map[life]time.Time // tombstones
	violations []string
	names      uint64 // makes fresh names
}

// A life is one upload: an id, and the birth mark that tells it from others that had the id before.
type life struct {
	id    tus.ID
	birth string
}

// A session is a multipart upload.
type session struct {
	life  life
	born  time.Time
	parts map[uint32]part
	tails map[string][]byte
}

type part struct {
	epoch tus.Epoch // who wrote it
	data  []byte
}

// An object is a finished upload, in the pieces it was made of. They are never changed.
type object struct {
	life   life
	chunks [][]byte
	stored tus.Stored
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// New returns an empty Store.
func New(opt *Options) *Store {
	var o Options
	if opt != nil {
		o = *opt
	}
	if o.PartSize <= 0 {
		o.PartSize = 1 << 20
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Store{
		partSize: o.PartSize,
		now:      o.Now,
		sessions: map[string]*session{},
		lives:    map[life][]string{},
		objects:  map[string]*object{},
		partials: map[life]*object{},
		gone:     map[life]time.Time{},
	}
}

// Slots returns how many parts a body of n bytes can fill, behind tails that may be as long as a part.
func (s *Store) Slots(n int64) uint32 {
	if n < 0 {
		return 1024
	}
	return uint32(n/int64(s.partSize)) + 1
}

// Ping always succeeds.
func (s *Store) Ping(context.Context) error { return nil }

// Violations returns what happened that must never happen: a part number or tail written twice, a part outside its
// lease's slots. None means that every writer kept to its own names.
func (s *Store) Violations() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.violations)
}

// Object returns the bytes of the finished object under key.
func (s *Store) Object(key string) ([]byte, bool) {
	s.mu.Lock()
	o := s.objects[key]
	s.mu.Unlock()
	if o == nil {
		return nil, false
	}
	return slices.Concat(o.chunks...), true
}

// Pieces lists what the store holds of an id, in all its lives, as readable names in order; tombstones apart.
func (s *Store) Pieces(id tus.ID) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for name, ses := range s.sessions {
		if ses.life.id != id {
			continue
		}
		names = append(names, "session "+name)
		for n, p := range ses.parts {
			names = append(names, fmt.Sprintf("session %s part %d (epoch %d, %d bytes)", name, n, p.epoch, len(p.data)))
		}
		for t := range ses.tails {
			names = append(names, "session "+name+" tail "+t)
		}
	}
	for key, o := range s.objects {
		if o.life.id == id {
			names = append(names, "object "+key)
		}
	}
	for l := range s.partials {
		if l.id == id {
			names = append(names, "partial "+l.birth)
		}
	}
	slices.Sort(names)
	return names
}

func (s *Store) violate(format string, args ...any) {
	s.violations = append(s.violations, fmt.Sprintf(format, args...))
}

// fresh returns a name that was never given out before, beginning with the epoch it is made under.
func (s *Store) fresh(e tus.Epoch) string {
	s.names++
	return fmt.Sprintf("%d.%d", e, s.names)
}

func lifeOf(u *tus.Upload) life { return life{u.ID, u.Birth} }

// wrap names the verb and the upload in an error.
func wrap(verb string, id tus.ID, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("memstore: %s %s: %w", verb, strings.ToValidUTF8(string(id), "?"), err)
}
