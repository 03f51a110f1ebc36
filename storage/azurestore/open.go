package azurestore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/sas"

	"github.com/fileloft/fileloft/tus"
)

// Open implements tus.Opener. A connection that breaks is made up for, from the same version of the blob.
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
	if n == 0 { // no range says so
		o, err := s.published(ctx, u, key)
		if err == nil && o == nil || errors.Is(err, tus.ErrExists) {
			err = tus.ErrNotFound
		}
		return io.NopCloser(bytes.NewReader(nil)), err
	}
	ctx = policy.WithRetryOptions(ctx, s.retry) // without a time for each try: the client decides how long it reads
	res, err := s.client.NewBlobClient(key).DownloadStream(ctx, &blob.DownloadStreamOptions{Range: blob.HTTPRange{Offset: off, Count: n}})
	if isMissing(err) {
		return nil, fmt.Errorf("%w: %w", tus.ErrNotFound, err)
	}
	if err != nil {
		return nil, err
	}
	if !owns(u, res.Metadata) {
		_ = res.Body.Close()
		return nil, fmt.Errorf("key %q holds another upload: %w", key, tus.ErrNotFound)
	}
	return res.NewRetryReader(ctx, &blob.RetryReaderOptions{MaxRetries: 3}), nil
}

// maxLink is how long a link may live: a user's delegated key lives for a week.
const maxLink = 6 * 24 * time.Hour

// Link implements tus.Linker: a URL with a shared access signature that lives for Options.LinkTTL.
func (s *Store) Link(ctx context.Context, u tus.Upload, disposition, contentType string) (string, error) {
	key, err := s.key(&u)
	if err != nil {
		return "", wrap("link", u.ID, err)
	}
	end := time.Now().Add(s.opt.LinkTTL)
	var link string
	if s.opt.Signer != nil {
		link, err = s.sign(ctx, key, sas.BlobSignatureValues{ExpiryTime: end, ContentDisposition: disposition, ContentType: contentType})
	} else {
		link, err = s.client.NewBlobClient(key).GetSASURL(sas.BlobPermissions{Read: true}, end, nil)
		if errors.Is(err, bloberror.MissingSharedKeyCredential) {
			err = errors.New("without a Signer only clients with a shared key can make links")
		}
	}
	if err != nil {
		return "", wrap("link", u.ID, err)
	}
	return link, nil
}

var (
	_ tus.Opener = (*Store)(nil)
	_ tus.Linker = (*Store)(nil)
)
