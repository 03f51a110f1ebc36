package faults

import (
	"context"
	"net/http"
	"testing"

	"cloud.google.com/go/firestore"
	apiv1 "cloud.google.com/go/firestore/apiv1"
	"cloud.google.com/go/storage"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/data/aztables"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// Clients of each service's own library, which repeat nothing: what a request met with is what they return. Each has connections of its
// own.

const (
	access, secret = "test", "testsecret"
	account        = "devstoreaccount1"
)

func ownConnections(t testing.TB) *http.Client {
	tr := http.DefaultTransport.(*http.Transport).Clone()
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

func s3Client(t testing.TB, url string) *s3.Client {
	return s3.New(s3.Options{
		Region: "us-east-1", BaseEndpoint: &url, UsePathStyle: true, Retryer: aws.NopRetryer{}, HTTPClient: ownConnections(t),
		Credentials: credentials.NewStaticCredentialsProvider(access, secret, ""),
	})
}

func dynamoClient(t testing.TB, url string) *dynamodb.Client {
	return dynamodb.New(dynamodb.Options{
		Region: "us-east-1", BaseEndpoint: &url, Retryer: aws.NopRetryer{}, HTTPClient: ownConnections(t),
		Credentials: credentials.NewStaticCredentialsProvider(access, secret, ""),
	})
}

func gcsBucket(t testing.TB, url string) *storage.BucketHandle {
	c, err := storage.NewClient(t.Context(), option.WithEndpoint(url+"/storage/v1/"), option.WithHTTPClient(ownConnections(t)))
	if err != nil {
		t.Fatal(err)
	}
	c.SetRetry(storage.WithPolicy(storage.RetryNever))
	return c.Bucket(bucket)
}

func azureOptions(t testing.TB) azcore.ClientOptions {
	return azcore.ClientOptions{Transport: ownConnections(t), Retry: policy.RetryOptions{MaxRetries: -1}}
}

// connection is a connection string with proxies' addresses.
func connection(blobs, tables string) string {
	return "DefaultEndpointsProtocol=http;AccountName=" + account +
		";AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==" +
		";BlobEndpoint=" + blobs + "/" + account + ";TableEndpoint=" + tables + "/" + account + ";"
}

func blobClient(t testing.TB, url string) *container.Client {
	c, err := container.NewClientFromConnectionString(connection(url, url), bucket, &container.ClientOptions{ClientOptions: azureOptions(t)})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func tableClient(t testing.TB, url string) *aztables.Client {
	c, err := aztables.NewServiceClientFromConnectionString(connection(url, url), &aztables.ClientOptions{ClientOptions: azureOptions(t)})
	if err != nil {
		t.Fatal(err)
	}
	return c.NewClient(bucket)
}

func overGRPC(addr string) []option.ClientOption {
	return []option.ClientOption{
		option.WithEndpoint(addr), option.WithoutAuthentication(),
		option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())),
	}
}

func firestoreClient(t testing.TB, addr string) *firestore.Client {
	c, err := firestore.NewClient(context.WithoutCancel(t.Context()), "project", overGRPC(addr)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// rawFirestore lets calls be made that are not repeated.
func rawFirestore(t testing.TB, addr string) *apiv1.Client {
	c, err := apiv1.NewClient(context.WithoutCancel(t.Context()), overGRPC(addr)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// bucket is also the container and the table.
const bucket = "uploads"
