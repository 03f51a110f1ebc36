package tablestate

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/data/aztables"
	"golang.org/x/sync/errgroup"

	"github.com/fileloft/fileloft/state"
	"github.com/fileloft/fileloft/tus"
)

const (
	page     = 256 // rows of a partition that a listing asks for at once
	batch    = 64  // records that Due reads before it lists them
	parallel = 8   // requests of a listing at the same time
)

// Due lists the records that a sweep should look at, the longest due first, as far as a bucket of the index and a batch of reads
// go.
//
// It asks each partition for the entries of its index up to the bucket of now, which is never a scan, and reads the records
// behind them: an entry may be up to a bucket early, and the record's own due time decides. An entry that its record does not
// name is in nobody's way but the sweep's, which removes it: see [table.unlist].
func (s *Store) Due(ctx context.Context, now time.Time) iter.Seq2[tus.ID, error] {
	return func(yield func(tus.ID, error) bool) {
		var entries []row
		flush := func() bool {
			records, err := s.table.behind(ctx, entries)
			entries = entries[:0]
			if err != nil {
				yield("", explain(ctx, "list what is due", err))
				return false
			}
			slices.SortStableFunc(records, func(a, b state.Record) int { return a.Due.Compare(b.Due) })
			for _, r := range records {
				if !r.Due.IsZero() && !r.Due.After(now) && !yield(r.Upload.ID, nil) {
					return false
				}
			}
			return true
		}
		for e, err := range s.table.rows(ctx, dueRows, dueRows+bucketOf(now)+".", "RowKey") { // '.' is behind '-'
			if err != nil {
				yield("", explain(ctx, "list what is due", err))
				return
			}
			if entries = append(entries, e); len(entries) == batch && !flush() {
				return
			}
		}
		flush()
	}
}

// behind reads the records that entries of the index stand for.
func (t *table) behind(ctx context.Context, entries []row) ([]state.Record, error) {
	records := make([]state.Record, len(entries))
	var g errgroup.Group
	g.SetLimit(parallel)
	for i, e := range entries {
		g.Go(func() error {
			bucket, id, ok := strings.Cut(strings.TrimPrefix(e.key, dueRows), "-")
			r, version, err := t.Get(ctx, tus.ID(id))
			switch at, _, _ := parse(version); {
			case errors.Is(err, tus.ErrNotFound), err == nil && at != bucket:
				return t.unlist(ctx, e, tus.ID(id), bucket)
			case err != nil:
				return err
			case ok:
				records[i] = r
			}
			return nil
		})
	}
	return records, g.Wait()
}

// unlist removes an entry of the index that its record does not name. No write of this package leaves one: somebody else has
// taken the record away, or the record has just been changed. So the entry's ETag is asked for first, then the record once
// more: if the entry comes back in between, it has another ETag and stays.
func (t *table) unlist(ctx context.Context, e row, id tus.ID, bucket string) error {
	_, etag, err := t.read(ctx, e.partition, e.key)
	if errors.Is(err, tus.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	_, version, err := t.Get(ctx, id)
	if at, _, _ := parse(version); err == nil && at == bucket {
		return nil
	}
	if err != nil && !errors.Is(err, tus.ErrNotFound) {
		return err
	}
	err = t.call(ctx, func(ctx context.Context) error {
		_, err := t.client.DeleteEntity(ctx, e.partition, e.key, &aztables.DeleteEntityOptions{IfMatch: &etag})
		return err
	})
	if errors.Is(unmet(err), state.ErrConflict) {
		return nil
	}
	return err
}

// List lists the records with IDs behind after, in the order of the IDs. It reads every partition: it is for administration.
func (s *Store) List(ctx context.Context, after tus.ID) iter.Seq2[tus.Upload, error] {
	return func(yield func(tus.Upload, error) bool) {
		for e, err := range s.table.rows(ctx, rowOf(after), strings.TrimSuffix(uploadRows, "-")+".", "") {
			if err != nil {
				yield(tus.Upload{}, explain(ctx, "list uploads", err))
				return
			}
			id := tus.ID(strings.TrimPrefix(e.key, uploadRows))
			r, _, err := decode(id, e.value)
			if err != nil {
				yield(tus.Upload{}, explain(ctx, "list uploads: upload "+string(id), err))
				return
			}
			if !yield(r.Upload, nil) {
				return
			}
		}
	}
}

// A row is an entity that a listing found.
type row struct {
	partition, key string
	value          []byte
}

// rows merges the partitions' rows between two keys, in the order of the keys. Properties names those to return, all if empty.
func (t *table) rows(ctx context.Context, behind, before, properties string) iter.Seq2[row, error] {
	return func(yield func(row, error) bool) {
		var all [partitions]*source
		var g errgroup.Group
		g.SetLimit(parallel)
		for i := range all {
			all[i] = t.source(partition(uint32(i)), behind, before, properties)
			g.Go(func() error { return all[i].fill(ctx, t) })
		}
		err := g.Wait()
		for err == nil {
			var first *source
			for _, s := range all {
				if len(s.found) > 0 && (first == nil || s.found[0].key < first.found[0].key) {
					first = s
				}
			}
			if first == nil {
				return
			}
			next := first.found[0]
			first.found = first.found[1:]
			if !yield(next, nil) {
				return
			}
			err = first.fill(ctx, t)
		}
		yield(row{}, err)
	}
}

// source is what a listing has found in one partition.
type source struct {
	partition string
	pages     *runtime.Pager[aztables.ListEntitiesResponse]
	found     []row
}

func (t *table) source(partition, behind, before, properties string) *source {
	opt := &aztables.ListEntitiesOptions{
		Filter: to.Ptr(fmt.Sprintf("PartitionKey eq '%s' and RowKey gt '%s' and RowKey lt '%s'", partition, behind, before)),
		Top:    to.Ptr(int32(page)), Format: to.Ptr(aztables.MetadataFormatNone),
	}
	if properties != "" {
		opt.Select = &properties
	}
	return &source{partition: partition, pages: t.client.NewListEntitiesPager(opt)}
}

// fill asks for the next page, if all of the last one is used up. A page may be empty and not the last.
func (s *source) fill(ctx context.Context, t *table) error {
	for len(s.found) == 0 && s.pages.More() {
		var got aztables.ListEntitiesResponse
		err := t.call(ctx, func(ctx context.Context) (err error) {
			got, err = s.pages.NextPage(ctx)
			return err
		})
		if err != nil {
			return err
		}
		for _, value := range got.Entities {
			key, err := rowKey(value)
			if err != nil {
				return err
			}
			s.found = append(s.found, row{s.partition, key, value})
		}
	}
	return nil
}
