// Package awsbackend opens the stores that a Config names on Amazon Web Services, or on servers that speak S3 and DynamoDB.
// The Lambda function links it without the other clouds' stores, the standalone server beside them.
//
// Opening sends nothing. Region and credentials are found where AWS's own tools find them: variables, the shared files, and
// the roles of functions, containers and machines; these are asked with the first request.
package awsbackend

import (
	"context"
	"fmt"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/fileloft/fileloft/internal/app"
	"github.com/fileloft/fileloft/internal/watch"
	"github.com/fileloft/fileloft/state/dynamostate"
	"github.com/fileloft/fileloft/storage/s3store"
)

// Storage opens the bucket.
func Storage(ctx context.Context, c app.Config) (*s3store.Store, error) {
	base, err := load(ctx, "s3", c.S3Region, c.S3Endpoint)
	if err != nil {
		return nil, err
	}
	client := s3.NewFromConfig(base, func(o *s3.Options) {
		o.BaseEndpoint = optional(c.S3Endpoint)
		o.UsePathStyle = c.S3ForcePathStyle
	})
	return s3store.New(client, c.S3Bucket, &s3store.Options{
		Prefix: c.S3Prefix, PartSize: c.S3PartSize, UniformParts: c.S3UniformParts,
		Parallel: int(c.S3Parallel), Memory: c.S3Memory, Unconditional: c.S3Unconditional,
		Encryption: c.S3SSE, KMSKey: c.S3KMSKey, StorageClass: c.S3StorageClass, Tagging: c.S3Tagging,
		LinkTTL: c.S3LinkTTL,
	})
}

// State opens the table.
func State(ctx context.Context, c app.Config) (*dynamostate.Store, error) {
	client, err := database(ctx, c)
	if err != nil {
		return nil, err
	}
	return dynamostate.New(client, c.DynamoDBTable, nil), nil
}

// CreateState makes the table, where it is not there yet, and waits until it can be used.
func CreateState(ctx context.Context, c app.Config) error {
	client, err := database(ctx, c)
	if err != nil {
		return err
	}
	return dynamostate.CreateTable(ctx, client, c.DynamoDBTable)
}

func database(ctx context.Context, c app.Config) (*dynamodb.Client, error) {
	base, err := load(ctx, "dynamodb", "", c.DynamoDBEndpoint)
	if err != nil {
		return nil, err
	}
	return dynamodb.NewFromConfig(base, func(o *dynamodb.Options) { o.BaseEndpoint = optional(c.DynamoDBEndpoint) }), nil
}

// idleConnections is how many connections to one host are kept for later. The SDK's 10 would make a server with some
// dozens of writers open a new one for every second request.
const idleConnections = 256

// load finds the configuration for a service. An endpoint of the user's own needs no region, but requests are signed for one.
func load(ctx context.Context, service, region, endpoint string) (aws.Config, error) {
	client := awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
		t.MaxIdleConnsPerHost, t.MaxIdleConns = idleConnections, 2*idleConnections
	})
	base, err := config.LoadDefaultConfig(ctx, config.WithRegion(region), config.WithHTTPClient(client))
	switch {
	case err != nil || base.Region != "":
	case endpoint != "":
		base.Region = "us-east-1"
	default:
		err = fmt.Errorf("no region is configured: set AWS_REGION, or %sS3_REGION for the bucket's", app.Prefix)
	}
	if err != nil {
		return base, fmt.Errorf("configure the client for AWS: %w", err)
	}
	base.HTTPClient = watch.Client(service, base.HTTPClient)
	return base, nil
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
