package gcsstore

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/url"
	"time"

	"cloud.google.com/go/storage"

	"github.com/fileloft/fileloft/tus"
)

// Open implements tus.Opener. It looks whose object it is and then reads that generation.
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
	if off < 0 || n < 0 || off > u.Length-n {
		return nil, fmt.Errorf("%d bytes from %d on are not within %d", n, off, u.Length)
	}
	h := s.bucket.Object(key)
	o, err := h.Attrs(ctx)
	switch {
	case err != nil && isMissing(err) && !noBucket(err):
		return nil, fmt.Errorf("%w: %w", tus.ErrNotFound, err)
	case err != nil:
		return nil, err
	case !owns(u, o):
		return nil, fmt.Errorf("key %q holds another upload: %w", key, tus.ErrNotFound)
	case n == 0: // no range says so
		return io.NopCloser(bytes.NewReader(nil)), nil
	}
	rc, err := h.Generation(o.Generation).NewRangeReader(ctx, off, n)
	if err != nil && isMissing(err) {
		return nil, fmt.Errorf("%w: %w", tus.ErrNotFound, err)
	}
	if err != nil {
		return nil, err
	}
	return rc, nil
}

// Link implements tus.Linker: a URL that is signed by the scheme V4 and lives for Options.LinkTTL.
func (s *Store) Link(ctx context.Context, u tus.Upload, disposition, contentType string) (string, error) {
	key, err := s.key(&u)
	if err != nil {
		return "", wrap("link", u.ID, err)
	}
	params := url.Values{}
	for name, v := range map[string]string{"response-content-disposition": disposition, "response-content-type": contentType} {
		if v != "" {
			params.Set(name, v)
		}
	}
	o := &storage.SignedURLOptions{
		Scheme: storage.SigningSchemeV4, Method: "GET", Expires: time.Now().Add(s.opt.LinkTTL),
		QueryParameters: params, Insecure: s.opt.InsecureLinks,
	}
	if signer := s.opt.Signer; signer != nil {
		o.GoogleAccessID = signer.Email()
		o.SignBytes = func(b []byte) ([]byte, error) { return signer.Sign(ctx, b) }
	}
	link, err := s.bucket.SignedURL(key, o)
	if err != nil {
		return "", wrap("link", u.ID, err)
	}
	return link, nil
}

var (
	_ tus.Opener = (*Store)(nil)
	_ tus.Linker = (*Store)(nil)
)
