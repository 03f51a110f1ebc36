package faults

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"cloud.google.com/go/firestore/apiv1/firestorepb"
	"cloud.google.com/go/storage"
	"github.com/Azure/azure-sdk-for-go/sdk/data/aztables"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	gax "github.com/googleapis/gax-go/v2"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fileloft/fileloft/internal/servers"
)

func s3Shelf(t testing.TB, url string) shelf {
	c := s3Client(t, url)
	return shelf{
		put: func(ctx context.Context, key string, data []byte) error {
			_, err := c.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String(bucket), Key: &key, Body: bytes.NewReader(data)})
			return err
		},
		get: func(ctx context.Context, key string) ([]byte, error) {
			out, err := c.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(bucket), Key: &key})
			if none := new(s3types.NoSuchKey); errors.As(err, &none) {
				return nil, nil
			}
			if err != nil {
				return nil, err
			}
			defer out.Body.Close()
			return io.ReadAll(out.Body)
		},
	}
}

func startDynamoDB(t *testing.T) string {
	url := servers.DynamoDB(t)
	_, err := dynamoClient(t, url).CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName: aws.String(bucket), BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("k"), AttributeType: types.ScalarAttributeTypeS}},
		KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String("k"), KeyType: types.KeyTypeHash}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return url
}

func dynamoShelf(t testing.TB, url string) shelf {
	c := dynamoClient(t, url)
	return shelf{
		put: func(ctx context.Context, key string, data []byte) error {
			_, err := c.PutItem(ctx, &dynamodb.PutItemInput{TableName: aws.String(bucket), Item: map[string]types.AttributeValue{
				"k": &types.AttributeValueMemberS{Value: key}, "v": &types.AttributeValueMemberB{Value: data},
			}})
			return err
		},
		get: func(ctx context.Context, key string) ([]byte, error) {
			out, err := c.GetItem(ctx, &dynamodb.GetItemInput{
				TableName: aws.String(bucket), ConsistentRead: aws.Bool(true),
				Key: map[string]types.AttributeValue{"k": &types.AttributeValueMemberS{Value: key}},
			})
			if err != nil || out.Item == nil {
				return nil, err
			}
			return out.Item["v"].(*types.AttributeValueMemberB).Value, nil
		},
	}
}

func gcsShelf(t testing.TB, url string) shelf {
	b := gcsBucket(t, url)
	return shelf{
		put: func(ctx context.Context, key string, data []byte) error {
			w := b.Object(key).NewWriter(ctx)
			w.ChunkSize = 0 // in one request, which is not repeated
			_, err := w.Write(data)
			return errors.Join(err, w.Close())
		},
		get: func(ctx context.Context, key string) ([]byte, error) {
			r, err := b.Object(key).NewReader(ctx)
			if errors.Is(err, storage.ErrObjectNotExist) {
				return nil, nil
			}
			if err != nil {
				return nil, err
			}
			defer r.Close()
			return io.ReadAll(r)
		},
	}
}

func createOnAzure(t *testing.T, endpoint, url string) {
	var err error
	if endpoint == "BlobEndpoint" {
		_, err = blobClient(t, url).Create(t.Context(), nil)
	} else {
		_, err = tableClient(t, url).CreateTable(t.Context(), nil)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func blobShelf(t testing.TB, url string) shelf {
	c := blobClient(t, url)
	return shelf{
		put: func(ctx context.Context, key string, data []byte) error {
			_, err := c.NewBlockBlobClient(key).UploadBuffer(ctx, data, nil)
			return err
		},
		get: func(ctx context.Context, key string) ([]byte, error) {
			out, err := c.NewBlobClient(key).DownloadStream(ctx, nil)
			if bloberror.HasCode(err, bloberror.BlobNotFound) {
				return nil, nil
			}
			if err != nil {
				return nil, err
			}
			defer out.Body.Close()
			return io.ReadAll(out.Body)
		},
	}
}

func tableShelf(t testing.TB, url string) shelf {
	c := tableClient(t, url)
	return shelf{
		put: func(ctx context.Context, key string, data []byte) error {
			b, err := json.Marshal(aztables.EDMEntity{
				Entity: aztables.Entity{PartitionKey: key, RowKey: "r"}, Properties: map[string]any{"V": aztables.EDMBinary(data)},
			})
			if err != nil {
				return err
			}
			_, err = c.UpsertEntity(ctx, b, &aztables.UpsertEntityOptions{UpdateMode: aztables.UpdateModeReplace})
			return err
		},
		get: func(ctx context.Context, key string) ([]byte, error) {
			out, err := c.GetEntity(ctx, key, "r", nil)
			if bloberror.HasCode(err, bloberror.ResourceNotFound) {
				return nil, nil
			}
			if err != nil {
				return nil, err
			}
			var e aztables.EDMEntity
			if err := json.Unmarshal(out.Value, &e); err != nil {
				return nil, err
			}
			return e.Properties["V"].(aztables.EDMBinary), nil
		},
	}
}

func firestoreShelf(t testing.TB, url string) shelf {
	c := rawFirestore(t, strings.TrimPrefix(url, "http://"))
	const database = "projects/project/databases/(default)"
	once := gax.WithRetry(func() gax.Retryer { return nil })
	return shelf{
		put: func(ctx context.Context, key string, data []byte) error {
			_, err := c.Commit(ctx, &firestorepb.CommitRequest{Database: database, Writes: []*firestorepb.Write{{
				Operation: &firestorepb.Write_Update{Update: &firestorepb.Document{
					Name:   database + "/documents/shelf/" + key,
					Fields: map[string]*firestorepb.Value{"v": {ValueType: &firestorepb.Value_BytesValue{BytesValue: data}}},
				}},
			}}}, once)
			return err
		},
		get: func(ctx context.Context, key string) ([]byte, error) {
			doc, err := c.GetDocument(ctx, &firestorepb.GetDocumentRequest{Name: database + "/documents/shelf/" + key}, once)
			if status.Code(err) == codes.NotFound {
				return nil, nil
			}
			return doc.GetFields()["v"].GetBytesValue(), err
		},
	}
}
