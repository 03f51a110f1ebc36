package s3store

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/fileloft/fileloft/tus"
)

// Open implements tus.Opener.
func (s *Store) Open(ctx context.Context, u tus.Upload, off, n int64) (io.ReadCloser, error) {
	rc, err := s.open(ctx, &u, off, n)
	if err != nil {
		return nil, wrap("open", u.ID, err)
	}
	return rc, nil
}

func (s *Store) open(ctx context.Context, u *tus.Upload, off, n int64) (io.ReadCloser, error) {
	key, err := s.key(u)
	if err != nil {
		return nil, err
	}
	if off < 0 || n < 0 || off+n > u.Length {
		return nil, fmt.Errorf("%d bytes from %d on are not within %d", n, off, u.Length)
	}
	if n == 0 { // no range says so
		own, err := s.published(ctx, u, key)
		if err == nil && !own {
			err = tus.ErrNotFound
		}
		return io.NopCloser(bytes.NewReader(nil)), err
	}
	rng := fmt.Sprintf("bytes=%d-%d", off, off+n-1)
	out, err := s.s3.GetObject(ctx, &s3.GetObjectInput{Bucket: &s.bucket, Key: &key, Range: &rng})
	if isMissing(err) {
		return nil, fmt.Errorf("%w: %w", tus.ErrNotFound, err)
	}
	if err != nil {
		return nil, err
	}
	if out.Metadata[metaBirth] != u.Birth || out.Metadata[metaID] != string(u.ID) {
		_ = out.Body.Close()
		return nil, fmt.Errorf("key %q holds another upload: %w", key, tus.ErrNotFound)
	}
	return out.Body, nil
}

// Link implements tus.Linker: a URL that is signed here, at the cost of no request, and lives for Options.LinkTTL.
func (s *Store) Link(ctx context.Context, u tus.Upload, disposition, contentType string) (string, error) {
	key, err := s.key(&u)
	if err != nil {
		return "", wrap("link", u.ID, err)
	}
	in := &s3.GetObjectInput{
		Bucket: &s.bucket, Key: &key,
		ResponseContentDisposition: optional(disposition), ResponseContentType: optional(contentType),
	}
	req, err := s.presign.PresignGetObject(ctx, in, s3.WithPresignExpires(s.opt.LinkTTL))
	if err != nil {
		return "", wrap("link", u.ID, err)
	}
	return req.URL, nil
}

// read returns the few bytes that put stored.
func (s *Store) read(ctx context.Context, key string) (string, error) {
	out, err := s.s3.GetObject(ctx, &s3.GetObjectInput{Bucket: &s.bucket, Key: &key})
	if isMissing(err) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer out.Body.Close()
	b, err := io.ReadAll(io.LimitReader(out.Body, maxNoteKey))
	return string(b), err
}

var (
	_ tus.Opener    = (*Store)(nil)
	_ tus.Linker    = (*Store)(nil)
	_ tus.Collector = (*Store)(nil)
	_ tus.Pinger    = (*Store)(nil)
)
