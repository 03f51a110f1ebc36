package dynamostate_test

import (
	"context"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go/middleware"

	"github.com/fileloft/fileloft/internal/servers"
	"github.com/fileloft/fileloft/state/dynamostate"
	"github.com/fileloft/fileloft/tus"
)

// meter asks with each call what it is billed, and adds it up: the table's units, and those of the index.
type meter struct{ table, index float64 }

func (m *meter) install(stack *middleware.Stack) error {
	return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("meter", func(
		ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler,
	) (middleware.InitializeOutput, middleware.Metadata, error) {
		const all = types.ReturnConsumedCapacityIndexes
		switch in := in.Parameters.(type) {
		case *dynamodb.PutItemInput:
			in.ReturnConsumedCapacity = all
		case *dynamodb.UpdateItemInput:
			in.ReturnConsumedCapacity = all
		case *dynamodb.DeleteItemInput:
			in.ReturnConsumedCapacity = all
		case *dynamodb.GetItemInput:
			in.ReturnConsumedCapacity = all
		}
		out, meta, err := next.HandleInitialize(ctx, in)
		switch res := out.Result.(type) {
		case *dynamodb.PutItemOutput:
			m.add(res.ConsumedCapacity)
		case *dynamodb.UpdateItemOutput:
			m.add(res.ConsumedCapacity)
		case *dynamodb.DeleteItemOutput:
			m.add(res.ConsumedCapacity)
		case *dynamodb.GetItemOutput:
			m.add(res.ConsumedCapacity)
		}
		return out, meta, err
	}), middleware.Before)
}

func (m *meter) add(c *types.ConsumedCapacity) {
	if c == nil {
		return
	}
	index := aws.ToFloat64(c.GlobalSecondaryIndexes[dynamostate.Index].CapacityUnits)
	m.table += aws.ToFloat64(c.CapacityUnits) - index
	m.index += index
}

// The units that the package comment promises, as the server counts them.
func TestUnits(t *testing.T) {
	var m meter
	now := time.Unix(1_800_000_000, 0)
	o := connect(servers.DynamoDB(t), &wire{}).Options()
	o.APIOptions = append(o.APIOptions, m.install)
	db := dynamodb.New(o)
	noError(t, dynamostate.CreateTable(t.Context(), db, table))
	st := dynamostate.New(db, table, &dynamostate.Options{Now: func() time.Time { return now }})
	billed := func(what string, wantTable, wantIndex float64) {
		t.Helper()
		if m.table != wantTable || m.index != wantIndex {
			t.Errorf("%s: %v units for the table and %v for the index, want %v and %v", what, m.table, m.index, wantTable, wantIndex)
		}
		m = meter{}
	}
	u := dynamostate.Ordinary()
	u.Pending, u.Expires = 0, now.Add(time.Hour)
	try(st.Create(t.Context(), u, claim(0, 0)))(t)
	billed("Create", 1, 1)
	try(st.Load(t.Context(), u.ID))(t)
	billed("Load", 1, 0)
	var l tus.Lease
	for range 3 {
		now = now.Add(time.Minute)
		l = try(st.Acquire(t.Context(), u.ID, claim(6*time.Second, 40)))(t)
		next := l.Upload
		next.Offset += 4 << 20
		next.Expires = now.Add(time.Hour)
		l = try(st.Commit(t.Context(), l, next, claim(0, 0)))(t)
		billed("a PATCH", 2, 0)
	}
	now = now.Add(10 * time.Minute)
	next := l.Upload
	next.Expires = now.Add(time.Hour)
	l = try(st.Commit(t.Context(), l, next, claim(0, 0)))(t)
	billed("a Commit that moves to another bucket", 1, 2)
	noError(t, st.Delete(t.Context(), l))
	billed("Delete", 1, 1)
	noError(t, st.Ping(t.Context()))
	billed("Ping", 0.5, 0)
}
