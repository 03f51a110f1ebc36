package watch

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"time"

	"github.com/fileloft/fileloft/tus"
)

// Storage returns st with w told of each step, and of each use of its abilities to Concat, Open, Link and Collect. Idle and Ping are
// found through it and are not watched.
//
// What it returns has exactly the abilities that st has: each is a layer of its own, found by Unwrap, and only laid where st has it.
func Storage(st tus.Storage, w Watcher) tus.Storage {
	top := st
	if a, ok := ability[tus.Concatenator](st); ok {
		top = &concatenator{top, w, a}
	}
	if a, ok := ability[tus.Opener](st); ok {
		top = &opener{top, w, a}
	}
	if a, ok := ability[tus.Linker](st); ok {
		top = &linker{top, w, a}
	}
	if a, ok := ability[tus.Collector](st); ok {
		top = &collector{top, w, a}
	}
	return &storage{top, st, w}
}

// ability looks for T in a storage and in what it wraps, as the engine does.
func ability[T any](st tus.Storage) (T, bool) {
	for st != nil {
		if t, ok := st.(T); ok {
			return t, true
		}
		w, ok := st.(interface{ Unwrap() tus.Storage })
		if !ok {
			break
		}
		st = w.Unwrap()
	}
	var none T
	return none, false
}

type storage struct {
	tus.Storage // the first layer of abilities, or st
	st          tus.Storage
	w           Watcher
}

// Unwrap returns the layers of abilities, below which the storage is that is watched.
func (s *storage) Unwrap() tus.Storage { return s.Storage }

func (s *storage) Slots(n int64) uint32 { return s.st.Slots(n) }

func (s *storage) Append(ctx context.Context, l tus.Lease, r io.Reader) (tus.Receipt, error) {
	c := &Call{Port: StoragePort, Method: "append", ID: l.Upload.ID, Lease: l}
	b := &body{r: r}
	return do(ctx, s.w, c, func(ctx context.Context) (tus.Receipt, error) {
		rc, err := s.st.Append(ctx, l, b)
		c.Receipt, c.Waited, c.BodyFailed = rc, time.Duration(b.waited.Load()), b.failed.Load()
		return rc, err
	})
}

func (s *storage) Complete(ctx context.Context, l tus.Lease) (tus.Stored, error) {
	c := &Call{Port: StoragePort, Method: "complete", ID: l.Upload.ID, Lease: l}
	return do(ctx, s.w, c, func(ctx context.Context) (tus.Stored, error) { return s.st.Complete(ctx, l) })
}

func (s *storage) Remove(ctx context.Context, l tus.Lease) error {
	c := &Call{Port: StoragePort, Method: "remove", ID: l.Upload.ID, Lease: l}
	_, err := do(ctx, s.w, c, nothing(func(ctx context.Context) error { return s.st.Remove(ctx, l) }))
	return err
}

// A body notes how long its reader was waited for. It passes each Read on as it is: receipts end where Reads do. A storage may read
// in another goroutine than the one that called it.
type body struct {
	r      io.Reader
	waited atomic.Int64 // in nanoseconds
	failed atomic.Bool
}

func (b *body) Read(p []byte) (int, error) {
	start := time.Now()
	n, err := b.r.Read(p)
	b.waited.Add(int64(time.Since(start)))
	if err != nil && !errors.Is(err, io.EOF) {
		b.failed.Store(true)
	}
	return n, err
}

// The layers, one for each ability.
type (
	concatenator struct {
		tus.Storage
		w Watcher
		a tus.Concatenator
	}
	opener struct {
		tus.Storage
		w Watcher
		a tus.Opener
	}
	linker struct {
		tus.Storage
		w Watcher
		a tus.Linker
	}
	collector struct {
		tus.Storage
		w Watcher
		a tus.Collector
	}
)

func (s *concatenator) Unwrap() tus.Storage { return s.Storage }
func (s *opener) Unwrap() tus.Storage       { return s.Storage }
func (s *linker) Unwrap() tus.Storage       { return s.Storage }
func (s *collector) Unwrap() tus.Storage    { return s.Storage }

func (s *concatenator) Concat(ctx context.Context, l tus.Lease, parts []tus.Upload) (tus.Stored, error) {
	c := &Call{Port: StoragePort, Method: "concat", ID: l.Upload.ID, Lease: l}
	return do(ctx, s.w, c, func(ctx context.Context) (tus.Stored, error) { return s.a.Concat(ctx, l, parts) })
}

// Open is the time until the bytes can be read, not the time of reading them.
func (s *opener) Open(ctx context.Context, u tus.Upload, off, n int64) (io.ReadCloser, error) {
	c := &Call{Port: StoragePort, Method: "open", ID: u.ID}
	return do(ctx, s.w, c, func(ctx context.Context) (io.ReadCloser, error) { return s.a.Open(ctx, u, off, n) })
}

func (s *linker) Link(ctx context.Context, u tus.Upload, disposition, contentType string) (string, error) {
	c := &Call{Port: StoragePort, Method: "link", ID: u.ID}
	return do(ctx, s.w, c, func(ctx context.Context) (string, error) { return s.a.Link(ctx, u, disposition, contentType) })
}

func (s *collector) Collect(
	ctx context.Context, before time.Time, look func(context.Context, tus.ID, string) (tus.Upload, error),
) (int, error) {
	c := &Call{Port: StoragePort, Method: "collect"}
	return do(ctx, s.w, c, func(ctx context.Context) (int, error) { return s.a.Collect(ctx, before, look) })
}
