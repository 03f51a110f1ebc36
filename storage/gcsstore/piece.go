package gcsstore

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"time"

	"cloud.google.com/go/storage"

	"github.com/fileloft/fileloft/storage/intake"
	"github.com/fileloft/fileloft/tus"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// fresh returns a handle of an object that must not exist yet.
func (s *Store) fresh(key string) *storage.ObjectHandle {
	return s.bucket.Object(key).If(storage.Conditions{DoesNotExist: true})
}

func (s *Store) writer(ctx context.Context, key string, chunk int64) *storage.Writer {
	w := s.fresh(key).NewWriter(ctx)
	w.ContentType, w.ChunkSize, w.StorageClass = octets, int(chunk), s.pieceClass()
	return w
}

// pieceClass is the storage class of pieces.
func (s *Store) pieceClass() string {
	if s.opt.StorageClass != "" {
		return "STANDARD"
	}
	return ""
}

// tries is how often a small piece is sent. The client itself does not repeat what it does not keep.
const tries = 5

// put stores a piece in one request. It is repeated under the same name: an answer that was lost is found out by that.
func (s *Store) put(ctx context.Context, lease *tus.Lease, data [][]byte) (piece, error) {
	p := piece{Name: s.newName(pieceMark, lease.Epoch)}
	crc := uint32(0)
	for _, d := range data {
		crc = crc32.Update(crc, castagnoli, d)
		p.Size += int64(len(d))
	}
	key := s.dir(lifeOf(&lease.Upload)) + p.Name
	for n, wait := 1, s.pause; ; n, wait = n+1, 2*wait {
		o, err := s.putOnce(ctx, key, data, crc)
		if err != nil {
			o, err = s.made(ctx, key, err)
		}
		if err == nil {
			return p.as(o, crc)
		}
		if n == tries || !storage.ShouldRetry(err) || ctx.Err() != nil || intake.InTime(ctx, p.Size) != nil {
			return p, err
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

func (s *Store) putOnce(ctx context.Context, key string, data [][]byte, crc uint32) (*storage.ObjectAttrs, error) {
	w := s.writer(ctx, key, 0)
	w.CRC32C, w.SendCRC32C = crc, true
	for _, d := range data {
		if _, err := w.Write(d); err != nil {
			return nil, errors.Join(w.Close(), err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return w.Attrs(), nil
}

// made explains that an object was there already: under a fresh name it is one's own, and its first answer was lost.
func (s *Store) made(ctx context.Context, key string, why error) (*storage.ObjectAttrs, error) {
	if !isTaken(why) {
		return nil, why
	}
	o, err := s.bucket.Object(key).Attrs(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w, after %s", err, why.Error())
	}
	return o, nil
}

// as returns the piece as the store has it, if that is what was sent.
func (p piece) as(o *storage.ObjectAttrs, crc uint32) (piece, error) {
	if o.Size != p.Size || o.CRC32C != crc {
		return p, fmt.Errorf("%w: piece %s has %d bytes, crc32c %08x, instead of %d, %08x",
			tus.ErrUnavailable, p.Name, o.Size, o.CRC32C, p.Size, crc)
	}
	p.Gen = o.Generation
	return p, nil
}

// An upload is a piece that is being sent, chunk by chunk. It exists once it is finished.
type upload struct {
	s      *Store
	name   string
	key    string
	w      *storage.Writer
	cancel context.CancelFunc
	crc    uint32
	n      int64 // bytes handed over
	under  int64 // of them those that the client may not have sent yet
}

func (s *Store) newUpload(ctx context.Context, lease *tus.Lease) *upload {
	o := &upload{s: s, name: s.newName(pieceMark, lease.Epoch)}
	o.key = s.dir(lifeOf(&lease.Upload)) + o.name
	ctx, o.cancel = context.WithCancel(ctx)
	o.w = s.writer(ctx, o.key, s.opt.ChunkSize)
	return o
}

// write hands bytes over. When it returns, all but the last chunk are with the store.
func (o *upload) write(data [][]byte) error {
	for _, d := range data {
		o.crc = crc32.Update(o.crc, castagnoli, d)
		if _, err := o.w.Write(d); err != nil {
			o.cancel()
			return errors.Join(o.w.Close(), err)
		}
		o.n += int64(len(d))
	}
	o.under = min(o.n, o.s.opt.ChunkSize)
	return nil
}

func (o *upload) finish(ctx context.Context) (piece, error) {
	p := piece{Name: o.name, Size: o.n}
	err := o.w.Close()
	attrs := o.w.Attrs()
	if err != nil {
		attrs, err = o.s.made(ctx, o.key, err)
	}
	if err != nil {
		return p, err
	}
	return p.as(attrs, o.crc)
}
