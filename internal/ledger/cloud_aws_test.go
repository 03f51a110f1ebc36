package ledger

import (
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/fileloft/fileloft/internal/lambdagate"
	"github.com/fileloft/fileloft/internal/servers"
	"github.com/fileloft/fileloft/state/dynamostate"
)

const (
	table    = "records"
	memoryMB = 512
)

// A cloud is an S3 server with a bucket and a DynamoDB server with a table.
type cloud struct {
	s3       *servers.S3Server
	dynamoDB string
}

func newCloud(t *testing.T) *cloud {
	t.Helper()
	if testing.Short() {
		t.Skip("real servers do not run under -short")
	}
	c := &cloud{servers.S3(t), servers.DynamoDB(t)}
	c.s3.Bucket(t, bucket)
	if err := dynamostate.CreateTable(t.Context(), c.database(), table); err != nil {
		t.Fatal(err)
	}
	return c
}

// database returns a client that no ledger sees.
func (c *cloud) database() *dynamodb.Client {
	return dynamodb.New(dynamodb.Options{
		Region: "us-east-1", BaseEndpoint: &c.dynamoDB, Credentials: credentials.NewStaticCredentialsProvider("x", "x", ""),
	})
}

// behind returns the settings of a server that reaches the cloud through a ledger's proxies.
func (c *cloud) behind(t *testing.T, l *Ledger) []string {
	t.Helper()
	url := func(h http.Handler, err error) string { return front(t, h, err).URL }
	return []string{
		"AWS_ACCESS_KEY_ID=" + c.s3.Access, "AWS_SECRET_ACCESS_KEY=" + c.s3.Secret,
		"FILELOFT_STORAGE=s3", "FILELOFT_S3_BUCKET=" + bucket, "FILELOFT_S3_ENDPOINT=" + url(l.S3(c.s3.URL)),
		"FILELOFT_S3_FORCE_PATH_STYLE=true", "FILELOFT_S3_REGION=us-east-1",
		"FILELOFT_STATE=dynamodb", "FILELOFT_DYNAMODB_TABLE=" + table, "FILELOFT_DYNAMODB_ENDPOINT=" + url(l.DynamoDB(c.dynamoDB)),
		"FILELOFT_LOG_LEVEL=warn",
	}
}

// function runs the Lambda binary with one instance and a ledger of its own.
func (c *cloud) function(t *testing.T, l *Ledger, binary string, settings ...string) *lambdagate.Function {
	t.Helper()
	log := &output{}
	f := lambdagate.New(binary, &lambdagate.Options{
		Env: append(c.behind(t, l), settings...), MaxInstances: 1, MemoryMB: memoryMB, Log: log,
		Invoked: func(i lambdagate.Invocation) { l.Invoked(i.Duration, memoryMB) },
	})
	t.Cleanup(func() {
		f.Close()
		if t.Failed() {
			t.Logf("the function's log:\n%s", log)
		}
	})
	return f
}
