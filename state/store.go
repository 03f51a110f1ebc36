package state

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/fileloft/fileloft/tus"
)

// ErrConflict is a Swapper's answer to a write whose condition did not hold. Nothing was changed.
var ErrConflict = errors.New("state: the record has changed meanwhile")

// A Swapper is a table of records with conditional writes: what a database must offer for [Store] to make a
// [tus.State] of it. A version is an opaque mark of what a record held when it was read: an ETag, an update
// time, a counter. It must differ after every write, also when the same ID is deleted and inserted again.
//
// Reads and writes are linearizable for each record, and a nil error of a write means that it is durable. Any other
// error of a write than the named ones leaves it open whether it was made. All methods may be called
// concurrently.
type Swapper interface {
	// Get returns a record and its version.
	// Errors: tus.ErrNotFound.
	Get(ctx context.Context, id tus.ID) (Record, string, error)
	// Insert stores a record under an ID that has none.
	// Errors: tus.ErrExists.
	Insert(ctx context.Context, r Record) error
	// Swap replaces the record of r's ID, if it has this version.
	// Errors: ErrConflict, also where there is none.
	Swap(ctx context.Context, r Record, version string) error
	// Delete removes a record, if it has this version.
	// Errors: ErrConflict, also where there is none.
	Delete(ctx context.Context, id tus.ID, version string) error
}

// A Versioner is a Swapper whose version is made from the record's Birth, Epoch and Nonce, so that a lease is enough
// to know it. It saves Commit and Delete their read. It takes all three: see [Record].
type Versioner interface {
	VersionOf(r Record) string
}

// Options configure a [Store]. Nil and zero mean the default.
type Options struct {
	Now func() time.Time // default: time.Now
	// Backoff is how long to wait before a call is tried again for the n-th time, n from 1 on, because another
	// process was faster or the database failed. Default: at once the first time, then a random time below
	// 10 ms, 20 ms and so on, at most 640 ms.
	Backoff func(n int) time.Duration
}

// Store is a [tus.State] over a Swapper.
type Store struct {
	table   Swapper
	version func(Record) string // nil where the table is no Versioner
	now     func() time.Time
	backoff func(n int) time.Duration
}

var _ tus.State = (*Store)(nil)

// NewStore returns the lease rules over a table.
func NewStore(table Swapper, opt *Options) *Store {
	s := &Store{table: table, now: time.Now, backoff: backoff}
	if opt != nil && opt.Now != nil {
		s.now = opt.Now
	}
	if opt != nil && opt.Backoff != nil {
		s.backoff = opt.Backoff
	}
	if v, ok := table.(Versioner); ok {
		s.version = v.VersionOf
	}
	return s
}

// Create stores a new record; see [tus.State].
func (s *Store) Create(ctx context.Context, u tus.Upload, c tus.Claim) (tus.Lease, error) {
	r, l, err := New(u, c, s.now())
	if err != nil {
		return tus.Lease{}, err
	}
	first, exists := true, false
	insert := func() error {
		err := s.table.Insert(ctx, r)
		exists = errors.Is(err, tus.ErrExists)
		return err
	}
	err = s.try(ctx, func() (func() error, error) {
		if first {
			first = false
			return insert, nil
		}
		got, _, err := s.table.Get(ctx, u.ID)
		switch {
		case errors.Is(err, tus.ErrNotFound) && exists: // deleted between the two calls
			return nil, tus.ErrExists
		case errors.Is(err, tus.ErrNotFound):
			return insert, nil
		case err != nil:
			return nil, err
		case got.Nonce != c.Nonce || got.Upload.Birth != u.Birth:
			return nil, tus.ErrExists
		}
		_, l, err = again(got, c)
		return nil, err
	})
	return leaseOr(l, err)
}

// Load returns the record as it is; see [tus.State].
func (s *Store) Load(ctx context.Context, id tus.ID) (tus.Upload, error) {
	r, _, err := s.table.Get(ctx, id)
	return r.Upload, err
}

// Acquire grants a lease; see [tus.State].
func (s *Store) Acquire(ctx context.Context, id tus.ID, c tus.Claim) (tus.Lease, error) {
	var l tus.Lease
	err := s.try(ctx, func() (func() error, error) {
		r, version, err := s.table.Get(ctx, id)
		if err != nil {
			return nil, err
		}
		next, granted, err := Grant(r, c, s.now())
		l = granted
		if err != nil || r.Nonce == c.Nonce {
			return nil, err
		}
		return func() error { return s.table.Swap(ctx, next, version) }, nil
	})
	return leaseOr(l, err)
}

// Commit replaces the record; see [tus.State].
func (s *Store) Commit(ctx context.Context, l tus.Lease, next tus.Upload, c tus.Claim) (tus.Lease, error) {
	var renewed tus.Lease
	read := s.version == nil
	err := s.try(ctx, func() (func() error, error) {
		r, version, err := s.current(ctx, l, read)
		read = true
		if errors.Is(err, tus.ErrNotFound) {
			return nil, tus.ErrSuperseded
		}
		if err != nil {
			return nil, err
		}
		changed, granted, err := Advance(r, l, next, c, s.now())
		renewed = granted
		if err != nil || r.Nonce == c.Nonce {
			return nil, err
		}
		return func() error { return s.table.Swap(ctx, changed, version) }, nil
	})
	return leaseOr(renewed, err)
}

// Delete removes the record; see [tus.State].
func (s *Store) Delete(ctx context.Context, l tus.Lease) error {
	read := s.version == nil
	return s.try(ctx, func() (func() error, error) {
		r, version, err := s.current(ctx, l, read)
		read = true
		if errors.Is(err, tus.ErrNotFound) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		if gone, err := Remove(r, l); gone || err != nil {
			return nil, err
		}
		return func() error { return s.table.Delete(ctx, l.Upload.ID, version) }, nil
	})
}

// current returns the record that l's holder wants to change and its version: read, or as the lease tells, in
// the hope that nobody has written since.
func (s *Store) current(ctx context.Context, l tus.Lease, read bool) (Record, string, error) {
	if read {
		return s.table.Get(ctx, l.Upload.ID)
	}
	r := Held(l)
	return r, s.version(r), nil
}

// maxBroken is how many writes of one call may end in an unclear error before it gives up.
const maxBroken = 3

// try makes one change. Look finds out where the record stands and returns the write to make, or none and the call's
// answer. A write that meets a conflict means that another process was faster: look decides anew, for as long as ctx
// allows. Any other error of a write leaves it open whether it was made: look reads again, after the last failure too,
// and the nonce in the record tells.
func (s *Store) try(ctx context.Context, look func() (write func() error, err error)) error {
	var broken error
	failures := 0
	for n := 1; ; n++ {
		write, err := look()
		switch {
		case write == nil && err != nil && broken != nil && !isAnswer(err):
			return errors.Join(broken, err)
		case write == nil:
			return err
		case failures == maxBroken:
			return broken
		}
		err = write()
		if err == nil {
			return nil
		}
		if !errors.Is(err, ErrConflict) && !errors.Is(err, tus.ErrExists) {
			broken = err
			failures++
		}
		if wait(ctx, s.backoff(n)) != nil {
			return errors.Join(err, ctx.Err())
		}
	}
}

// isAnswer reports whether err says something about the record, and is not a failure of the database.
func isAnswer(err error) bool {
	var leased *tus.LeasedError
	var offset *tus.OffsetError
	return errors.Is(err, tus.ErrNotFound) || errors.Is(err, tus.ErrExists) || errors.Is(err, tus.ErrSuperseded) ||
		errors.As(err, &leased) || errors.As(err, &offset)
}

func wait(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func backoff(n int) time.Duration {
	if n <= 1 {
		return 0
	}
	return rand.N(10 * time.Millisecond << min(n-2, 6))
}

func leaseOr(l tus.Lease, err error) (tus.Lease, error) {
	if err != nil {
		return tus.Lease{}, err
	}
	return l, nil
}
