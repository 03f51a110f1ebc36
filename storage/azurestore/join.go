package azurestore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/sas"
	"golang.org/x/sync/errgroup"

	"github.com/fileloft/fileloft/tus"
)

// Concat implements tus.Concatenator. No byte passes through this process. The parts are joined in a blob of the final
// upload's own; then it looks for the sign of removal; then the blob is published. Remove leaves its sign before it looks for
// blobs: one of the two sees the other, so a late Concat brings nothing back.
func (s *Store) Concat(ctx context.Context, lease tus.Lease, parts []tus.Upload) (tus.Stored, error) {
	u := &lease.Upload
	if err := s.concat(ctx, &lease, parts); err != nil {
		return tus.Stored{}, wrap("concat", u.ID, err)
	}
	return tus.Stored{Size: u.Length}, nil
}

func (s *Store) concat(ctx context.Context, lease *tus.Lease, parts []tus.Upload) error {
	u := &lease.Upload
	key, err := s.key(u)
	if err != nil {
		return err
	}
	if o, err := s.published(ctx, u, key); o != nil || err != nil {
		return err
	}
	sources, err := s.sources(ctx, parts)
	if err != nil {
		return err
	}
	if total := sizeOf(sources); total != u.Length {
		return fmt.Errorf("%w: the parts have %d bytes of %d", tus.ErrCorrupt, total, u.Length)
	}
	made, strays, err := s.assembleParts(ctx, lease, sources)
	copying, err := s.place(ctx, u, key, made, err)
	if copying {
		return err // and keep what is copied
	}
	if err == nil && u.Length == 0 {
		strays = append(strays, s.stageName(lifeOf(u), 0))
	}
	for _, name := range strays {
		_ = s.remove(ctx, name, nil)
	}
	return err
}

// assembleParts makes one blob of the parts, and then looks whether the upload was removed. It returns the names of what it made that
// is this call's own, with an error too.
func (s *Store) assembleParts(ctx context.Context, lease *tus.Lease, sources []*object) (*object, []string, error) {
	u := &lease.Upload
	if u.Length == 0 {
		return s.assembleEmpty(ctx, u)
	}
	made, err := s.join(ctx, lease, sources, nil)
	if isMissing(err) || isTaken(err) {
		err = fmt.Errorf("%w: a part's object is gone: %w", tus.ErrNotFound, err)
	}
	if err == nil {
		err = s.gone(ctx, u)
	}
	return made, nameOf(made), err
}

// sources looks at the parts' objects, each once. Those without bytes are left out.
func (s *Store) sources(ctx context.Context, parts []tus.Upload) ([]*object, error) {
	seen := map[life]*object{}
	var all []*object
	for i := range parts {
		u := &parts[i]
		o := seen[lifeOf(u)]
		if o == nil {
			key, err := s.key(u)
			if err != nil {
				return nil, err
			}
			o, err = s.head(ctx, key)
			if isMissing(err) {
				err = fmt.Errorf("%w: %w", tus.ErrNotFound, err)
			}
			if err != nil {
				return nil, fmt.Errorf("part %s: %w", u.ID, err)
			}
			seen[lifeOf(u)] = o
		}
		if o.size > 0 {
			all = append(all, o)
		}
	}
	return all, nil
}

func sizeOf(os []*object) int64 {
	n := int64(0)
	for _, o := range os {
		n += o.size
	}
	return n
}

// join has the store make one blob of others, under a name that was never used.
func (s *Store) join(ctx context.Context, lease *tus.Lease, sources []*object, md5 []byte) (*object, error) {
	name, total := s.joinName(lease), sizeOf(sources)
	span := min(max(s.span, (total+manyBlocks-1)/manyBlocks), maxBlock)
	var ids []string
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(s.opt.Parallel)
	urls := map[string]string{}
	for _, src := range sources {
		url := urls[src.name]
		if url == "" {
			var err error
			if url, err = s.source(ctx, src.name); err != nil {
				return nil, errors.Join(err, g.Wait())
			}
			urls[src.name] = url
		}
		for off := int64(0); off < src.size; off += span {
			n := min(span, src.size-off)
			id := blockID(uint32(len(ids)))
			ids = append(ids, id)
			g.Go(func() error { return s.stageFrom(gctx, name, id, url, src.etag, off, n) })
		}
	}
	err := g.Wait()
	if err == nil && len(ids) > maxBlocks {
		err = errBlocks
	}
	var made *object
	if err == nil {
		made, err = s.commit(ctx, &lease.Upload, name, ids, md5, total)
	}
	if err != nil {
		_ = s.discard(ctx, name)
		return nil, fmt.Errorf("join %d blobs: %w", len(sources), err)
	}
	return made, nil
}

// sourceTTL is how long the store may take to begin reading from a source.
const sourceTTL = time.Hour

// source returns a URL from which the store may read one of its blobs. It does not lend the request's own credentials.
func (s *Store) source(ctx context.Context, name string) (string, error) {
	b := s.client.NewBlobClient(name)
	if s.opt.Signer != nil {
		return s.sign(ctx, name, sas.BlobSignatureValues{ExpiryTime: time.Now().Add(sourceTTL)})
	}
	url, err := b.GetSASURL(sas.BlobPermissions{Read: true}, time.Now().Add(sourceTTL), nil)
	if errors.Is(err, bloberror.MissingSharedKeyCredential) {
		return b.URL(), nil // with the signature that the client's own URL has, or for all to read
	}
	return url, err
}

var _ tus.Concatenator = (*Store)(nil)
