package gcsstore

import (
	"context"
	"fmt"

	"github.com/fileloft/fileloft/tus"
)

// Concat implements tus.Concatenator. No byte passes through this process. The parts are composed into a piece of the final
// upload's own; then it looks for the sign of removal; then the piece is published. Remove leaves its sign before it looks for
// pieces: one of the two sees the other, so a late Concat brings nothing back.
func (s *Store) Concat(ctx context.Context, lease tus.Lease, parts []tus.Upload) (tus.Stored, error) {
	st, err := s.concat(ctx, &lease, parts)
	return st, wrap("concat", lease.Upload.ID, err)
}

func (s *Store) concat(ctx context.Context, lease *tus.Lease, parts []tus.Upload) (none tus.Stored, err error) {
	u := &lease.Upload
	key, err := s.key(u)
	if err != nil {
		return none, err
	}
	if o, err := s.published(ctx, u, key); o != nil || err != nil {
		return storedOf(o), err
	}
	sources, err := s.sources(ctx, parts)
	if err != nil {
		return none, err
	}
	if total := sizeOf(sources); total != u.Length {
		return none, fmt.Errorf("%w: the parts have %d bytes of %d", tus.ErrCorrupt, total, u.Length)
	}
	var st tus.Stored
	var made []string
	if u.Length == 0 {
		st, made, err = s.completeEmpty(ctx, lease, key)
	} else {
		st, made, err = s.joinParts(ctx, lease, key, sources)
	}
	if err != nil {
		st, err = s.settle(ctx, u, key, &cursor{}, err)
	}
	s.removePieces(ctx, u, made)
	return st, err
}

func (s *Store) joinParts(ctx context.Context, lease *tus.Lease, key string, ps []piece) (st tus.Stored, made []string, err error) {
	ps, made, err = s.tree(ctx, lease, ps)
	if err == nil && len(made) == 0 {
		var p piece
		p, _, err = s.composed(ctx, lease, ps)
		ps, made = []piece{p}, []string{p.Name}
	}
	if isMissing(err) || isTaken(err) {
		err = fmt.Errorf("%w: a part's object is gone: %w", tus.ErrNotFound, err)
	}
	if err == nil {
		err = s.gone(ctx, &lease.Upload)
	}
	if err != nil {
		return st, made, err
	}
	st, more, err := s.join(ctx, lease, key, ps)
	return st, append(made, more...), err
}

// sources looks at the parts' objects, each once. Those without bytes are left out.
func (s *Store) sources(ctx context.Context, parts []tus.Upload) ([]piece, error) {
	seen := map[life]piece{}
	var all []piece
	for i := range parts {
		u := &parts[i]
		p, ok := seen[lifeOf(u)]
		if !ok {
			key, err := s.key(u)
			if err != nil {
				return nil, err
			}
			o, err := s.bucket.Object(key).Attrs(ctx)
			if isMissing(err) && !noBucket(err) {
				err = fmt.Errorf("%w: %w", tus.ErrNotFound, err)
			}
			if err != nil {
				return nil, fmt.Errorf("part %s: %w", u.ID, err)
			}
			p = piece{Name: key, Size: o.Size, Gen: o.Generation, whole: true}
			seen[lifeOf(u)] = p
		}
		if p.Size > 0 {
			all = append(all, p)
		}
	}
	return all, nil
}

var _ tus.Concatenator = (*Store)(nil)
