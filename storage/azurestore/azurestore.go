package azurestore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/sas"

	"github.com/fileloft/fileloft/storage/intake"
	"github.com/fileloft/fileloft/tus"
)

// Azure's limits, and how far from them the driver keeps.
const (
	minBlock   = 64 << 10 // ours: smaller ones make no sense, and Azure takes any
	maxBlock   = 4000 << 20
	maxBlocks  = 50_000 // of a blob
	fullBlocks = 45_000 // blocks that fill a stage
	manyBlocks = 40_000 // that a known length may need before its blocks are made larger
	maxName    = 1024
)

// growTo is how large blocks become by themselves, for uploads that would need too many.
const growTo = 64 << 20

// leastBlock is what a body sends at least in a block, but for its last, where there is no memory to be had: the bytes that anybody
// may hold.
const leastBlock = 240 << 10

// Options configure a [Store]. Nil and zero mean the default.
type Options struct {
	// Prefix is put in front of each finished blob's name. Default none.
	Prefix string
	// Pieces is the prefix of all that belongs to unfinished uploads. Default ".fileloft/"; it should not be public.
	Pieces string
	// BlockSize is how many bytes of a body are sent at once, in a block, from 64 KiB to 4,000 MiB. A body that is shorter is one
	// block. Blocks of uploads that would need more than 40,000 grow, up to 64 MiB. Default 8 MiB.
	BlockSize int64
	// Parallel is how many blocks of one body are sent at once, and how many blobs joined or removed. Default 4.
	Parallel int
	// Memory is how many bytes all bodies together may hold in buffers. Default 256 MiB. A body that gets no
	// more sends what it has as a block, which costs a request, so nobody waits for others' clients.
	Memory int64
	// AccessTier of finished blobs: "Hot", "Cool", "Cold" or "Archive", from which nobody can download. Default: the account's.
	// Pieces are then kept in the tier Hot, which has no shortest time of storage.
	AccessTier string
	// NoMD5 spares the MD5 of the whole that finished blobs otherwise carry as their Content-MD5, for AzCopy and others that compare it
	// when they download: some 1.5 s of a processor for each GiB.
	NoMD5 bool
	// LinkTTL is how long a signed link lives, at most six days. Default 15 min.
	LinkTTL time.Duration
	// Signer signs links, and the sources of what is joined within the store. Default: what the client's credentials allow, a shared
	// key, and then links come with the blob's own headers. A client with a token needs NewDelegationSigner.
	Signer Signer
}

// A Store is a tus.Storage in one container. It is safe for concurrent use.
type Store struct {
	client *container.Client
	name   string // of the container
	http   bool   // the container's URL is not https: links need not be, either
	prefix string
	pieces string
	opt    Options
	block  int64 // Options.BlockSize
	full   int   // fullBlocks
	span   int64 // how much of a source becomes a block in a join, at least
	memory *intake.Budget
	wait   time.Duration // for memory, before a body sends what it has
	retry  policy.RetryOptions
	look   time.Duration // until another look at a copy that is under way
	page   *int32        // names in an answer to List; nil is Azure's 5,000
}

// New returns a Store in a container. It sends nothing. How often requests are repeated, and after what time, the Store says itself for
// each; what the client's options say counts for nothing.
func New(client *container.Client, opt *Options) (*Store, error) {
	var o Options
	if opt != nil {
		o = *opt
	}
	fill(&o.BlockSize, 8<<20)
	fill(&o.Memory, 256<<20)
	fill(&o.Parallel, 4)
	fill(&o.LinkTTL, 15*time.Minute)
	fill(&o.Pieces, ".fileloft/")
	switch {
	case client == nil:
		return nil, errors.New("azurestore: a client is needed")
	case o.BlockSize < minBlock || o.BlockSize > maxBlock:
		return nil, fmt.Errorf("azurestore: a block size of %d: it must lie between 64 KiB and 4,000 MiB", o.BlockSize)
	case o.Memory < 0 || o.Parallel < 0:
		return nil, errors.New("azurestore: an option is negative")
	case o.LinkTTL < 0 || o.LinkTTL > maxLink:
		return nil, fmt.Errorf("azurestore: links that live for %s: six days are the most", o.LinkTTL)
	case !strings.HasSuffix(o.Pieces, "/"):
		return nil, fmt.Errorf("azurestore: the prefix of pieces %q does not end with a slash", o.Pieces)
	case o.AccessTier != "" && !slices.Contains(blob.PossibleAccessTierValues(), blob.AccessTier(o.AccessTier)):
		return nil, fmt.Errorf("azurestore: Azure knows no access tier %q", o.AccessTier)
	}
	parts, err := sas.ParseURL(client.URL())
	if err != nil || parts.ContainerName == "" {
		return nil, errors.Join(errors.New("azurestore: the client's URL names no container"), err)
	}
	return &Store{
		client: client, name: parts.ContainerName, http: parts.Scheme == "http", prefix: o.Prefix, pieces: o.Pieces, opt: o,
		block: o.BlockSize, full: fullBlocks, span: 256 << 20,
		memory: intake.NewBudget(o.Memory), wait: time.Second, look: 250 * time.Millisecond,
		retry: policy.RetryOptions{MaxRetries: 4, RetryDelay: 200 * time.Millisecond, MaxRetryDelay: 5 * time.Second},
	}, nil
}

func fill[T comparable](option *T, value T) {
	var zero T
	if *option == zero {
		*option = value
	}
}

// Slots returns how many blocks a body of n bytes may become where memory is short.
func (s *Store) Slots(n int64) uint32 {
	if n < 0 {
		return 1 << 12
	}
	return uint32(min(n/min(s.block, leastBlock)+2, 1<<24))
}

// Append implements tus.Storage.
func (s *Store) Append(ctx context.Context, lease tus.Lease, r io.Reader) (tus.Receipt, error) {
	u := &lease.Upload
	a := &appender{
		s: s, lease: lease, next: lease.Slots.First, buf: s.memory.Buffer(), size: s.blockSize(u.Length),
		places: make(chan struct{}, s.opt.Parallel), ended: make(chan struct{}, 1),
	}
	rec := tus.Receipt{Cursor: u.Cursor, NextSlot: a.next}
	err := a.begin(ctx)
	if err != nil {
		return rec, wrap("append", u.ID, err)
	}
	err = a.run(ctx, r)
	a.wg.Wait()
	a.buf.Release()
	rec.NextSlot = a.next
	c, n := a.outcome()
	if rec.N = n; n > 0 {
		rec.Cursor = c.format()
	}
	return rec, wrap("append", u.ID, errors.Join(err, a.failure()))
}

// blockSize returns the size of the blocks of an upload.
func (s *Store) blockSize(length int64) int64 {
	const mib = 1 << 20
	if need := (length + manyBlocks - 1) / manyBlocks; need > s.block {
		return max(s.block, min((need+mib-1)/mib*mib, growTo))
	}
	return s.block
}

// MaxSize is that of a block blob: 190.7 TiB.
func (s *Store) MaxSize() int64 { return maxBlob }

// Ping asks for the container's properties.
func (s *Store) Ping(ctx context.Context) error {
	if _, err := s.client.GetProperties(s.trying(ctx, 0), nil); err != nil {
		return fmt.Errorf("azurestore: container %s: %w", s.name, classify(err))
	}
	return nil
}

// trying says how often, and how long, a request that carries n bytes is tried: all that is sent here may be sent again, because blocks
// have ids of their own, and blobs are made under conditions.
func (s *Store) trying(ctx context.Context, n int64) context.Context {
	o := s.retry
	o.TryTimeout = 30*time.Second + time.Duration(n>>20)*time.Second // half-open connections end, at a MiB/s at the slowest
	return policy.WithRetryOptions(ctx, o)
}

var (
	_ tus.Storage = (*Store)(nil)
	_ tus.Limiter = (*Store)(nil)
)
