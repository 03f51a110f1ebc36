//go:build backend_s3 || !(backend_fs || backend_gcs || backend_azure)

package backend

import (
	"context"

	"github.com/fileloft/fileloft/internal/app"
	"github.com/fileloft/fileloft/internal/app/awsbackend"
	"github.com/fileloft/fileloft/tus"
)

func init() {
	register(cloud{
		storageName: "s3", stateName: "dynamodb",
		storage: func(ctx context.Context, c app.Config) (tus.Storage, error) { return awsbackend.Storage(ctx, c) },
		state:   func(ctx context.Context, c app.Config) (tus.State, error) { return awsbackend.State(ctx, c) },
		create: func(ctx context.Context, _ app.Env, c app.Config) (string, error) {
			return "the table " + c.DynamoDBTable + " with its index and its time to live", awsbackend.CreateState(ctx, c)
		},
	})
}
