package azurestore

import (
	"context"
	"errors"
	"fmt"
	"hash/crc64"
	"io"
	"sync"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"

	"github.com/fileloft/fileloft/tus"
)

// azureCRC64 is the polynomial of x-ms-content-crc64.
var azureCRC64 = crc64.MakeTable(0x9A6C9329AC4BC9B5)

// stage sends a block. The store compares its CRC64 before it keeps it.
func (s *Store) stage(ctx context.Context, name string, slot uint32, data [][]byte) error {
	crc, b := uint64(0), &body{data: data}
	for _, d := range data {
		crc = crc64.Update(crc, azureCRC64, d)
		b.size += int64(len(d))
	}
	defer b.end()
	o := &blockblob.StageBlockOptions{TransactionalValidation: blob.TransferValidationTypeCRC64(crc)}
	_, err := s.client.NewBlockBlobClient(name).StageBlock(s.trying(ctx, b.size), blockID(slot), b, o)
	return err
}

// body is a request's body out of segments. It can be rewound, for the SDK's retries.
type body struct {
	mu   sync.Mutex // a transport may still read while the SDK rewinds
	data [][]byte
	size int64
	pos  int64
	over bool // the segments may be another body's
}

var errOver = errors.New("the request is over")

func (b *body) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.over {
		return 0, errOver
	}
	at := b.pos
	for _, d := range b.data {
		if at >= int64(len(d)) {
			at -= int64(len(d))
			continue
		}
		n := copy(p, d[at:])
		b.pos += int64(n)
		return n, nil
	}
	return 0, io.EOF
}

func (b *body) Seek(off int64, whence int) (int64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch whence {
	case io.SeekCurrent:
		off += b.pos
	case io.SeekEnd:
		off += b.size
	}
	if off < 0 || off > b.size {
		return b.pos, errors.New("a place outside of the body")
	}
	b.pos = off
	return off, nil
}

// Close does nothing: the SDK closes a body after each try.
func (b *body) Close() error { return nil }

// end lets go of the segments, for good: a transport whose request was answered early may still be reading.
func (b *body) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.over = true
}

// An object is a blob as the store describes it.
type object struct {
	name   string
	etag   *azcore.ETag
	size   int64
	meta   map[string]*string
	copyID string // of a copy that made it
	copied blob.CopyStatusType
}

// head asks for a blob's properties.
func (s *Store) head(ctx context.Context, name string) (*object, error) {
	p, err := s.client.NewBlobClient(name).GetProperties(s.trying(ctx, 0), nil)
	if err != nil {
		return nil, fmt.Errorf("look at %s: %w", name, err)
	}
	o := &object{name: name, etag: p.ETag, size: value(p.ContentLength), meta: p.Metadata, copyID: value(p.CopyID), copied: value(p.CopyStatus)}
	return o, nil
}

func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

var never = azcore.ETagAny

// ifNew is the condition that a blob is not there. One that has nothing but staged blocks is not.
func ifNew() *blob.AccessConditions {
	return &blob.AccessConditions{ModifiedAccessConditions: &blob.ModifiedAccessConditions{IfNoneMatch: &never}}
}

func ifSame(etag *azcore.ETag) *blob.AccessConditions {
	return &blob.AccessConditions{ModifiedAccessConditions: &blob.ModifiedAccessConditions{IfMatch: etag}}
}

// commit makes a blob of staged blocks, if it is not one yet: a list is committed once, and then has the blocks that it names, whatever
// is staged later. It returns the blob as it is in the store, which has size bytes.
func (s *Store) commit(ctx context.Context, u *tus.Upload, name string, ids []string, md5 []byte, size int64) (*object, error) {
	o := &blockblob.CommitBlockListOptions{HTTPHeaders: headersOf(u, md5), Metadata: metadataOf(u), AccessConditions: ifNew()}
	if s.opt.AccessTier != "" {
		hot := blob.AccessTierHot
		o.Tier = &hot
	}
	_, err := s.client.NewBlockBlobClient(name).CommitBlockList(s.trying(ctx, int64(len(ids))*64), ids, o)
	if err != nil && !isTaken(err) {
		return nil, fmt.Errorf("commit %d blocks: %w", len(ids), err)
	}
	made, err := s.head(ctx, name)
	switch {
	case err != nil:
		return nil, err
	case !owns(u, made.meta):
		return nil, errGone // a Remove is about to delete it
	case made.size != size:
		return nil, fmt.Errorf("%w: %d blocks have %d bytes instead of %d", tus.ErrCorrupt, len(ids), made.size, size)
	}
	return made, nil
}

// stageFrom has the store read a block from one of its blobs.
func (s *Store) stageFrom(ctx context.Context, name, id, source string, etag *azcore.ETag, off, n int64) error {
	_, err := s.client.NewBlockBlobClient(name).StageBlockFromURL(s.trying(ctx, n), id, source, &blockblob.StageBlockFromURLOptions{
		Range:                          blob.HTTPRange{Offset: off, Count: n},
		SourceModifiedAccessConditions: &blob.SourceModifiedAccessConditions{SourceIfMatch: etag},
	})
	return err
}

// discard takes away a blob and all that is staged on it. To delete what has nothing but staged blocks does not help: a list without
// blocks throws them away, and makes something to delete.
func (s *Store) discard(ctx context.Context, name string) error {
	if _, err := s.client.NewBlockBlobClient(name).CommitBlockList(s.trying(ctx, 0), nil, nil); err != nil {
		return fmt.Errorf("discard %s: %w", name, err)
	}
	return s.remove(ctx, name, nil)
}

// remove deletes a blob, of one ETag where that is known. One that is gone counts, and one that is another by now.
func (s *Store) remove(ctx context.Context, name string, etag *azcore.ETag) error {
	all := blob.DeleteSnapshotsOptionTypeInclude
	o := &blob.DeleteOptions{DeleteSnapshots: &all}
	if etag != nil {
		o.AccessConditions = ifSame(etag)
	}
	_, err := s.client.NewBlobClient(name).Delete(s.trying(ctx, 0), o)
	if err == nil || isMissing(err) || etag != nil && isTaken(err) {
		return nil
	}
	return fmt.Errorf("delete %s: %w", name, err)
}
