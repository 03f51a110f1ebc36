//go:build backend_azure || !(backend_fs || backend_s3 || backend_gcs)

package backend

import (
	"context"

	"github.com/fileloft/fileloft/internal/app"
	"github.com/fileloft/fileloft/internal/app/azurebackend"
	"github.com/fileloft/fileloft/tus"
)

func init() {
	register(cloud{
		storageName: "azure", stateName: "table",
		storage: func(_ context.Context, c app.Config) (tus.Storage, error) { return azurebackend.Storage(c) },
		state:   func(_ context.Context, c app.Config) (tus.State, error) { return azurebackend.State(c) },
		create: func(ctx context.Context, _ app.Env, c app.Config) (string, error) {
			return "the table " + c.AzureTable, azurebackend.CreateState(ctx, c)
		},
	})
}
