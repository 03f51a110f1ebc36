package dynamostate

import (
	"cmp"
	"container/heap"
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/fileloft/fileloft/state"
	"github.com/fileloft/fileloft/tus"
)

const (
	page  = 256 // index entries that a listing asks for at once
	batch = 100 // items that one BatchGetItem may ask for
)

// Due lists the records that a sweep should look at, the longest due first, as far as a bucket of the index and a batch
// of reads go.
//
// It asks each partition of the index for what may be due, which is never a scan, and reads those records, strongly
// consistent: an Acquire leaves the index alone, so that it costs one write and not three, and the index is always a
// little behind. The record tells: it is listed if it is there, due, and no lease holds it. What the index does not show
// yet comes with the next listing.
func (s *Store) Due(ctx context.Context, now time.Time) iter.Seq2[tus.ID, error] {
	return func(yield func(tus.ID, error) bool) {
		var ids []tus.ID
		flush := func() bool {
			records, err := s.read(ctx, ids, attrID, attrFormat, attrDue, attrLease)
			ids = ids[:0]
			if err != nil {
				yield("", s.explain("list what is due", "", err))
				return false
			}
			slices.SortStableFunc(records, func(a, b state.Record) int { return a.Due.Compare(b.Due) })
			for _, r := range records {
				if r.Due.IsZero() || r.Due.After(now) || r.LeaseUntil.After(now) {
					continue
				}
				if !yield(r.Upload.ID, nil) {
					return false
				}
			}
			return true
		}
		for id, err := range s.candidates(ctx, now) {
			if err != nil {
				yield("", s.explain("list what is due", "", err))
				return
			}
			if ids = append(ids, id); len(ids) == batch && !flush() {
				return
			}
		}
		flush()
	}
}

// A candidate is an entry of the index.
type candidate struct {
	bucket int64
	id     tus.ID
	shard  int
}

// candidates merges the partitions of the index in the order of their buckets, up to that of now.
func (s *Store) candidates(ctx context.Context, now time.Time) iter.Seq2[tus.ID, error] {
	return func(yield func(tus.ID, error) bool) {
		var pages [shards][]candidate
		var next [shards]item
		var heads queue
		fill := func(shard int, first bool) error {
			for len(pages[shard]) == 0 && (first || len(next[shard]) > 0) {
				first = false
				var err error
				if pages[shard], next[shard], err = s.partition(ctx, shard, now, next[shard]); err != nil {
					return err
				}
			}
			if p := pages[shard]; len(p) > 0 {
				heap.Push(&heads, p[0])
				pages[shard] = p[1:]
			}
			return nil
		}
		for shard := range shards {
			if err := fill(shard, true); err != nil {
				yield("", err)
				return
			}
		}
		for len(heads) > 0 {
			c := heap.Pop(&heads).(candidate)
			if !yield(c.id, nil) {
				return
			}
			if err := fill(c.shard, false); err != nil {
				yield("", err)
				return
			}
		}
	}
}

// partition reads a page of one partition of the index.
func (s *Store) partition(ctx context.Context, shard int, now time.Time, from item) ([]candidate, item, error) {
	var e expression
	where := e.name(attrShard) + " = " + e.value(number(int64(shard))) + " AND " +
		e.name(attrBucket) + " <= " + e.value(number(bucket(now)))
	out, err := s.client.Query(ctx, &dynamodb.QueryInput{
		TableName: &s.table, IndexName: aws.String(Index), KeyConditionExpression: &where, Limit: aws.Int32(page),
		ExpressionAttributeNames: e.names, ExpressionAttributeValues: e.values, ExclusiveStartKey: from,
	}, s.call)
	if err != nil {
		return nil, nil, err
	}
	found := make([]candidate, len(out.Items))
	for i, it := range out.Items {
		d := decoder{it: it}
		found[i] = candidate{d.number(attrBucket), tus.ID(d.text(attrID)), shard}
		if d.err != nil {
			return nil, nil, d.err
		}
	}
	return found, out.LastEvaluatedKey, nil
}

// queue is a heap of the partitions' next entries.
type queue []candidate

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	return cmp.Or(cmp.Compare(q[i].bucket, q[j].bucket), cmp.Compare(q[i].shard, q[j].shard)) < 0
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(c any)   { *q = append(*q, c.(candidate)) }

// Pop takes the last.
func (q *queue) Pop() any {
	last := len(*q) - 1
	c := (*q)[last]
	*q = (*q)[:last]
	return c
}

// read returns the records of the ids that are there, up to batch of them, with these attributes or with all. Their order
// is any. An id may come twice, as it does from an index that is being written, and DynamoDB would refuse that.
func (s *Store) read(ctx context.Context, ids []tus.ID, attrs ...string) ([]state.Record, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	want := types.KeysAndAttributes{ConsistentRead: aws.Bool(true)}
	for _, id := range slices.Compact(slices.Sorted(slices.Values(ids))) {
		want.Keys = append(want.Keys, key(id))
	}
	var e expression
	for i, a := range attrs {
		if i > 0 {
			a = *want.ProjectionExpression + ", " + e.name(a)
		} else {
			a = e.name(a)
		}
		want.ProjectionExpression = &a
	}
	want.ExpressionAttributeNames = e.names

	var records []state.Record
	left := map[string]types.KeysAndAttributes{s.table: want}
	for try := 0; len(left) > 0; try++ {
		// DynamoDB answers in part where it is short of capacity or the items are large.
		if err := pause(ctx, try); err != nil {
			return nil, err
		}
		out, err := s.client.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{RequestItems: left}, s.call)
		if err != nil {
			return nil, err
		}
		for _, it := range out.Responses[s.table] {
			r, err := decode(it)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", (&decoder{it: it}).text(attrID), err)
			}
			records = append(records, r)
		}
		left = out.UnprocessedKeys
	}
	return records, nil
}

// pause waits before the n-th repeat.
func pause(ctx context.Context, n int) error {
	if n == 0 {
		return ctx.Err()
	}
	t := time.NewTimer(rand.N(10 * time.Millisecond << min(n, 7)))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
