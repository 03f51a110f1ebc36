package dynamostate

import (
	"context"
	"iter"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/fileloft/fileloft/state"
	"github.com/fileloft/fileloft/tus"
)

// List lists the records with IDs behind after, in the order of the IDs. It is for administration: a table has no
// order, so List scans all of it, keeps the IDs in memory (some 50 bytes each) and reads the records again in their order.
// What is made or deleted meanwhile may be listed or not.
func (s *Store) List(ctx context.Context, after tus.ID) iter.Seq2[tus.Upload, error] {
	return func(yield func(tus.Upload, error) bool) {
		ids, err := s.scan(ctx, after)
		if err != nil {
			yield(tus.Upload{}, s.explain("list uploads", "", err))
			return
		}
		for some := range slices.Chunk(ids, batch) {
			records, err := s.read(ctx, some)
			if err != nil {
				yield(tus.Upload{}, s.explain("list uploads", "", err))
				return
			}
			slices.SortFunc(records, byID)
			for _, r := range records {
				if !yield(r.Upload, nil) {
					return
				}
			}
		}
	}
}

func byID(a, b state.Record) int {
	if a.Upload.ID < b.Upload.ID {
		return -1
	}
	return 1 // no two are the same
}

// scan returns the sorted IDs behind after.
func (s *Store) scan(ctx context.Context, after tus.ID) ([]tus.ID, error) {
	var ids []tus.ID
	var e expression
	name := e.name(attrID)
	in := &dynamodb.ScanInput{
		TableName: &s.table, ProjectionExpression: &name, ExpressionAttributeNames: e.names, ConsistentRead: aws.Bool(true),
	}
	for {
		out, err := s.client.Scan(ctx, in, s.call)
		if err != nil {
			return nil, err
		}
		for _, it := range out.Items {
			d := decoder{it: it}
			if id := tus.ID(d.text(attrID)); id > after {
				ids = append(ids, id)
			}
		}
		if in.ExclusiveStartKey = out.LastEvaluatedKey; len(in.ExclusiveStartKey) == 0 {
			slices.Sort(ids)
			return ids, nil
		}
	}
}
