package ledger

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

func TestOperationsByTheirRequests(t *testing.T) {
	for _, tt := range []struct{ method, target, copies, want string }{
		{"PUT", "/b/k", "", "PutObject"},
		{"PUT", "/b/k?partNumber=1&uploadId=u", "", "UploadPart"},
		{"PUT", "/b/k?partNumber=1&uploadId=u", "b/s", "UploadPartCopy"},
		{"PUT", "/b/k", "b/s", "CopyObject"},
		{"POST", "/b/k?uploads=", "", "CreateMultipartUpload"},
		{"POST", "/b/k?uploadId=u", "", "CompleteMultipartUpload"},
		{"POST", "/b?delete=", "", "DeleteObjects"},
		{"GET", "/b/k", "", "GetObject"},
		{"GET", "/b/k?uploadId=u", "", "ListParts"},
		{"GET", "/b?list-type=2&prefix=p", "", "ListObjectsV2"},
		{"GET", "/b?uploads=", "", "ListMultipartUploads"},
		{"HEAD", "/b", "", "HeadBucket"},
		{"HEAD", "/b/k", "", "HeadObject"},
		{"DELETE", "/b/k", "", "DeleteObject"},
		{"DELETE", "/b/k?uploadId=u", "", "AbortMultipartUpload"},
	} {
		r := httptest.NewRequest(tt.method, tt.target, nil)
		if tt.copies != "" {
			r.Header.Set("X-Amz-Copy-Source", tt.copies)
		}
		if got := s3Operation(r); got != tt.want {
			t.Errorf("%s %s is %s, want %s", tt.method, tt.target, got, tt.want)
		}
		if _, ok := calls[tt.want]; !ok {
			t.Errorf("%s has no class", tt.want)
		}
	}
}

// What the server says it would bill is by size, and what a failed condition costs is counted though it does not say so.
func TestUnitsAreBySize(t *testing.T) {
	c, l := newCloud(t), New()
	h, err := l.DynamoDB(c.dynamoDB)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(h)
	defer srv.Close()
	o := c.database().Options()
	o.BaseEndpoint, o.Credentials = &srv.URL, credentials.NewStaticCredentialsProvider("x", "x", "")
	db := dynamodb.New(o)
	put := func(ctx context.Context, size int, condition *string) error {
		_, err := db.PutItem(ctx, &dynamodb.PutItemInput{
			TableName: aws.String(table), ConditionExpression: condition,
			ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
			Item: map[string]types.AttributeValue{
				"i": &types.AttributeValueMemberS{Value: "id"}, "m": &types.AttributeValueMemberS{Value: strings.Repeat("m", size)},
			},
		})
		return err
	}
	for _, tt := range []struct {
		name      string
		size      int
		condition *string
		want      float64
	}{
		{"below 1 KB", 1000, nil, 1},
		{"above 1 KB", 1030, nil, 2},
		{"above 2 KB", 2100, nil, 3},
		{"a condition that fails on those", 10, aws.String("attribute_not_exists(i)"), 3},
	} {
		if err := put(t.Context(), tt.size, tt.condition); (err != nil) != (tt.condition != nil) {
			t.Fatal(err)
		}
		if b := l.Take(); b.Units[write.name] != tt.want || b.Calls["dynamodb"]["PutItem"] != 1 {
			t.Errorf("%s: %v units in %v, want %v", tt.name, b.Units[write.name], b.Calls["dynamodb"], tt.want)
		}
	}
	_, err = db.GetItem(t.Context(), &dynamodb.GetItemInput{
		TableName: aws.String(table), ConsistentRead: aws.Bool(true), Key: map[string]types.AttributeValue{"i": &types.AttributeValueMemberS{Value: "id"}},
	})
	if b := l.Take(); err != nil || b.Units[read.name] != 1 || b.Units[write.name] != 0 {
		t.Errorf("a read: %v and %v units, %v", b.Units[read.name], b.Units[write.name], err)
	}
}

// A 404 needs the permission to list: without it S3 answers 403.
func TestA404NeedsThePermissionToList(t *testing.T) {
	r := httptest.NewRequest(http.MethodHead, "/b/k", nil)
	for status, want := range map[int]string{200: "s3:GetObject", 404: "s3:GetObject s3:ListBucket"} {
		if got := strings.Join(s3Actions("HeadObject", r, status), " "); got != want {
			t.Errorf("answered %d: %s, want %s", status, got, want)
		}
	}
}
