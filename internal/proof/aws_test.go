package proof

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/fileloft/fileloft/internal/faults"
	"github.com/fileloft/fileloft/internal/lambdagate"
	"github.com/fileloft/fileloft/internal/servers"
	"github.com/fileloft/fileloft/state/dynamostate"
	"github.com/fileloft/fileloft/storage/s3store"
	"github.com/fileloft/fileloft/tus"
)

// onAWS is the Lambda function behind an HTTP API, with as many instances as there is work for, up to eight: more work is throttled.
func onAWS(t testing.TB) *setup {
	dir := t.TempDir()
	p, server, err := servers.StartS3(context.WithoutCancel(t.Context()), dir)
	servers.Require(t, "versitygw", err)
	t.Cleanup(p.Stop)
	dynamo := servers.DynamoDB(t)
	b := &bucket{client: server.Client(), name: server.Bucket(t, "uploads")}
	const table = "uploads"
	db := dynamodb.New(dynamodb.Options{
		Region: "us-east-1", BaseEndpoint: &dynamo, Credentials: credentials.NewStaticCredentialsProvider("x", "x", ""),
	})
	if err := dynamostate.CreateTable(t.Context(), db, table); err != nil {
		t.Fatal(err)
	}
	storage, err := s3store.New(b.client, b.name, &s3store.Options{Prefix: finished})
	if err != nil {
		t.Fatal(err)
	}
	toS3, toDynamo := between(t, "s3", server.URL), between(t, "dynamodb", dynamo)
	f := lambdagate.New(build(t, "functions/lambda", "-tags", "lambda.norpc"), &lambdagate.Options{
		MaxInstances: 8, Log: logTo(t), Env: append([]string{
			"AWS_ACCESS_KEY_ID=" + server.Access, "AWS_SECRET_ACCESS_KEY=" + server.Secret,
			"FILELOFT_S3_BUCKET=" + b.name, "FILELOFT_S3_PREFIX=" + finished, "FILELOFT_S3_ENDPOINT=" + toS3.URL(),
			"FILELOFT_S3_FORCE_PATH_STYLE=true", "FILELOFT_S3_REGION=us-east-1",
			"FILELOFT_DYNAMODB_TABLE=" + table, "FILELOFT_DYNAMODB_ENDPOINT=" + toDynamo.URL(),
		}, settings...),
	})
	t.Cleanup(f.Close)
	return &setup{
		name: "S3, DynamoDB, Lambda", fleet: host(t, lambda(f)), proxies: []*faults.Proxy{toS3, toDynamo}, checksums: true, body: 4 << 20, pause: 800 * time.Millisecond,
		stores: &stores{
			state: dynamostate.New(db, table, nil), storage: storage,
			object: b.object, inventory: b.inventory, names: names, hidden: b.hidden,
		},
	}
}

func lambda(f *lambdagate.Function) platform {
	return platform{
		Handler: lambdagate.HTTPAPI(f, nil),
		replicas: func() (list []replica) {
			for _, in := range f.Instances() {
				list = append(list, replica{in.PID, in.Busy})
			}
			return list
		},
		kill: f.Kill, freeze: f.Freeze, thaw: f.Thaw,
		sweep: func(ctx context.Context) error {
			_, err := f.Invoke(ctx, []byte(`{"action":"sweep"}`))
			return err
		},
	}
}

// In a cloud's store finished objects have one prefix, and pieces the drivers' default.
const finished, pieces = "finished/", ".fileloft/"

// names are those of a finished object, or of a finished part, as the comments of s3store and azurestore have them.
func names(u *tus.Upload) []string {
	if u.Concat.Role == tus.Partial {
		return []string{pieces + string(u.ID) + "/" + u.Birth + "/object"}
	}
	return []string{finished + u.ObjectKey()}
}

// A bucket is S3's.
type bucket struct {
	client *s3.Client
	name   string
}

func (b *bucket) object(ctx context.Context, u *tus.Upload) (io.ReadCloser, error) {
	out, err := b.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &b.name, Key: aws.String(finished + u.ObjectKey())})
	if err != nil {
		return nil, err
	}
	return out.Body, nil
}

// inventory lists all objects, and the multipart uploads as "session <key> <id>".
func (b *bucket) inventory(ctx context.Context) (all []string, err error) {
	objects := s3.NewListObjectsV2Paginator(b.client, &s3.ListObjectsV2Input{Bucket: &b.name})
	for objects.HasMorePages() {
		page, err := objects.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, o := range page.Contents {
			all = append(all, aws.ToString(o.Key))
		}
	}
	sessions := s3.NewListMultipartUploadsPaginator(b.client, &s3.ListMultipartUploadsInput{Bucket: &b.name})
	for sessions.HasMorePages() {
		page, err := sessions.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, u := range page.Uploads {
			all = append(all, session(aws.ToString(u.Key), aws.ToString(u.UploadId)))
		}
	}
	return all, nil
}

func session(key, id string) string { return "session " + key + " " + id }

// hidden is a session that has neither a part nor a note: its maker was killed between CreateMultipartUpload and the note, or never had the answer.
// A lifecycle rule ends it.
func (b *bucket) hidden(name string) bool {
	rest, ok := strings.CutPrefix(name, "session ")
	at := strings.LastIndexByte(rest, ' ')
	if !ok || at < 0 {
		return false
	}
	key, id := rest[:at], rest[at+1:]
	ctx := context.Background()
	out, err := b.client.ListParts(ctx, &s3.ListPartsInput{Bucket: &b.name, Key: &key, UploadId: &id})
	if err != nil || len(out.Parts) > 0 {
		return false
	}
	all, err := b.inventory(ctx)
	return err == nil && !slices.ContainsFunc(all, func(n string) bool {
		return strings.HasPrefix(n, pieces) && strings.HasSuffix(n, fmt.Sprintf("/s.%s", url.QueryEscape(id)))
	})
}
