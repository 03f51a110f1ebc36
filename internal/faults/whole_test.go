package faults

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/firestore"
	"cloud.google.com/go/storage"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/data/aztables"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// s3Whole puts an object in parts, one of them with its checksum behind it, and one at once, which the library asks leave for by
// Expect: 100-continue.
func s3Whole(t *testing.T, url string) {
	c, ctx := s3Client(t, url), t.Context()
	up, err := c.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: aws.String(bucket), Key: aws.String("a/b c+d")})
	if err != nil {
		t.Fatal(err)
	}
	first := data(5 << 20)
	part, err := c.UploadPart(ctx, &s3.UploadPartInput{
		Bucket: aws.String(bucket), Key: up.Key, UploadId: up.UploadId, PartNumber: aws.Int32(1), Body: bytes.NewReader(first),
	})
	if err != nil {
		t.Fatal(err)
	}
	if status, _ := partWithTrailer(t, url, *up.UploadId, "AAAAAA=="); status != http.StatusBadRequest {
		t.Errorf("a trailer with a wrong checksum is answered %d", status)
	}
	status, etag := partWithTrailer(t, url, *up.UploadId, "NhCmhg==")
	if status != http.StatusOK {
		t.Errorf("a trailer with the right checksum is answered %d", status)
	}
	_, err = c.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
		Bucket: aws.String(bucket), Key: up.Key, UploadId: up.UploadId, MultipartUpload: &s3types.CompletedMultipartUpload{
			Parts: []s3types.CompletedPart{{PartNumber: aws.Int32(1), ETag: part.ETag}, {PartNumber: aws.Int32(2), ETag: &etag}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	s := s3Shelf(t, url)
	if got, err := s.get(ctx, *up.Key); err != nil || !bytes.Equal(got, append(first, "hello"...)) {
		t.Errorf("%d bytes come back, %v", len(got), err)
	}
	out, err := c.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(bucket), Key: up.Key, Range: aws.String("bytes=5242879-5242881")})
	if err != nil {
		t.Fatal(err)
	}
	defer out.Body.Close()
	if got, err := io.ReadAll(out.Body); err != nil || string(got) != string(first[len(first)-1:])+"he" {
		t.Errorf("a range is %q, %v", got, err)
	}
	large := data(9 << 20)
	if err := s.put(ctx, "large", large); err != nil {
		t.Error(err)
	}
	if got, err := s.get(ctx, "large"); err != nil || !bytes.Equal(got, large) {
		t.Errorf("%d bytes come back, %v", len(got), err)
	}
	// Of a large one it may not be heard: the server closes the connection amid the body, with a proxy or without.
	_, err = c.PutObject(ctx, &s3.PutObjectInput{
		Bucket: aws.String(bucket), Key: aws.String("large"), IfNoneMatch: aws.String("*"), Body: strings.NewReader("small"),
	})
	if err == nil || !strings.Contains(err.Error(), "PreconditionFailed") {
		t.Errorf("a condition that is not met: %v", err)
	}
}

// partWithTrailer sends part 2, hello, with a checksum behind it: the library does so with TLS only.
func partWithTrailer(t *testing.T, url, upload, crc string) (status int, etag string) {
	body := "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:" + crc + "\r\n\r\n"
	req, err := http.NewRequest(http.MethodPut, url+"/"+bucket+"/a/b%20c%2Bd?partNumber=2&uploadId="+upload, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	const payload = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
	for name, value := range map[string]string{
		"Content-Encoding": "aws-chunked", "X-Amz-Decoded-Content-Length": "5", "X-Amz-Trailer": "x-amz-checksum-crc32", "X-Amz-Content-Sha256": payload,
	} {
		req.Header.Set(name, value)
	}
	err = v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }).
		SignHTTP(t.Context(), aws.Credentials{AccessKeyID: access, SecretAccessKey: secret}, req, payload, "s3", "us-east-1", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	resp, err := ownConnections(t).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode, resp.Header.Get("Etag")
}

func dynamoWhole(t *testing.T, url string) {
	c, ctx := dynamoClient(t, url), t.Context()
	item := map[string]types.AttributeValue{"k": &types.AttributeValueMemberS{Value: "one"}, "n": &types.AttributeValueMemberN{Value: "1"}}
	put := func() error {
		_, err := c.PutItem(ctx, &dynamodb.PutItemInput{
			TableName: aws.String(bucket), Item: item, ConditionExpression: aws.String("attribute_not_exists(k)"),
			ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
		})
		return err
	}
	if err := put(); err != nil {
		t.Fatal(err)
	}
	failed := new(types.ConditionalCheckFailedException)
	if err := put(); !errors.As(err, &failed) || len(failed.Item) != 2 {
		t.Errorf("a condition that is not met: %v", err)
	}
}

// gcsWhole sends chunks to a session, whose address the server takes from the Host that it sees.
func gcsWhole(t *testing.T, url string) {
	b, ctx := gcsBucket(t, url), t.Context()
	body := data(600 << 10)
	w := b.Object("a/b c+d").If(storage.Conditions{DoesNotExist: true}).NewWriter(ctx)
	w.ChunkSize = 256 << 10
	if _, err := w.Write(body); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if got, err := gcsShelf(t, url).get(ctx, "a/b c+d"); err != nil || !bytes.Equal(got, body) {
		t.Errorf("%d bytes come back, %v", len(got), err)
	}
	o, err := b.Object("all").ComposerFrom(b.Object("a/b c+d"), b.Object("a/b c+d")).Run(ctx)
	if err != nil || o.Size != int64(2*len(body)) {
		t.Errorf("composed: %+v, %v", o, err)
	}
}

func blobWhole(t *testing.T, url string) {
	c, ctx := blobClient(t, url), t.Context()
	b := c.NewBlockBlobClient("a/b c+d")
	body := data(3 << 20)
	if _, err := b.UploadStream(ctx, bytes.NewReader(body), &blockblob.UploadStreamOptions{BlockSize: 1 << 20}); err != nil {
		t.Fatal(err)
	}
	if got, err := blobShelf(t, url).get(ctx, "a/b c+d"); err != nil || !bytes.Equal(got, body) {
		t.Errorf("%d bytes come back, %v", len(got), err)
	}
	_, err := b.Delete(ctx, &blob.DeleteOptions{AccessConditions: &blob.AccessConditions{
		ModifiedAccessConditions: &blob.ModifiedAccessConditions{IfMatch: new(azcore.ETag("other"))},
	}})
	if refused := new(azcore.ResponseError); !errors.As(err, &refused) || refused.StatusCode != http.StatusPreconditionFailed {
		t.Errorf("a condition that is not met: %v", err)
	}
}

func tableWhole(t *testing.T, url string) {
	c, ctx := tableClient(t, url), t.Context()
	var batch []aztables.TransactionAction
	for i := range 3 {
		batch = append(batch, aztables.TransactionAction{
			ActionType: aztables.TransactionTypeAdd, Entity: fmt.Appendf(nil, `{"PartitionKey":"p","RowKey":"r %d"}`, i),
		})
	}
	if _, err := c.SubmitTransaction(ctx, batch, nil); err != nil {
		t.Fatal(err)
	}
	page, err := c.NewListEntitiesPager(&aztables.ListEntitiesOptions{Filter: new("PartitionKey eq 'p'")}).NextPage(ctx)
	if err != nil || len(page.Entities) != 3 {
		t.Errorf("%d entities come back, %v", len(page.Entities), err)
	}
	_, err = c.AddEntity(ctx, batch[0].Entity, nil)
	if refused := new(azcore.ResponseError); !errors.As(err, &refused) || refused.ErrorCode != "EntityAlreadyExists" {
		t.Errorf("an entity that is there: %v", err)
	}
}

// firestoreWhole has unary calls, streams of the server's, one of both sides, and statuses that come in trailers.
func firestoreWhole(t *testing.T, url string) {
	c, ctx := firestoreClient(t, strings.TrimPrefix(url, "http://")), t.Context()
	docs := c.Collection("whole")
	one := docs.Doc("one")
	if _, err := one.Create(ctx, map[string]any{"n": 1}); err != nil {
		t.Fatal(err)
	}
	if _, err := one.Create(ctx, map[string]any{"n": 1}); status.Code(err) != codes.AlreadyExists {
		t.Errorf("a document that is there: %v", err)
	}
	err := c.RunTransaction(ctx, func(_ context.Context, tx *firestore.Transaction) error {
		doc, err := tx.Get(one)
		if err != nil {
			return err
		}
		return tx.Set(docs.Doc("two"), doc.Data())
	})
	if err != nil {
		t.Error(err)
	}
	for range 40 {
		if _, _, err := docs.Add(ctx, map[string]any{"text": strings.Repeat("long ", 5000)}); err != nil {
			t.Fatal(err)
		}
	}
	if all, err := docs.Documents(ctx).GetAll(); err != nil || len(all) != 42 {
		t.Errorf("%d documents come back, %v", len(all), err)
	}
	watch := one.Snapshots(ctx)
	defer watch.Stop()
	for n := range int64(3) {
		if _, err := one.Set(ctx, map[string]any{"n": n}); err != nil {
			t.Fatal(err)
		}
		if doc, err := watch.Next(); err != nil || doc.Data()["n"] != n {
			t.Errorf("watched: %v, %v", doc, err)
		}
	}
}
