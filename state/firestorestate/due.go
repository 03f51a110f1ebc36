package firestorestate

import (
	"context"
	"iter"
	"slices"
	"time"

	"cloud.google.com/go/firestore"

	"github.com/fileloft/fileloft/tus"
)

// page is how many documents a listing asks for at once.
const page = 256

// Due lists the records that a sweep should look at, the longest due first, as far as a bucket of the index and a page go.
//
// It asks the index for the documents of all shards up to the bucket of now, which is never a scan, and Firestore merges the
// shards in the order of their buckets. An entry may be up to a bucket early: the record's own due time decides. Queries are
// strongly consistent, so the index is never behind.
func (s *Store) Due(ctx context.Context, now time.Time) iter.Seq2[tus.ID, error] {
	return func(yield func(tus.ID, error) bool) {
		type entry struct {
			id  tus.ID
			due time.Time
		}
		for snaps, err := range s.table.pages(ctx, s.table.dueQuery(now)) {
			if err != nil {
				yield("", explain(ctx, "list what is due", err))
				return
			}
			var due []entry
			for _, snap := range snaps {
				d := newDecoder(snap.Data())
				e := entry{uploadID(snap.Ref.ID), d.time(fieldDue)}
				if d.err != nil {
					yield("", explain(ctx, "list what is due: upload "+string(e.id), d.err))
					return
				}
				if !e.due.IsZero() && !e.due.After(now) {
					due = append(due, e)
				}
			}
			slices.SortStableFunc(due, func(a, b entry) int { return a.due.Compare(b.due) })
			for _, e := range due {
				if !yield(e.id, nil) {
					return
				}
			}
		}
	}
}

// dueQuery asks for what may be due at now, with as much of the documents as Due needs. It is what the index of
// [CreateIndexes] is made for.
func (t *table) dueQuery(now time.Time) firestore.Query {
	return t.docs.Where(fieldShard, "in", allShards).Where(fieldBucket, "<=", bucket(now)).
		OrderBy(fieldBucket, firestore.Asc).OrderBy(firestore.DocumentID, firestore.Asc).
		SelectPaths(firestore.FieldPath{fieldBucket}, firestore.FieldPath{fieldRecord, fieldDue})
}

var allShards = func() []int64 {
	all := make([]int64, shards)
	for i := range all {
		all[i] = int64(i)
	}
	return all
}()

// List lists the records with IDs behind after, in the order of the IDs, which is that of the documents. Each costs a read.
func (s *Store) List(ctx context.Context, after tus.ID) iter.Seq2[tus.Upload, error] {
	return func(yield func(tus.Upload, error) bool) {
		q := s.table.docs.OrderBy(firestore.DocumentID, firestore.Asc)
		if after != "" {
			q = q.StartAfter(documentID(after))
		}
		for snaps, err := range s.table.pages(ctx, q) {
			if err != nil {
				yield(tus.Upload{}, explain(ctx, "list uploads", err))
				return
			}
			for _, snap := range snaps {
				id := uploadID(snap.Ref.ID)
				r, err := decode(id, snap.Data())
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
}

// pages runs a query page by page. Nothing is open in between.
func (t *table) pages(ctx context.Context, q firestore.Query) iter.Seq2[[]*firestore.DocumentSnapshot, error] {
	return func(yield func([]*firestore.DocumentSnapshot, error) bool) {
		for next := q.Limit(page); ; {
			var snaps []*firestore.DocumentSnapshot
			err := t.patience.call(ctx, func(ctx context.Context) (err error) {
				snaps, err = next.Documents(ctx).GetAll()
				return err
			})
			if !yield(snaps, err) || err != nil || len(snaps) < page {
				return
			}
			next = q.Limit(page).StartAfter(snaps[len(snaps)-1])
		}
	}
}
