package s3store

import (
	"context"
	"crypto/md5" //nolint:gosec // S3's own checksum of parts and objects, not a secret's
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/errgroup"

	"github.com/fileloft/fileloft/tus"
)

// A source is the object of a Partial upload.
type source struct {
	key, etag string
	size      int64
}

// A slice of a source. Several make a part that is merged here; one that is long enough is copied within the store.
type slice struct {
	*source
	off, n int64
}

// Concat implements tus.Concatenator. Each call joins in a session of its own, and the first to complete wins. The session
// is noted before the look for a sign of removal, and Remove leaves its sign before it looks for notes: one of the two sees the
// other, so a late Concat brings nothing back.
func (s *Store) Concat(ctx context.Context, lease tus.Lease, parts []tus.Upload) (tus.Stored, error) {
	u := &lease.Upload
	if err := s.concat(ctx, u, parts); err != nil {
		return tus.Stored{}, wrap("concat", u.ID, err)
	}
	return tus.Stored{Size: u.Length}, nil
}

func (s *Store) concat(ctx context.Context, u *tus.Upload, parts []tus.Upload) error {
	key, err := s.key(u)
	if err != nil {
		return err
	}
	if own, err := s.published(ctx, u, key); own || err != nil {
		return err
	}
	sources, err := s.sources(ctx, parts)
	if err != nil {
		return err
	}
	total := int64(0)
	for _, src := range sources {
		total += src.size
	}
	if total != u.Length {
		return fmt.Errorf("%w: the parts have %d bytes of %d", tus.ErrCorrupt, total, u.Length)
	}
	if total == 0 {
		return s.completeSmall(ctx, u, key, &cursor{})
	}
	plan := s.plan(sources, total)
	if len(plan) > maxNumber {
		return fmt.Errorf("%w: joining needs %d parts", tus.ErrNoSpace, len(plan))
	}
	session, err := s.begin(ctx, u)
	if err != nil {
		return fmt.Errorf("create session: %w", err)
	}
	if err = s.gone(ctx, u); err == nil {
		err = s.joinPlan(ctx, u, key, session, plan)
	}
	// It has ended, or is of no use any more. Should this go wrong, Collect finds the note.
	if e := s.abort(ctx, key, session); e == nil {
		_ = s.remove(ctx, s.dir(lifeOf(u))+noteName(session))
	}
	return err
}

// sources looks at the parts' objects, each once.
func (s *Store) sources(ctx context.Context, parts []tus.Upload) ([]*source, error) {
	seen := map[life]*source{}
	var all []*source
	for i := range parts {
		p := &parts[i]
		src := seen[lifeOf(p)]
		if src == nil {
			key, err := s.key(p)
			if err != nil {
				return nil, err
			}
			out, err := s.s3.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &s.bucket, Key: &key})
			if isMissing(err) {
				err = tus.ErrNotFound
			}
			if err != nil {
				return nil, fmt.Errorf("part %s: %w", p.ID, err)
			}
			src = &source{key, aws.ToString(out.ETag), aws.ToInt64(out.ContentLength)}
			seen[lifeOf(p)] = src
		}
		all = append(all, src)
	}
	return all, nil
}

// plan cuts the sources into parts that S3 takes: at least 5 MiB but for the last, at most 5 GiB; one slice where it can
// be, to be copied; of equal size where the store wants that.
func (s *Store) plan(sources []*source, total int64) [][]slice {
	least, most := s.minPart, max(s.minPart, 1<<30, (total+7999)/8000)
	if s.opt.UniformParts {
		least = s.firstPart(total)
		most = least
	}
	most = min(most, maxPartSize)
	var plan [][]slice
	var acc []slice
	have := int64(0)
	for _, src := range sources {
		for off := int64(0); off < src.size; {
			left := src.size - off
			n := min(left, most)
			if have > 0 || left < least {
				n = min(left, least-have)
			}
			acc = append(acc, slice{src, off, n})
			off += n
			if have += n; have >= least {
				plan = append(plan, acc)
				acc, have = nil, 0
			}
		}
	}
	if have > 0 {
		plan = append(plan, acc)
	}
	return plan
}

func (s *Store) joinPlan(ctx context.Context, u *tus.Upload, key, session string, plan [][]slice) error {
	done := make([]types.CompletedPart, len(plan))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(s.opt.Parallel)
	for i, slices := range plan {
		g.Go(func() error {
			number := uint32(i + 1)
			etag, err := s.joinPart(gctx, u, key, session, number, slices)
			if err != nil {
				return fmt.Errorf("part %d: %w", number, err)
			}
			done[i] = types.CompletedPart{PartNumber: aws.Int32(int32(number)), ETag: &etag}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		if isMissing(err) {
			err = fmt.Errorf("%w: %w", tus.ErrNotFound, err)
		}
		return err
	}
	return s.join(ctx, u, key, &cursor{Session: session, NoETag: true}, done)
}

func (s *Store) joinPart(ctx context.Context, u *tus.Upload, key, session string, number uint32, parts []slice) (string, error) {
	if p := parts[0]; len(parts) == 1 && (p.n == p.size || p.size > s.minPart) && p.n >= s.minPart {
		in := &s3.UploadPartCopyInput{
			Bucket: &s.bucket, Key: &key, UploadId: &session, PartNumber: aws.Int32(int32(number)),
			CopySource: aws.String(copySource(s.bucket, p.key)), CopySourceIfMatch: optional(p.etag),
		}
		if p.n < p.size {
			in.CopySourceRange = aws.String(fmt.Sprintf("bytes=%d-%d", p.off, p.off+p.n-1))
		}
		out, err := s.s3.UploadPartCopy(ctx, in)
		if err != nil {
			return "", err
		}
		if out.CopyPartResult == nil || aws.ToString(out.CopyPartResult.ETag) == "" {
			return "", fmt.Errorf("%w: the copy's answer names no part", tus.ErrUnavailable)
		}
		return aws.ToString(out.CopyPartResult.ETag), nil
	}
	return s.merge(ctx, u, session, number, parts)
}

// merge reads slices and sends them as one part. They are read twice, first for the MD5 that goes in front, rather
// than held: a part may be as long as the store's uniform size is.
func (s *Store) merge(ctx context.Context, u *tus.Upload, session string, number uint32, parts []slice) (string, error) {
	var ps []piece
	for _, p := range parts {
		ps = append(ps, piece{key: p.key, off: p.off, n: p.n})
	}
	b, h := s.body(ctx, ps), md5.New()
	if _, err := io.Copy(h, b); err != nil {
		return "", errors.Join(err, b.done(nil))
	}
	return s.putPart(ctx, u, session, number, ps, h.Sum(nil))
}

func copySource(bucket, key string) string {
	segments := strings.Split(key, "/")
	for i, p := range segments {
		segments[i] = strings.ReplaceAll(url.QueryEscape(p), "+", "%20")
	}
	return bucket + "/" + strings.Join(segments, "/")
}

var _ tus.Concatenator = (*Store)(nil)
