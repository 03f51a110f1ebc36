package dynamostate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Names that whoever makes the table by other means has to use; docs/decisions/0010-dynamodb-item-and-due-index.md has
// the whole of it.
const (
	Index        = "due"   // the global secondary index, keys only, of h (N) and y (N)
	TTLAttribute = attrTTL // what DynamoDB's time to live reads
)

// CreateTable makes the table, with its index and its time to live, on demand billing, and waits until it can be used.
// What is there already is left as it is: the call can be repeated. In production the project's template makes the
// table, with what only its owner can decide: backups, encryption keys, deletion protection.
func CreateTable(ctx context.Context, client *dynamodb.Client, table string) error {
	err := createTable(ctx, client, table)
	if err != nil {
		return fmt.Errorf("dynamostate: create table %s: %w", table, err)
	}
	return nil
}

func createTable(ctx context.Context, client *dynamodb.Client, table string) error {
	_, err := client.CreateTable(ctx, &dynamodb.CreateTableInput{
		TableName:   &table,
		BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{
			{AttributeName: aws.String(attrID), AttributeType: types.ScalarAttributeTypeS},
			{AttributeName: aws.String(attrShard), AttributeType: types.ScalarAttributeTypeN},
			{AttributeName: aws.String(attrBucket), AttributeType: types.ScalarAttributeTypeN},
		},
		KeySchema: keys(attrID),
		GlobalSecondaryIndexes: []types.GlobalSecondaryIndex{{
			IndexName: aws.String(Index), KeySchema: keys(attrShard, attrBucket),
			Projection: &types.Projection{ProjectionType: types.ProjectionTypeKeysOnly},
		}},
	})
	if err != nil && !errors.As(err, new(*types.ResourceInUseException)) {
		return err
	}
	if err := active(ctx, client, table); err != nil {
		return err
	}
	return letExpire(ctx, client, table)
}

// keys returns a key schema: a partition key and perhaps a sort key.
func keys(names ...string) []types.KeySchemaElement {
	schema := []types.KeySchemaElement{{AttributeName: &names[0], KeyType: types.KeyTypeHash}}
	for i := range names[1:] {
		schema = append(schema, types.KeySchemaElement{AttributeName: &names[1+i], KeyType: types.KeyTypeRange})
	}
	return schema
}

// active waits until the table and its index can be used, and looks whether they are what they should be.
func active(ctx context.Context, client *dynamodb.Client, table string) error {
	for {
		out, err := client.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &table})
		if err != nil && !errors.As(err, new(*types.ResourceNotFoundException)) { // it may not be known everywhere yet
			return err
		}
		if err == nil {
			ready, err := inspect(out.Table)
			if ready || err != nil {
				return err
			}
		}
		t := time.NewTimer(500 * time.Millisecond)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return fmt.Errorf("waiting until it is active: %w", ctx.Err())
		}
	}
}

// inspect reports whether a table can be used, or that it is another program's.
func inspect(t *types.TableDescription) (ready bool, err error) {
	if !sameKeys(t.KeySchema, keys(attrID)) {
		return false, fmt.Errorf("there is a table of this name with another key than %q: choose another name", attrID)
	}
	for _, index := range t.GlobalSecondaryIndexes {
		if aws.ToString(index.IndexName) == Index {
			if !sameKeys(index.KeySchema, keys(attrShard, attrBucket)) {
				return false, fmt.Errorf("the index %q has other keys than %q and %q", Index, attrShard, attrBucket)
			}
			return t.TableStatus == types.TableStatusActive && index.IndexStatus == types.IndexStatusActive, nil
		}
	}
	return false, fmt.Errorf("there is a table of this name without an index %q: choose another name", Index)
}

func sameKeys(a, b []types.KeySchemaElement) bool {
	return slices.EqualFunc(a, b, func(x, y types.KeySchemaElement) bool {
		return aws.ToString(x.AttributeName) == aws.ToString(y.AttributeName) && x.KeyType == y.KeyType
	})
}

// letExpire switches the time to live on.
func letExpire(ctx context.Context, client *dynamodb.Client, table string) error {
	enabled := func() (bool, error) {
		out, err := client.DescribeTimeToLive(ctx, &dynamodb.DescribeTimeToLiveInput{TableName: &table})
		if err != nil {
			return false, err
		}
		d := out.TimeToLiveDescription
		on := d != nil && (d.TimeToLiveStatus == types.TimeToLiveStatusEnabled || d.TimeToLiveStatus == types.TimeToLiveStatusEnabling)
		if on && aws.ToString(d.AttributeName) != TTLAttribute {
			return false, fmt.Errorf("its time to live reads the attribute %q, which is not %q",
				aws.ToString(d.AttributeName), TTLAttribute)
		}
		return on, nil
	}
	if on, err := enabled(); on || err != nil {
		return err
	}
	_, err := client.UpdateTimeToLive(ctx, &dynamodb.UpdateTimeToLiveInput{
		TableName:               &table,
		TimeToLiveSpecification: &types.TimeToLiveSpecification{AttributeName: aws.String(TTLAttribute), Enabled: aws.Bool(true)},
	})
	if err == nil {
		return nil
	}
	if on, e := enabled(); on && e == nil { // another process was faster
		return nil
	}
	return err
}
