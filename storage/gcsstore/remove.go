package gcsstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"cloud.google.com/go/storage"
	"golang.org/x/sync/errgroup"
	"google.golang.org/api/iterator"

	"github.com/fileloft/fileloft/tus"
)

// Remove implements tus.Storage.
func (s *Store) Remove(ctx context.Context, lease tus.Lease) error {
	return wrap("remove", lease.Upload.ID, s.removeAll(ctx, &lease.Upload))
}

func (s *Store) removeAll(ctx context.Context, u *tus.Upload) error {
	key, err := s.key(u)
	if err != nil {
		return nil //nolint:nilerr // under such a key nothing was ever stored
	}
	if u.Concat.Role == tus.Final || u.Offset == u.Length && u.Length == 0 {
		if err := s.leaveSign(ctx, u); err != nil {
			return err
		}
	}
	// A late Complete may compose what is listed before it is deleted. Once a list finds nothing, there is nothing that
	// it could compose.
	for again := true; again; {
		if again, err = s.removeListed(ctx, u); err != nil {
			return err
		}
	}
	return s.removeObject(ctx, u, key)
}

// leaveSign says to those who come late that the upload was removed. It may be there already: writing it again would hit the limit
// of one write a second.
func (s *Store) leaveSign(ctx context.Context, u *tus.Upload) error {
	w := s.writer(ctx, s.dir(lifeOf(u))+signName, quantum)
	if err := w.Close(); err != nil && !isTaken(err) {
		return fmt.Errorf("leave a sign: %w", err)
	}
	return nil
}

// gone looks for the sign that Remove leaves.
func (s *Store) gone(ctx context.Context, u *tus.Upload) error {
	_, err := s.bucket.Object(s.dir(lifeOf(u)) + signName).Attrs(ctx)
	switch {
	case err == nil:
		return errGone
	case isMissing(err) && !noBucket(err):
		return nil
	}
	return fmt.Errorf("look for a sign of removal: %w", err)
}

// removeListed deletes the pieces that are there, and reports whether there were any.
func (s *Store) removeListed(ctx context.Context, u *tus.Upload) (bool, error) {
	var found []*storage.ObjectAttrs
	err := s.list(ctx, s.dir(lifeOf(u)), func(o *storage.ObjectAttrs) error {
		if _, name, ok := s.parsePiece(o.Name); ok && name != signName && name != objectName {
			found = append(found, o)
		}
		return nil
	})
	if err != nil {
		return false, err
	}
	return len(found) > 0, s.removeFound(ctx, found)
}

func (s *Store) removeFound(ctx context.Context, found []*storage.ObjectAttrs) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(s.opt.Parallel)
	for _, o := range found {
		g.Go(func() error { return s.remove(gctx, o.Name, o.Generation) })
	}
	return g.Wait()
}

// removePieces deletes pieces by their names, and returns those that could not be deleted.
func (s *Store) removePieces(ctx context.Context, u *tus.Upload, names []string) []string {
	dir := s.dir(lifeOf(u))
	var mu sync.Mutex
	var kept []string
	var g errgroup.Group
	g.SetLimit(s.opt.Parallel)
	for _, name := range names {
		g.Go(func() error {
			if name == "" || s.remove(ctx, dir+name, 0) == nil {
				return nil
			}
			mu.Lock()
			defer mu.Unlock()
			kept = append(kept, name)
			return nil
		})
	}
	_ = g.Wait()
	return kept
}

// remove deletes an object, of one generation where that is known. One that is gone counts, and one that is another by now.
func (s *Store) remove(ctx context.Context, key string, gen int64) error {
	h := s.bucket.Object(key)
	if gen > 0 {
		h = h.If(storage.Conditions{GenerationMatch: gen})
	}
	err := h.Delete(ctx)
	if err == nil || isMissing(err) && !noBucket(err) || isTaken(err) {
		return nil
	}
	return fmt.Errorf("delete %s: %w", key, err)
}

// removeObject deletes the object if it is this upload's own, and still the same as was looked at.
func (s *Store) removeObject(ctx context.Context, u *tus.Upload, key string) error {
	o, err := s.bucket.Object(key).Attrs(ctx)
	switch {
	case isMissing(err) && !noBucket(err):
		return nil
	case err != nil:
		return fmt.Errorf("look at the object: %w", err)
	case !owns(u, o):
		return nil
	}
	return s.remove(ctx, key, o.Generation)
}

// list calls do for each object below prefix, in the order of their names.
func (s *Store) list(ctx context.Context, prefix string, do func(*storage.ObjectAttrs) error) error {
	q := &storage.Query{Prefix: prefix, Projection: storage.ProjectionNoACL}
	if err := q.SetAttrSelection([]string{"Name", "Generation", "Created"}); err != nil {
		return err
	}
	it := s.bucket.Objects(ctx, q)
	for {
		o, err := it.Next()
		if errors.Is(err, iterator.Done) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("list %s: %w", prefix, err)
		}
		if err := do(o); err != nil {
			return err
		}
	}
}

type looker = func(context.Context, tus.ID, string) (tus.Upload, error)

// Collect implements tus.Collector. It holds one upload's pieces at a time: lists are in the order of names. A resumable upload that
// was not finished is nothing that could be listed; GCS ends it after a week.
func (s *Store) Collect(ctx context.Context, before time.Time, look looker) (int, error) {
	c := &collection{s: s, look: look}
	err := s.list(ctx, s.pieces, func(o *storage.ObjectAttrs) error {
		l, name, ok := s.parsePiece(o.Name)
		if !ok || !o.Created.Before(before) {
			return nil
		}
		if l != c.life {
			if err := c.end(ctx); err != nil {
				return err
			}
			c.life = l
		}
		c.found = append(c.found, o)
		c.more = c.more || name != signName
		return nil
	})
	if err == nil {
		err = c.end(ctx)
	}
	if err != nil {
		return c.n, fmt.Errorf("gcsstore: collect: %w", classify(err))
	}
	return c.n, nil
}

// A collection is what Collect knows of the life that the list is at.
type collection struct {
	s     *Store
	look  looker
	life  life
	found []*storage.ObjectAttrs
	more  bool // than a sign
	n     int
}

// end removes what was found of a life that has no record, or is done.
func (c *collection) end(ctx context.Context) error {
	found, more := c.found, c.more
	c.found, c.more = nil, false
	if len(found) == 0 {
		return nil
	}
	u, err := c.look(ctx, c.life.id, c.life.birth)
	switch {
	case errors.Is(err, tus.ErrNotFound):
	case err != nil:
		return err
	case u.Phase != tus.Done:
		return nil
	default: // nobody reads anything of it but its object, and a sign is for those who remove it
		found = slices.DeleteFunc(found, func(o *storage.ObjectAttrs) bool {
			_, piece, _ := c.s.parsePiece(o.Name)
			return piece == objectName || piece == signName
		})
		more = len(found) > 0
	}
	if more {
		c.n++
	}
	return c.s.removeFound(ctx, found)
}

var (
	_ tus.Collector = (*Store)(nil)
	_ tus.Pinger    = (*Store)(nil)
)
