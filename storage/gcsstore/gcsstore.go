package gcsstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"cloud.google.com/go/storage"

	"github.com/fileloft/fileloft/storage/intake"
	"github.com/fileloft/fileloft/tus"
)

const (
	quantum   = 256 << 10 // chunks of a resumable upload are multiples of it
	maxChunk  = 256 << 20
	maxObject = 5 << 40 // GCS: 5 TiB
	fanIn     = 32      // how many objects a compose takes
)

// Options configure a [Store]. Nil and zero mean the default.
type Options struct {
	// Prefix is put in front of each finished object's name. Default none.
	Prefix string
	// Pieces is the prefix of all that belongs to unfinished uploads. Default ".fileloft/"; it should not be public.
	Pieces string
	// ChunkSize is how many bytes of a long body are sent at once, from 256 KiB to 256 MiB, a multiple of 256 KiB. What is no
	// longer goes in one request. Default 8 MiB.
	ChunkSize int64
	// PieceSize is how long a body may grow before another piece is begun: what a piece has got is lost if the store fails
	// before its end. Default 1 GiB.
	PieceSize int64
	// Memory is how many bytes all bodies together may hold in buffers. Default 256 MiB. A body that gets no
	// more stores what it has as a piece, which costs a request, so nobody waits for others' clients.
	Memory int64
	// Parallel is how many objects are composed or deleted at once, for one call. Default 8.
	Parallel int
	// StorageClass of finished objects, such as "NEARLINE". Default: the bucket's. Pieces are then kept in the class
	// STANDARD, which has no shortest time of storage, and the finished object is rewritten within the store, once.
	StorageClass string
	// LinkTTL is how long a signed link lives, at most a week. Default 15 min.
	LinkTTL time.Duration
	// Signer signs links. Default: what the client's credentials allow, a key file's own key, or IAM's signBlob for the
	// service account that the program runs as.
	Signer Signer
	// InsecureLinks are http: for a server on one's own machine.
	InsecureLinks bool
}

// A Store is a tus.Storage in one bucket. It is safe for concurrent use.
type Store struct {
	bucket *storage.BucketHandle
	name   string
	prefix string
	pieces string
	opt    Options
	memory *intake.Budget
	wait   time.Duration // for memory, before a body makes a piece of what it has
	pause  time.Duration // before the second try of a request that the client does not repeat by itself
	fanIn  int           // how many pieces are composed at once
	word   func() string // what tells names under one epoch from each other
}

// New returns a Store in a bucket. It sends nothing. How often requests are repeated, and after what time, is the client's setting
// (SetRetry): by default until the context ends.
func New(client *storage.Client, bucket string, opt *Options) (*Store, error) {
	var o Options
	if opt != nil {
		o = *opt
	}
	fill(&o.ChunkSize, 8<<20)
	fill(&o.PieceSize, 1<<30)
	fill(&o.Memory, 256<<20)
	fill(&o.Parallel, 8)
	fill(&o.LinkTTL, 15*time.Minute)
	fill(&o.Pieces, ".fileloft/")
	switch {
	case client == nil || bucket == "":
		return nil, errors.New("gcsstore: a client and a bucket are needed")
	case o.ChunkSize < quantum || o.ChunkSize > maxChunk || o.ChunkSize%quantum != 0:
		return nil, fmt.Errorf("gcsstore: a chunk size of %d: it must be a multiple of 256 KiB, up to 256 MiB", o.ChunkSize)
	case o.PieceSize < 0 || o.PieceSize > maxObject || o.Memory < 0 || o.Parallel < 0:
		return nil, errors.New("gcsstore: an option is negative, or a piece larger than an object of GCS")
	case o.LinkTTL < 0 || o.LinkTTL > 7*24*time.Hour:
		return nil, fmt.Errorf("gcsstore: links that live for %s: a week is the most", o.LinkTTL)
	case !strings.HasSuffix(o.Pieces, "/"):
		return nil, fmt.Errorf("gcsstore: the prefix of pieces %q does not end with a slash", o.Pieces)
	}
	// All that is sent here may be sent again: objects are made under conditions, and what is gone counts as deleted.
	handle := client.Bucket(bucket).Retryer(storage.WithPolicy(storage.RetryAlways), storage.WithErrorFunc(storage.ShouldRetry))
	return &Store{
		bucket: handle, name: bucket, prefix: o.Prefix, pieces: o.Pieces, opt: o,
		memory: intake.NewBudget(o.Memory), wait: time.Second, pause: 250 * time.Millisecond,
		fanIn: fanIn, word: randomWord,
	}, nil
}

func fill[T comparable](option *T, value T) {
	var zero T
	if *option == zero {
		*option = value
	}
}

// Slots returns 0: pieces are named by the epoch and a random word, which no two leases share.
func (s *Store) Slots(int64) uint32 { return 0 }

// Append implements tus.Storage.
func (s *Store) Append(ctx context.Context, lease tus.Lease, r io.Reader) (tus.Receipt, error) {
	u := &lease.Upload
	rec := tus.Receipt{Cursor: u.Cursor, NextSlot: lease.Slots.First}
	base, err := parseCursor(u.Cursor)
	if err != nil {
		return rec, wrap("append", u.ID, err)
	}
	a := &appender{s: s, lease: lease, base: base, list: base.Pieces, buf: s.memory.Buffer()}
	a.tidy(ctx)
	err = a.run(ctx, r)
	a.close()
	a.wg.Wait()
	if rec.N = a.n; rec.N > 0 {
		rec.Cursor = a.cursor().format()
	} else {
		s.removePieces(ctx, u, a.made)
	}
	return rec, wrap("append", u.ID, err)
}

// MaxSize is that of an object of GCS: 5 TiB.
func (s *Store) MaxSize() int64 { return maxObject }

// Ping asks for an object that is not there: the answer tells whether the bucket is.
func (s *Store) Ping(ctx context.Context) error {
	_, err := s.bucket.Object(s.pieces + "ping").Attrs(ctx)
	if err == nil || isMissing(err) && !noBucket(err) {
		return nil
	}
	return fmt.Errorf("gcsstore: bucket %s: %w", s.name, classify(err))
}

var (
	_ tus.Storage = (*Store)(nil)
	_ tus.Limiter = (*Store)(nil)
)
