package tablestate

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/data/aztables"

	"github.com/fileloft/fileloft/state"
	"github.com/fileloft/fileloft/tus"
)

const (
	// attemptTimeout bounds one sending of a request, its answer included, which takes Azure some milliseconds.
	attemptTimeout = 4 * time.Second
	// callTimeout is how long a request is sent again at most, where the caller's deadline is later or there is none.
	callTimeout = 10 * time.Second
)

// table is a [state.Swapper] over the entities of a table. A version is the ETag that Azure gives to each write, and the bucket
// of the entry that the record has in the index of what is due: a write that moves or removes the entry must know it.
type table struct {
	client   *aztables.Client
	retry    policy.RetryOptions
	total    time.Duration
	versions state.Versions
}

var (
	_ state.Swapper   = (*table)(nil)
	_ state.Versioner = (*table)(nil)
)

func newTable(client *aztables.Client) *table {
	return &table{client: client, total: callTimeout, retry: policy.RetryOptions{
		MaxRetries: 8, TryTimeout: attemptTimeout, RetryDelay: 100 * time.Millisecond, MaxRetryDelay: time.Second,
	}}
}

// call makes one request. The client library sends it again as t.retry says, which is safe for all of them: reads change
// nothing, and a write whose condition was met once can never meet it again.
func (t *table) call(ctx context.Context, f func(ctx context.Context) error) error {
	limited, cancel := context.WithTimeout(policy.WithRetryOptions(ctx, t.retry), t.total)
	defer cancel()
	err := asRefusal(f(limited))
	if err != nil && limited.Err() != nil && ctx.Err() == nil {
		return &lateError{t.total, err}
	}
	return err
}

// Get reads an entity; see [state.Swapper]. Azure's reads are strongly consistent.
func (t *table) Get(ctx context.Context, id tus.ID) (state.Record, string, error) {
	if id.Validate() != nil {
		return state.Record{}, "", tus.ErrNotFound // no such key can be asked for
	}
	value, etag, err := t.read(ctx, partitionOf(id), rowOf(id))
	if errors.Is(err, tus.ErrNotFound) {
		return state.Record{}, "", err
	}
	var r state.Record
	var bucket string
	if err == nil {
		r, bucket, err = decode(id, value)
	}
	if err != nil {
		return state.Record{}, "", explain(ctx, "read upload "+string(id), err)
	}
	return r, version(bucket, etag), nil
}

// read returns an entity's properties and ETag.
// Errors: tus.ErrNotFound.
func (t *table) read(ctx context.Context, partition, row string) (value []byte, etag azcore.ETag, err error) {
	err = t.call(ctx, func(ctx context.Context) error {
		got, err := t.client.GetEntity(ctx, partition, row, &aztables.GetEntityOptions{Format: to.Ptr(aztables.MetadataFormatNone)})
		value, etag = got.Value, got.ETag
		return err
	})
	if missing(err) {
		err = tus.ErrNotFound
	}
	return value, etag, err
}

// Insert stores a new entity, and its entry in the index with it; see [state.Swapper].
func (t *table) Insert(ctx context.Context, r state.Record) error {
	bucket := bucketOf(r.Due)
	e, err := encode(r, bucket)
	var etag azcore.ETag
	switch {
	case err != nil:
	case bucket == "":
		err = t.call(ctx, func(ctx context.Context) error {
			res, err := t.client.AddEntity(ctx, e, nil)
			etag = res.ETag
			return err
		})
	default:
		etag, err = t.submit(ctx, aztables.TransactionAction{ActionType: aztables.TransactionTypeAdd, Entity: e},
			listed(r.Upload.ID, bucket))
	}
	return t.wrote(ctx, "create", r, version(bucket, etag), taken(err))
}

// Swap replaces an entity, and moves its entry in the index where it has to; see [state.Swapper].
func (t *table) Swap(ctx context.Context, r state.Record, old string) error {
	was, match, ok := parse(old)
	if !ok {
		return state.ErrConflict // this process does not know the version: see VersionOf
	}
	id, bucket := r.Upload.ID, bucketOf(r.Due)
	e, err := encode(r, bucket)
	var etag azcore.ETag
	switch {
	case err != nil:
	case bucket == was:
		err = t.call(ctx, func(ctx context.Context) error {
			res, err := t.client.UpdateEntity(ctx, e, &aztables.UpdateEntityOptions{
				IfMatch: &match, UpdateMode: aztables.UpdateModeReplace,
			})
			etag = res.ETag
			return err
		})
	default:
		replace := aztables.TransactionAction{ActionType: aztables.TransactionTypeUpdateReplace, Entity: e, IfMatch: &match}
		etag, err = t.move(ctx, replace, id, was, bucket)
	}
	return t.wrote(ctx, "write", r, version(bucket, etag), unmet(err))
}

// wrote remembers the version that a write got, while a lease may need it.
func (t *table) wrote(ctx context.Context, verb string, r state.Record, version string, err error) error {
	if err != nil {
		return explain(ctx, verb+" upload "+string(r.Upload.ID), err)
	}
	t.versions.Wrote(r, version)
	return nil
}

// Delete deletes an entity and its entry in the index; see [state.Swapper].
func (t *table) Delete(ctx context.Context, id tus.ID, old string) error {
	was, match, ok := parse(old)
	if !ok {
		return state.ErrConflict
	}
	remove := aztables.TransactionAction{
		ActionType: aztables.TransactionTypeDelete, Entity: keys(partitionOf(id), rowOf(id)), IfMatch: &match,
	}
	_, err := t.move(ctx, remove, id, was, "")
	if err != nil {
		return explain(ctx, "delete upload "+string(id), unmet(err))
	}
	t.versions.Deleted(id)
	return nil
}

// VersionOf returns the version that this process saw the write get which left r; see [state.Versioner]. Where it saw none,
// because another process wrote it, because the answer was lost, or because it has forgotten, it returns a version that no
// entity has. Swap and Delete say that at once, without a request, and the Store reads.
func (t *table) VersionOf(r state.Record) string { return t.versions.Of(r) }

// taken translates the answer to an insert under a key that is taken. Such an answer, and those that unmet knows, may also be the
// echo of the first sending of this very write: the Store reads and finds its nonce.
func taken(err error) error {
	var no *refusal
	if errors.As(err, &no) && no.code == string(aztables.EntityAlreadyExists) {
		return tus.ErrExists
	}
	return err
}

// unmet translates the answer to a write whose condition did not hold.
func unmet(err error) error {
	var no *refusal
	if missing(err) || errors.As(err, &no) && no.status == http.StatusPreconditionFailed {
		return state.ErrConflict
	}
	return err
}

// version joins the bucket of an entity's entry in the index and the entity's ETag, if there is one.
func version(bucket string, etag azcore.ETag) string {
	if etag == "" {
		return ""
	}
	return bucket + " " + string(etag)
}

func parse(version string) (bucket string, etag azcore.ETag, ok bool) {
	bucket, tag, ok := strings.Cut(version, " ")
	return bucket, azcore.ETag(tag), ok
}
