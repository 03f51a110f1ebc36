package s3store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

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
	c, err := parseCursor(u.Cursor)
	if err != nil {
		c = cursor{} // the pieces are listed anyway
	}
	dir := s.dir(lifeOf(u))
	if u.Concat.Role == tus.Final || c.Session == "" && u.Offset == u.Length {
		if err := s.put(ctx, dir+signName, key); err != nil {
			return fmt.Errorf("leave a sign: %w", err)
		}
	}
	if c.Session != "" {
		if err := s.abort(ctx, key, c.Session); err != nil {
			return fmt.Errorf("abort session: %w", err)
		}
	}
	err = s.list(ctx, dir, func(o types.Object) error {
		_, name, ok := s.parsePiece(aws.ToString(o.Key))
		if !ok || name == signName || name == objectName {
			return nil
		}
		return s.removePiece(ctx, aws.ToString(o.Key), name, key)
	})
	if err != nil {
		return err
	}
	return s.removeObject(ctx, u, key)
}

// removePiece deletes a piece. With a note goes the session that it speaks of, before it.
func (s *Store) removePiece(ctx context.Context, piece, name, key string) error {
	if id, ok := sessionOf(name); ok && key != "" {
		if err := s.abort(ctx, key, id); err != nil {
			return fmt.Errorf("abort session: %w", err)
		}
	}
	return s.remove(ctx, piece)
}

// removeObject deletes the object if it is this upload's own, and still the same as was looked at.
func (s *Store) removeObject(ctx context.Context, u *tus.Upload, key string) error {
	out, err := s.s3.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &s.bucket, Key: &key})
	switch {
	case isMissing(err):
		return nil
	case err != nil:
		return err
	case out.Metadata[metaBirth] != u.Birth || out.Metadata[metaID] != string(u.ID):
		return nil
	}
	in := &s3.DeleteObjectInput{Bucket: &s.bucket, Key: &key}
	if !s.opt.Unconditional {
		in.IfMatch = out.ETag
	}
	_, err = s.s3.DeleteObject(ctx, in)
	if isMissing(err) || isTaken(err) {
		return nil
	}
	return err
}

// list calls do for each object below prefix.
func (s *Store) list(ctx context.Context, prefix string, do func(types.Object) error) error {
	in := &s3.ListObjectsV2Input{Bucket: &s.bucket, Prefix: &prefix}
	for {
		out, err := s.s3.ListObjectsV2(ctx, in)
		if err != nil {
			return fmt.Errorf("list %s: %w", prefix, err)
		}
		for _, o := range out.Contents {
			if err := do(o); err != nil {
				return err
			}
		}
		if !aws.ToBool(out.IsTruncated) {
			return nil
		}
		in.ContinuationToken = out.NextContinuationToken
	}
}

type looker = func(context.Context, tus.ID, string) (tus.Upload, error)

// Collect implements tus.Collector. It lists the pieces alone: a session without a note has no parts, and may be
// another program's.
func (s *Store) Collect(ctx context.Context, before time.Time, look looker) (int, error) {
	n, err := s.collect(ctx, before, look)
	if err != nil {
		return n, fmt.Errorf("s3store: collect: %w", classify(err))
	}
	return n, nil
}

func (s *Store) collect(ctx context.Context, before time.Time, look looker) (int, error) {
	strays := map[life][]string{}
	err := s.list(ctx, s.pieces, func(o types.Object) error {
		if l, name, ok := s.parsePiece(aws.ToString(o.Key)); ok && aws.ToTime(o.LastModified).Before(before) {
			strays[l] = append(strays[l], name)
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	n := 0
	for _, l := range slices.SortedFunc(maps.Keys(strays), life.compare) { // an order, so that a schedule can be played again
		names := strays[l]
		u, err := look(ctx, l.id, l.birth)
		switch {
		case errors.Is(err, tus.ErrNotFound):
		case err != nil:
			return n, err
		case u.Phase != tus.Done:
			continue
		default: // nobody reads anything of it but its object, and a sign is for those who remove it
			names = slices.DeleteFunc(names, func(name string) bool { return name == objectName || name == signName })
		}
		had, err := s.collectLife(ctx, l, names)
		if had {
			n++
		}
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// collectLife removes old pieces of a life that has no record or is done, and says whether there was more than a sign. The
// object that a sign speaks of goes too: a Complete that was overtaken, and died before it could look again, left it.
func (s *Store) collectLife(ctx context.Context, l life, names []string) (had bool, err error) {
	dir := s.dir(l)
	for _, name := range names {
		key := ""
		_, isNote := sessionOf(name)
		if isNote || name == signName {
			if key, err = s.read(ctx, dir+name); err != nil {
				return had, err
			}
		}
		if name == signName && key != "" {
			u := &tus.Upload{ID: l.id, Birth: l.birth}
			err = s.removeObject(ctx, u, key)
		}
		had = had || name != signName
		if err == nil {
			err = s.removePiece(ctx, dir+name, name, key)
		}
		if err != nil {
			return had, err
		}
	}
	return had, nil
}
