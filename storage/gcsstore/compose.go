package gcsstore

import (
	"context"
	"fmt"
	"slices"

	"cloud.google.com/go/storage"
	"golang.org/x/sync/errgroup"

	"github.com/fileloft/fileloft/tus"
)

// key returns a piece's whole name.
func (s *Store) pieceKey(u *tus.Upload, p piece) string {
	if p.whole {
		return p.Name
	}
	return s.dir(lifeOf(u)) + p.Name
}

// composer composes pieces into an object that must not exist. Each must still be what it was when it became a piece.
func (s *Store) composer(u *tus.Upload, key string, ps []piece) *storage.Composer {
	var sources []*storage.ObjectHandle
	for _, p := range ps {
		sources = append(sources, s.bucket.Object(s.pieceKey(u, p)).If(storage.Conditions{GenerationMatch: p.Gen}))
	}
	c := s.fresh(key).ComposerFrom(sources...)
	c.ContentType = octets
	return c
}

// composed makes one piece of up to fanIn.
func (s *Store) composed(ctx context.Context, lease *tus.Lease, ps []piece) (piece, *storage.ObjectAttrs, error) {
	p := piece{Name: s.newName(composedMark, lease.Epoch), Size: sizeOf(ps), Level: ps[0].Level + 1}
	key := s.dir(lifeOf(&lease.Upload)) + p.Name
	o, err := s.composer(&lease.Upload, key, ps).Run(ctx)
	if err != nil {
		o, err = s.made(ctx, key, err)
	}
	if err != nil {
		return p, nil, fmt.Errorf("compose %d pieces: %w", len(ps), err)
	}
	if o.Size != p.Size {
		return p, nil, fmt.Errorf("%w: compose %d pieces: %d bytes instead of %d", tus.ErrCorrupt, len(ps), o.Size, p.Size)
	}
	p.Gen = o.Generation
	return p, o, nil
}

// fold composes fanIn pieces of a level into one of the next, wherever there are so many, as one carries in adding. It returns the
// list as it is then, the pieces that are not needed any more, and those that were made; with an error too.
func (s *Store) fold(ctx context.Context, lease *tus.Lease, list []piece) (out []piece, drop, made []string, err error) {
	for {
		i := crowd(list, s.fanIn)
		if i < 0 {
			return list, drop, made, nil
		}
		group := list[i : i+s.fanIn]
		p, _, err := s.composed(ctx, lease, group)
		if err != nil {
			return list, drop, made, err
		}
		drop, made = append(drop, namesOf(group)...), append(made, p.Name)
		list = slices.Concat(list[:i], []piece{p}, list[i+s.fanIn:])
	}
}

// tree composes until no more than fanIn are left, groups of fanIn at a time. It returns the pieces that it made on the way, with
// an error too.
func (s *Store) tree(ctx context.Context, lease *tus.Lease, list []piece) (out []piece, made []string, err error) {
	n := s.fanIn
	for len(list) > n {
		groups := min((len(list)-n+n-2)/(n-1), (len(list)+n-1)/n)
		next := make([]piece, groups)
		g, gctx := errgroup.WithContext(ctx)
		g.SetLimit(s.opt.Parallel)
		for i := range next {
			group := list[i*n : min((i+1)*n, len(list))]
			g.Go(func() (err error) {
				next[i], _, err = s.composed(gctx, lease, group)
				return err
			})
		}
		err := g.Wait()
		for _, p := range next {
			if p.Name != "" {
				made = append(made, p.Name)
			}
		}
		if err != nil {
			return nil, made, err
		}
		list = slices.Concat(next, list[min(groups*n, len(list)):])
	}
	return list, made, nil
}
