package faults

import (
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	"cloud.google.com/go/firestore/apiv1/firestorepb"
	"cloud.google.com/go/storage"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"
	gax "github.com/googleapis/gax-go/v2"
	"google.golang.org/api/googleapi"
	"google.golang.org/grpc/status"
)

// The services' own libraries take a busy answer for what it imitates, and for one to repeat. Throttled is what says that nothing was done:
// it never stands for what was done.
func TestBusyAnswersAreTheServicesOwn(t *testing.T) {
	amazon := func(err error) (string, bool) {
		var e smithy.APIError
		if !errors.As(err, &e) {
			return "", false
		}
		return e.ErrorCode(), retry.NewStandard().IsErrorRetryable(err)
	}
	azure := func(err error) (string, bool) {
		var e *azcore.ResponseError
		if !errors.As(err, &e) {
			return "", false
		}
		return e.ErrorCode, e.StatusCode == 500 || e.StatusCode == 503 // azcore/policy, RetryOptions.StatusCodes
	}
	for service, tt := range map[string]struct {
		call      func(t *testing.T, url string) error
		code      func(error) (code string, repeat bool)
		throttled string
		others    []string
	}{
		"s3": {putS3, amazon, "SlowDown", []string{"InternalError", "ServiceUnavailable"}},
		"dynamodb": {func(t *testing.T, url string) error {
			_, err := dynamoClient(t, url).ListTables(t.Context(), &dynamodb.ListTablesInput{})
			return err
		}, amazon, "ProvisionedThroughputExceededException", []string{"InternalServerError"}},
		"gcs": {func(t *testing.T, url string) error {
			_, err := gcsBucket(t, url).Object("o").Attrs(t.Context())
			return err
		}, func(err error) (string, bool) {
			var e *googleapi.Error
			if !errors.As(err, &e) || len(e.Errors) != 1 {
				return "", false
			}
			return e.Errors[0].Reason, storage.ShouldRetry(err)
		}, "rateLimitExceeded", []string{"backendError", "internalError"}},
		"azure-blob": {func(t *testing.T, url string) error {
			_, err := blobClient(t, url).NewBlobClient("b").GetProperties(t.Context(), nil)
			return err
		}, azure, "ServerBusy", []string{"InternalError", "OperationTimedOut"}},
		"azure-table": {func(t *testing.T, url string) error {
			_, err := tableClient(t, url).GetEntity(t.Context(), "p", "r", nil)
			return err
		}, azure, "ServerBusy", []string{"InternalError", "OperationTimedOut"}},
		byGRPC: {func(t *testing.T, url string) error {
			_, err := rawFirestore(t, strings.TrimPrefix(url, "http://")).Commit(t.Context(), &firestorepb.CommitRequest{Database: "d"},
				gax.WithRetry(func() gax.Retryer { return nil }))
			return err
		}, func(err error) (string, bool) { return status.Code(err).String(), true }, "Unavailable", []string{"Unavailable"}},
	} {
		t.Run(service, func(t *testing.T) {
			b := newBackend(t)
			for _, kind := range []Kind{Unavailable, Lied} {
				want := map[string]bool{}
				for _, code := range tt.others {
					want[code] = true
				}
				if kind == Unavailable {
					want[tt.throttled] = true
				}
				p := newProxy(t, b.URL, Options{Service: service, Odds: always(kind)})
				found := map[string]bool{}
				for range 20 {
					err := tt.call(t, p.URL())
					code, repeat := tt.code(err)
					if found[code] = true; !repeat {
						t.Errorf("%s: not repeated: %v", kind, err)
					}
				}
				if d := cmp.Diff(slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(found))); d != "" {
					t.Errorf("%s (-want +got):\n%s", kind, d)
				}
				if n := len(b.arrived(t, 0)); (kind == Unavailable) != (n == 0) {
					t.Errorf("%s: %d arrived", kind, n)
				}
			}
		})
	}
}

func putS3(t *testing.T, url string) error {
	_, err := s3Client(t, url).PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: aws.String(bucket), Key: aws.String("o"), Body: io.NewSectionReader(strings.NewReader(answer), 0, 2000),
	})
	return err
}
