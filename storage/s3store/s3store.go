package s3store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/fileloft/fileloft/storage/intake"
	"github.com/fileloft/fileloft/tus"
)

// S3's limits.
const (
	minPartSize = 5 << 20 // of every part but the last
	maxPartSize = 5 << 30
)

// longBody is how many parts the first body of an upload must be able to fill for the upload to get parts of twice the size: who
// sends long bodies pays half the requests, and small ones, of which a part would need four, go on as they are.
const longBody = 4

// Options configure a [Store]. Nil and zero mean the default.
type Options struct {
	// Prefix is put in front of each finished object's key. Default none.
	Prefix string
	// Pieces is the prefix of all that belongs to unfinished uploads. Default ".fileloft/"; it should not be public.
	Pieces string
	// PartSize is the size of a part, from 5 MiB to 5 GiB, default 8 MiB. For an upload whose first body is shorter it is
	// made a multiple of that, and doubled where that is longer than four parts; it is raised where a known length would need
	// more than 8,000 parts. A writer that is killed, or has its lease taken, leaves unused the numbers of the parts that its round could
	// have filled: tus.Options.CheckpointBytes by PartSize, and one. Of S3's 10,000 numbers 1,999 are kept for such gaps.
	PartSize int64
	// UniformParts keeps one part size through the whole of every upload, as Cloudflare R2 wants it. An upload whose
	// length is declared late then ends at 9,999 parts. Otherwise parts double in size every 1,000 of them.
	UniformParts bool
	// Parallel is how many parts of one body are sent at once. Default 4.
	Parallel int
	// Memory is how many bytes all bodies together may hold in buffers. Default 256 MiB. A body that gets no
	// more stores what it has as a tail, which costs a request, so nobody waits for others' clients.
	Memory int64
	// Unconditional is for stores without If-None-Match on writes: whether a key is taken is then asked beforehand,
	// and two uploads that are completed under one key in the same moment replace each other.
	Unconditional bool
	// Encryption is "AES256", "aws:kms" or "aws:kms:dsse"; KMSKey names the key for the latter two. Default: the bucket's.
	Encryption, KMSKey string
	// StorageClass of finished objects. Default: the store's.
	StorageClass string
	// Tagging is put on finished objects, in the form of a query string: "project=x&kind=y".
	Tagging string
	// LinkTTL is how long a signed link lives. Default 15 min.
	LinkTTL time.Duration
}

// A Store is a tus.Storage in one bucket. It is safe for concurrent use.
type Store struct {
	s3       api
	presign  *s3.PresignClient
	bucket   string
	prefix   string
	pieces   string
	opt      Options
	minPart  int64
	chunk    int64 // a part that is longer is put together from tails of this size
	memory   *intake.Budget
	wait     time.Duration // for memory, before a body makes a tail of what it has
	look     time.Duration // until another look for an object that somebody may be publishing
	partTags etags
	tailTags etags
}

// api is what the driver asks of the SDK's client.
type api interface {
	CreateMultipartUpload(context.Context, *s3.CreateMultipartUploadInput, ...func(*s3.Options)) (*s3.CreateMultipartUploadOutput, error)
	UploadPart(context.Context, *s3.UploadPartInput, ...func(*s3.Options)) (*s3.UploadPartOutput, error)
	UploadPartCopy(context.Context, *s3.UploadPartCopyInput, ...func(*s3.Options)) (*s3.UploadPartCopyOutput, error)
	CompleteMultipartUpload(context.Context, *s3.CompleteMultipartUploadInput, ...func(*s3.Options)) (*s3.CompleteMultipartUploadOutput, error)
	AbortMultipartUpload(context.Context, *s3.AbortMultipartUploadInput, ...func(*s3.Options)) (*s3.AbortMultipartUploadOutput, error)
	ListParts(context.Context, *s3.ListPartsInput, ...func(*s3.Options)) (*s3.ListPartsOutput, error)
	PutObject(context.Context, *s3.PutObjectInput, ...func(*s3.Options)) (*s3.PutObjectOutput, error)
	GetObject(context.Context, *s3.GetObjectInput, ...func(*s3.Options)) (*s3.GetObjectOutput, error)
	HeadObject(context.Context, *s3.HeadObjectInput, ...func(*s3.Options)) (*s3.HeadObjectOutput, error)
	DeleteObject(context.Context, *s3.DeleteObjectInput, ...func(*s3.Options)) (*s3.DeleteObjectOutput, error)
	ListObjectsV2(context.Context, *s3.ListObjectsV2Input, ...func(*s3.Options)) (*s3.ListObjectsV2Output, error)
	HeadBucket(context.Context, *s3.HeadBucketInput, ...func(*s3.Options)) (*s3.HeadBucketOutput, error)
}

// New returns a Store in a bucket. It sends nothing. Of the client it takes a copy that computes no additional checksums:
// gaps in the part numbers are allowed only without.
func New(client *s3.Client, bucket string, opt *Options) (*Store, error) {
	var o Options
	if opt != nil {
		o = *opt
	}
	if o.PartSize == 0 {
		o.PartSize = 8 << 20
	}
	switch {
	case client == nil || bucket == "":
		return nil, errors.New("s3store: a client and a bucket are needed")
	case o.PartSize < minPartSize || o.PartSize > maxPartSize:
		return nil, fmt.Errorf("s3store: a part size of %d: S3 takes 5 MiB to 5 GiB", o.PartSize)
	case o.Parallel < 0 || o.Memory < 0 || o.LinkTTL < 0:
		return nil, errors.New("s3store: an option is negative")
	case o.Pieces != "" && !strings.HasSuffix(o.Pieces, "/"):
		return nil, fmt.Errorf("s3store: the prefix of pieces %q does not end with a slash", o.Pieces)
	}
	client = s3.New(client.Options(), func(c *s3.Options) {
		c.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
		c.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
	})
	s := newStore(client, bucket, o)
	s.presign = s3.NewPresignClient(client)
	return s, nil
}

func newStore(client api, bucket string, o Options) *Store {
	if o.Parallel == 0 {
		o.Parallel = 4
	}
	if o.Memory == 0 {
		o.Memory = 256 << 20
	}
	if o.Pieces == "" {
		o.Pieces = ".fileloft/"
	}
	if o.LinkTTL == 0 {
		o.LinkTTL = 15 * time.Minute
	}
	return &Store{
		s3: client, bucket: bucket, prefix: o.Prefix, pieces: o.Pieces, opt: o,
		minPart: minPartSize, chunk: 64 << 20,
		memory: intake.NewBudget(o.Memory), wait: time.Second, look: 250 * time.Millisecond,
	}
}

// Slots returns how many parts a body of n bytes can fill, behind tails that may be nearly as long as a part.
func (s *Store) Slots(n int64) uint32 {
	if n < 0 {
		return 256
	}
	return uint32(min(n/s.opt.PartSize+1, maxNumber))
}

// MaxSize is that of an object of S3: 48.8 TiB, in as many parts as there may be. The driver keeps one number for Complete.
func (s *Store) MaxSize() int64 { return maxPartSize * (maxNumber - 1) }

// Ping asks for the bucket's head.
func (s *Store) Ping(ctx context.Context) error {
	_, err := s.s3.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &s.bucket})
	if err != nil {
		return fmt.Errorf("s3store: bucket %s: %w", s.bucket, classify(err))
	}
	return nil
}

// firstPart returns the part size of a new upload: 8,000 numbers for what is known to come, 1,999 for gaps.
func (s *Store) firstPart(length int64) int64 {
	const mib = 1 << 20
	if need := (length + 7999) / 8000; need > s.opt.PartSize {
		return min((need+mib-1)/mib*mib, maxPartSize)
	}
	return s.opt.PartSize
}

// nextPart returns the size of the part with a number, given that of the one before and what is left of the upload.
func (s *Store) nextPart(size int64, number uint32, left int64) int64 {
	if s.opt.UniformParts {
		return size
	}
	if left < 0 {
		return min(max(size, s.opt.PartSize<<(number/1000)), maxPartSize)
	}
	for numbers := int64(maxNumber) - int64(number); size < maxPartSize && left/size >= numbers-numbers/10; {
		size = min(2*size, maxPartSize)
	}
	return size
}

func (s *Store) encryption() (e types.ServerSideEncryption, key *string) {
	if s.opt.KMSKey != "" {
		key = &s.opt.KMSKey
	}
	return types.ServerSideEncryption(s.opt.Encryption), key
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

var (
	_ tus.Storage = (*Store)(nil)
	_ tus.Limiter = (*Store)(nil)
)
