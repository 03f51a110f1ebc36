package firestorestate

import (
	"context"
	"errors"
	"fmt"
	"time"

	admin "cloud.google.com/go/firestore/apiv1/admin"
	"cloud.google.com/go/firestore/apiv1/admin/adminpb"
	"google.golang.org/api/iterator"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
)

// What whoever sets up a collection by other means has to know; docs/decisions/0014-firestore.md has the whole of it.
const (
	RecordField = fieldRecord // has no index, nor has anything in it
	ShardField  = fieldShard  // the composite index is of shard, ascending,
	BucketField = fieldBucket // and bucket, ascending; neither has one of its own
	TTLField    = fieldExpire // what the TTL policy reads; it has no index
)

// CreateIndexes declares what a collection needs in a database that is there already, named projects/P/databases/D: the index
// of what is due, without which no sweep works and for which it waits, some minutes; and, without waiting, that no field has
// an index of its own, and the TTL policy. What is there already is left as it is: the call can be repeated.
//
// The database itself is made by whoever answers for its place, its backups and its protection: those cannot be changed
// later, or cost. It is one of the Standard edition in Native mode.
func CreateIndexes(ctx context.Context, client *admin.FirestoreAdminClient, database, collection string) error {
	group := database + "/collectionGroups/" + collection
	err := checkCollection(collection)
	for _, field := range []string{RecordField, ShardField, BucketField, TTLField} {
		if err == nil {
			err = exempt(ctx, client, group+"/fields/"+field, field == TTLField)
		}
	}
	if err == nil {
		err = composite(ctx, client, group)
	}
	if err != nil {
		return fmt.Errorf("firestorestate: create indexes of collection %s: %w", collection, err)
	}
	return nil
}

// exempt takes a field out of the indexes that each field has by itself, and puts it under the TTL policy where it is ttl.
func exempt(ctx context.Context, client *admin.FirestoreAdminClient, name string, ttl bool) error {
	have, err := client.GetField(ctx, &adminpb.GetFieldRequest{Name: name})
	if err != nil {
		return fmt.Errorf("look up field: %w", err)
	}
	want := &adminpb.Field{Name: name}
	mask := &fieldmaskpb.FieldMask{}
	if c := have.GetIndexConfig(); c == nil || c.GetUsesAncestorConfig() || len(c.GetIndexes()) > 0 {
		want.IndexConfig = &adminpb.Field_IndexConfig{}
		mask.Paths = append(mask.Paths, "index_config")
	}
	if state := have.GetTtlConfig().GetState(); ttl &&
		state != adminpb.Field_TtlConfig_ACTIVE && state != adminpb.Field_TtlConfig_CREATING {
		want.TtlConfig = &adminpb.Field_TtlConfig{}
		mask.Paths = append(mask.Paths, "ttl_config")
	}
	if len(mask.Paths) == 0 {
		return nil
	}
	if _, err := client.UpdateField(ctx, &adminpb.UpdateFieldRequest{Field: want, UpdateMask: mask}); err != nil {
		return fmt.Errorf("set up field: %w", err)
	}
	return nil
}

// composite makes the index of what is due, unless it is there, and waits until it can be used.
func composite(ctx context.Context, client *admin.FirestoreAdminClient, group string) error {
	asked := false
	for {
		have, err := find(ctx, client, group)
		switch {
		case err != nil:
			return fmt.Errorf("look for index: %w", err)
		case have.GetState() == adminpb.Index_READY:
			return nil
		case have.GetState() == adminpb.Index_NEEDS_REPAIR:
			return fmt.Errorf("the index %s needs repair, Google says: delete it and try again", have.GetName())
		case have == nil && !asked:
			_, err := client.CreateIndex(ctx, &adminpb.CreateIndexRequest{Parent: group, Index: dueIndex()})
			if err != nil && status.Code(err) != codes.AlreadyExists { // another process was faster
				return fmt.Errorf("create index: %w", err)
			}
			asked = true
		}
		if err := sleep(ctx, pollEvery); err != nil {
			return fmt.Errorf("waiting until the index is built: %w", err)
		}
	}
}

// pollEvery is how often CreateIndexes looks whether the index is built.
const pollEvery = time.Second

func dueIndex() *adminpb.Index {
	ascending := func(field string) *adminpb.Index_IndexField {
		return &adminpb.Index_IndexField{
			FieldPath: field, ValueMode: &adminpb.Index_IndexField_Order_{Order: adminpb.Index_IndexField_ASCENDING},
		}
	}
	return &adminpb.Index{
		QueryScope: adminpb.Index_COLLECTION, Fields: []*adminpb.Index_IndexField{ascending(fieldShard), ascending(fieldBucket)},
	}
}

// find returns the index of what is due, nil where there is none.
func find(ctx context.Context, client *admin.FirestoreAdminClient, group string) (*adminpb.Index, error) {
	all := client.ListIndexes(ctx, &adminpb.ListIndexesRequest{Parent: group})
	for {
		index, err := all.Next()
		if errors.Is(err, iterator.Done) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		if same(index, dueIndex()) {
			return index, nil
		}
	}
}

// same reports whether have serves for want. Firestore lists the name of the document as one more field, at the end.
func same(have, want *adminpb.Index) bool {
	fields := have.GetFields()
	if n := len(fields); n > 0 && fields[n-1].GetFieldPath() == "__name__" {
		fields = fields[:n-1]
	}
	if have.GetQueryScope() != want.GetQueryScope() || len(fields) != len(want.GetFields()) {
		return false
	}
	for i, f := range want.GetFields() {
		if fields[i].GetFieldPath() != f.GetFieldPath() || fields[i].GetOrder() != f.GetOrder() {
			return false
		}
	}
	return true
}
