package s3store

import (
	"context"
	"crypto/md5" //nolint:gosec // S3's own checksum of parts and objects, not a secret's
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"sync"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/fileloft/fileloft/tus"
)

// A piece is a run of bytes in memory, or in an object.
type piece struct {
	data []byte
	key  string // of the object, where data is nil
	off  int64
	n    int64
}

// body streams pieces as one request body. It can be rewound, for the SDK's retries, and then asks for ranges again: no
// more of an object than a network buffer is ever in memory.
type body struct {
	open func(key string, off, n int64) (io.ReadCloser, error)

	mu     sync.Mutex // a transport may still read while the SDK rewinds
	pieces []piece
	size   int64
	pos    int64
	rc     io.ReadCloser // of the object that pos is in
	at     int64         // the place in the body where rc stands
	err    error         // the first
	over   bool          // done was called: pieces' memory may be another body's
}

func (s *Store) body(ctx context.Context, pieces []piece) *body {
	b := &body{pieces: pieces}
	for _, p := range pieces {
		b.size += p.n
	}
	b.open = func(key string, off, n int64) (io.ReadCloser, error) {
		rng := fmt.Sprintf("bytes=%d-%d", off, off+n-1)
		out, err := s.s3.GetObject(ctx, &s3.GetObjectInput{Bucket: &s.bucket, Key: &key, Range: &rng})
		if err != nil {
			return nil, err
		}
		return out.Body, nil
	}
	return b
}

func (b *body) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n, err := b.read(p)
	if err != nil && err != io.EOF && b.err == nil {
		b.err = err
	}
	return n, err
}

func (b *body) read(p []byte) (int, error) {
	switch {
	case b.over:
		return 0, errOver
	case len(p) == 0:
		return 0, nil
	}
	at := b.pos
	for _, c := range b.pieces {
		if at >= c.n {
			at -= c.n
			continue
		}
		if c.data != nil {
			n := copy(p, c.data[at:])
			b.pos += int64(n)
			return n, nil
		}
		if err := b.ask(c, at); err != nil {
			return 0, err
		}
		n, err := b.rc.Read(p[:min(int64(len(p)), c.n-at)])
		b.pos += int64(n)
		b.at = b.pos
		if at+int64(n) == c.n {
			b.shut()
			return n, nil
		}
		if err == io.EOF {
			err = fmt.Errorf("%s: %w", c.key, io.ErrUnexpectedEOF)
		}
		return n, err
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

// ask opens a piece at a place, unless it is open there.
func (b *body) ask(c piece, at int64) error {
	if b.rc != nil && b.at == b.pos {
		return nil
	}
	b.shut()
	rc, err := b.open(c.key, c.off+at, c.n-at)
	if err != nil {
		return final{err}
	}
	b.rc, b.at = rc, b.pos
	return nil
}

// prime asks for the first piece, so that a request whose body is not there is not begun.
func (b *body) prime() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.pieces) > 0 && b.pieces[0].data == nil {
		b.err = b.ask(b.pieces[0], 0)
	}
	return b.err
}

var errOver = errors.New("the request is over")

// final marks an error that the SDK has retried already: it shall not retry the request that it broke too.
type final struct{ error }

func (f final) Unwrap() error      { return f.error }
func (final) RetryableError() bool { return false }

func (b *body) shut() {
	if b.rc != nil {
		_ = b.rc.Close()
		b.rc = nil
	}
}

// done lets go of what the body reads from, for good: a transport whose request was answered early may still be reading. It tells what went wrong with that: it explains a request that failed better
// than the request's own error does. A tail that is missing is lost, for the newest lease; for an older one a newer took
// it into a part, and the fence keeps its word from counting.
func (b *body) done(err error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.shut()
	b.over = true
	switch {
	case err == nil:
		return nil
	case b.err != nil && isMissing(b.err):
		return fmt.Errorf("%w: a tail is gone: %w", tus.ErrCorrupt, b.err)
	case b.err != nil:
		return b.err
	}
	return err
}

// unsigned spares a second pass over the body for its SHA-256: Content-MD5 is signed, and covers it.
func unsigned(o *s3.Options) {
	o.APIOptions = append(o.APIOptions, v4.SwapComputePayloadSHA256ForUnsignedPayloadMiddleware)
}

func text(sum []byte) *string {
	s := base64.StdEncoding.EncodeToString(sum)
	return &s
}

func sumOf(pieces [][]byte) []byte {
	h := md5.New()
	for _, p := range pieces {
		h.Write(p)
	}
	return h.Sum(nil)
}
