//go:build backend_gcs || !(backend_fs || backend_s3 || backend_azure)

package backend

import (
	"context"

	"github.com/fileloft/fileloft/internal/app"
	"github.com/fileloft/fileloft/internal/app/gcpbackend"
	"github.com/fileloft/fileloft/tus"
)

func init() {
	register(cloud{
		storageName: "gcs", stateName: "firestore",
		storage: func(ctx context.Context, c app.Config) (tus.Storage, error) { return gcpbackend.Storage(ctx, c) },
		state:   func(ctx context.Context, c app.Config) (tus.State, error) { return gcpbackend.State(ctx, c) },
		create:  gcpbackend.CreateState,
	})
}
