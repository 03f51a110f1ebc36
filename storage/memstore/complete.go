package memstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"time"

	"github.com/fileloft/fileloft/tus"
)

// Complete implements tus.Storage.
func (s *Store) Complete(ctx context.Context, lease tus.Lease) (tus.Stored, error) {
	st, err := s.finish(ctx, &lease.Upload, s.pieces)
	return st, wrap("complete", lease.Upload.ID, err)
}

// Concat implements tus.Concatenator.
func (s *Store) Concat(ctx context.Context, lease tus.Lease, parts []tus.Upload) (tus.Stored, error) {
	st, err := s.finish(ctx, &lease.Upload, func(*tus.Upload) ([][]byte, error) {
		var chunks [][]byte
		for i := range parts {
			o := s.partials[lifeOf(&parts[i])]
			if o == nil {
				return nil, fmt.Errorf("part %s: %w", parts[i].ID, tus.ErrNotFound)
			}
			chunks = append(chunks, o.chunks...)
		}
		return chunks, nil
	})
	return st, wrap("concat", lease.Upload.ID, err)
}

// finish publishes the chunks that source finds, unless the upload's object is in place already.
func (s *Store) finish(ctx context.Context, u *tus.Upload, source func(*tus.Upload) ([][]byte, error)) (tus.Stored, error) {
	if err := ctx.Err(); err != nil {
		return tus.Stored{}, err
	}
	s.mu.Lock()
	if st, done, err := s.published(u); done || err != nil {
		s.mu.Unlock()
		return st, err
	}
	chunks, err := source(u)
	s.mu.Unlock()
	if err != nil {
		return tus.Stored{}, err
	}

	o := &object{life: lifeOf(u), chunks: chunks, stored: tus.Stored{HasCRC32C: true}}
	for _, c := range chunks { // without the lock: it takes a while, and pieces never change
		o.stored.Size += int64(len(c))
		o.stored.CRC32C = crc32.Update(o.stored.CRC32C, castagnoli, c)
	}
	if o.stored.Size != u.Length {
		return tus.Stored{}, fmt.Errorf("%w: %d bytes of %d", tus.ErrCorrupt, o.stored.Size, u.Length)
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	if st, done, err := s.published(u); done || err != nil {
		return st, err
	}
	if _, err := source(u); err != nil { // the session may have gone meanwhile
		return tus.Stored{}, err
	}
	if _, ok := s.gone[o.life]; ok {
		return tus.Stored{}, errNoSession
	}
	if u.Concat.Role == tus.Partial {
		s.partials[o.life] = o
	} else {
		s.objects[u.ObjectKey()] = o
	}
	s.abort(o.life)
	return o.stored, nil
}

// published reports whether the upload's object is in place. It needs the lock, as the rest below does.
func (s *Store) published(u *tus.Upload) (tus.Stored, bool, error) {
	if u.Concat.Role == tus.Partial {
		if o := s.partials[lifeOf(u)]; o != nil {
			return o.stored, true, nil
		}
		return tus.Stored{}, false, nil
	}
	o := s.objects[u.ObjectKey()]
	switch {
	case o == nil:
		return tus.Stored{}, false, nil
	case o.life != lifeOf(u):
		return tus.Stored{}, false, fmt.Errorf("key %q: %w", u.ObjectKey(), tus.ErrExists)
	}
	return o.stored, true, nil
}

// pieces returns the parts and tails that the committed cursor names.
func (s *Store) pieces(u *tus.Upload) ([][]byte, error) {
	c, err := parseCursor(u.Cursor)
	if err != nil || c.Session == "" {
		return nil, err
	}
	ses := s.sessions[c.Session]
	if ses == nil {
		return nil, errNoSession
	}
	var chunks [][]byte
	for _, run := range c.Runs {
		for n := run.First; n < run.End(); n++ {
			p, ok := ses.parts[n]
			if !ok {
				return nil, fmt.Errorf("%w: part %d is missing", tus.ErrCorrupt, n)
			}
			chunks = append(chunks, p.data)
		}
	}
	for _, t := range c.Tails {
		b, ok := ses.tails[t.Name]
		if !ok {
			return nil, fmt.Errorf("%w: tail %s is missing", tus.ErrCorrupt, t.Name)
		}
		chunks = append(chunks, b)
	}
	return chunks, nil
}

// abort ends all sessions of an upload.
func (s *Store) abort(l life) {
	for _, name := range s.lives[l] {
		delete(s.sessions, name)
	}
	delete(s.lives, l)
}

// end ends some sessions of an upload.
func (s *Store) end(l life, names []string) {
	for _, name := range names {
		delete(s.sessions, name)
	}
	s.lives[l] = slices.DeleteFunc(s.lives[l], func(name string) bool { return s.sessions[name] == nil })
	if len(s.lives[l]) == 0 {
		delete(s.lives, l)
	}
}

// Remove implements tus.Storage.
func (s *Store) Remove(ctx context.Context, lease tus.Lease) error {
	u := &lease.Upload
	if err := ctx.Err(); err != nil {
		return wrap("remove", u.ID, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	l := lifeOf(u)
	if u.Concat.Role == tus.Final || (len(u.Cursor) == 0 && u.Offset == u.Length) {
		s.gone[l] = s.now()
	}
	s.abort(l)
	delete(s.partials, l)
	if o := s.objects[u.ObjectKey()]; o != nil && o.life == l {
		delete(s.objects, u.ObjectKey())
	}
	return nil
}

// Open implements tus.Opener.
func (s *Store) Open(_ context.Context, u tus.Upload, off, n int64) (io.ReadCloser, error) {
	s.mu.Lock()
	o := s.objects[u.ObjectKey()]
	if u.Concat.Role == tus.Partial {
		o = s.partials[lifeOf(&u)]
	}
	s.mu.Unlock()
	if o == nil || o.life != lifeOf(&u) {
		return nil, wrap("open", u.ID, tus.ErrNotFound)
	}
	if off < 0 || n < 0 || off+n > o.stored.Size {
		return nil, wrap("open", u.ID, fmt.Errorf("%d bytes from %d on are not within %d", n, off, o.stored.Size))
	}
	var rs []io.Reader
	for _, c := range o.chunks {
		if off >= int64(len(c)) {
			off -= int64(len(c))
			continue
		}
		c = c[off:]
		off = 0
		rs = append(rs, bytes.NewReader(c))
	}
	return io.NopCloser(io.LimitReader(io.MultiReader(rs...), n)), nil
}

// Collect implements tus.Collector.
func (s *Store) Collect(
	ctx context.Context, before time.Time, look func(context.Context, tus.ID, string) (tus.Upload, error),
) (int, error) {
	s.mu.Lock()
	old := map[life][]string{} // the names of their old sessions
	for l, t := range s.gone {
		if t.Before(before) {
			old[l] = nil
		}
	}
	for name, ses := range s.sessions {
		if ses.born.Before(before) {
			old[ses.life] = append(old[ses.life], name)
		}
	}
	s.mu.Unlock()
	removed := 0
	for l, names := range old {
		u, err := look(ctx, l.id, l.birth)
		dead := errors.Is(err, tus.ErrNotFound)
		if err != nil && !dead {
			return removed, fmt.Errorf("memstore: collect: %w", err)
		}
		if !dead && u.Phase != tus.Done {
			continue
		}
		s.mu.Lock()
		if dead {
			s.abort(l)
			delete(s.gone, l)
		} else {
			s.end(l, names)
		}
		s.mu.Unlock()
		if len(names) > 0 {
			removed++
		}
	}
	return removed, nil
}

var (
	_ tus.Storage      = (*Store)(nil)
	_ tus.Concatenator = (*Store)(nil)
	_ tus.Opener       = (*Store)(nil)
	_ tus.Collector    = (*Store)(nil)
	_ tus.Pinger       = (*Store)(nil)
)
