package azurestore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"golang.org/x/sync/errgroup"

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
	// A late Complete may join stages that are listed before they are deleted. Once a list finds nothing, there is nothing that
	// it could join, or copy.
	for again := true; again; {
		if again, err = s.removeListed(ctx, u); err != nil {
			return err
		}
	}
	return s.removeObject(ctx, u, key)
}

// leaveSign says to those who come late that the upload was removed.
func (s *Store) leaveSign(ctx context.Context, u *tus.Upload) error {
	name := s.dir(lifeOf(u)) + signName
	_, err := s.client.NewBlockBlobClient(name).Upload(s.trying(ctx, 0), &body{}, &blockblob.UploadOptions{AccessConditions: ifNew()})
	if err != nil && !isTaken(err) {
		return fmt.Errorf("leave a sign: %w", err)
	}
	return nil
}

// removeListed discards the pieces that are there, and reports whether there were any.
func (s *Store) removeListed(ctx context.Context, u *tus.Upload) (bool, error) {
	var found []string
	err := s.list(ctx, s.dir(lifeOf(u)), func(name string, _ time.Time) error {
		if _, piece, ok := s.parsePiece(name); ok && piece != signName && piece != objectName {
			found = append(found, name)
		}
		return nil
	})
	if err != nil {
		return false, err
	}
	return len(found) > 0, s.removePieces(ctx, found)
}

// removePieces takes pieces away, and what is staged on them.
func (s *Store) removePieces(ctx context.Context, names []string) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(s.opt.Parallel)
	for _, name := range names {
		g.Go(func() error {
			if _, piece, _ := s.parsePiece(name); piece == signName || piece == objectName {
				return s.remove(gctx, name, nil) // nobody stages anything there
			}
			return s.discard(gctx, name)
		})
	}
	return g.Wait()
}

// removeObject deletes the object if it is this upload's own, and still the same as was looked at.
func (s *Store) removeObject(ctx context.Context, u *tus.Upload, key string) error {
	o, err := s.head(ctx, key)
	switch {
	case isMissing(err):
		return nil
	case err != nil:
		return err
	case !owns(u, o.meta):
		return nil
	}
	if o.copied == blob.CopyStatusTypePending {
		if _, err := s.client.NewBlobClient(key).AbortCopyFromURL(s.trying(ctx, 0), o.copyID, nil); err != nil {
			return fmt.Errorf("%w: abort copy: %w", tus.ErrUnavailable, err) // it may just have ended: the next try will see
		}
		if o, err = s.head(ctx, key); err != nil {
			return err
		}
	}
	return s.remove(ctx, key, o.etag)
}

// list calls do for each blob below prefix, in the order of their names, also for those that have nothing but staged blocks.
func (s *Store) list(ctx context.Context, prefix string, do func(name string, at time.Time) error) error {
	pager := s.client.NewListBlobsFlatPager(&container.ListBlobsFlatOptions{
		Prefix: &prefix, Include: container.ListBlobsInclude{UncommittedBlobs: true}, MaxResults: s.page,
	})
	for pager.More() {
		page, err := pager.NextPage(s.trying(ctx, 0))
		if err != nil {
			return fmt.Errorf("list %s: %w", prefix, err)
		}
		for _, b := range page.Segment.BlobItems {
			at := time.Time{}
			if p := b.Properties; p != nil && p.LastModified != nil {
				at = *p.LastModified
			}
			if err := do(value(b.Name), at); err != nil {
				return err
			}
		}
	}
	return nil
}

type looker = func(context.Context, tus.ID, string) (tus.Upload, error)

// Collect implements tus.Collector. It holds one upload's pieces at a time: lists are in the order of names. Where Azure does not say
// how old staged blocks are, they are left to Azure, which drops them a week after the last one.
func (s *Store) Collect(ctx context.Context, before time.Time, look looker) (int, error) {
	c := &collection{s: s, look: look}
	err := s.list(ctx, s.pieces, func(name string, at time.Time) error {
		l, piece, ok := s.parsePiece(name)
		if !ok || at.IsZero() || !at.Before(before) {
			return nil
		}
		if l != c.life {
			if err := c.end(ctx); err != nil {
				return err
			}
			c.life = l
		}
		c.found = append(c.found, name)
		c.more = c.more || piece != signName
		return nil
	})
	if err == nil {
		err = c.end(ctx)
	}
	if err != nil {
		return c.n, fmt.Errorf("azurestore: collect: %w", classify(err))
	}
	return c.n, nil
}

// A collection is what Collect knows of the life that the list is at.
type collection struct {
	s     *Store
	look  looker
	life  life
	found []string
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
		found = slices.DeleteFunc(found, func(name string) bool {
			_, piece, _ := c.s.parsePiece(name)
			return piece == objectName || piece == signName
		})
		more = len(found) > 0
	}
	if more {
		c.n++
	}
	return c.s.removePieces(ctx, found)
}

var (
	_ tus.Collector = (*Store)(nil)
	_ tus.Pinger    = (*Store)(nil)
)
