// Package gcpbackend opens the stores that a Config names on Google Cloud, or on servers that speak the same. The functions link it
// without the other clouds' stores, the standalone server beside them.
//
// Opening sends no request of ours. Credentials are the application default ones: where the environment names none, the libraries
// ask the platform's metadata server. STORAGE_EMULATOR_HOST and FIRESTORE_EMULATOR_HOST lead to emulators, without credentials.
package gcpbackend

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"cloud.google.com/go/firestore"
	admin "cloud.google.com/go/firestore/apiv1/admin"
	"cloud.google.com/go/storage"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"

	"github.com/fileloft/fileloft/internal/app"
	"github.com/fileloft/fileloft/state/firestorestate"
	"github.com/fileloft/fileloft/storage/gcsstore"
)

// Storage opens the bucket.
func Storage(ctx context.Context, c app.Config) (*gcsstore.Store, error) {
	var opts []option.ClientOption
	if c.GCSEndpoint != "" {
		opts = append(opts, option.WithEndpoint(strings.TrimSuffix(c.GCSEndpoint, "/")+"/storage/v1/"), option.WithoutAuthentication())
	}
	client, err := storage.NewClient(ctx, opts...)
	if err != nil {
		return nil, fmt.Errorf("configure the client for Cloud Storage: %w", err)
	}
	return gcsstore.New(client, c.GCSBucket, &gcsstore.Options{
		Prefix: c.GCSPrefix, ChunkSize: c.GCSChunkSize, StorageClass: c.GCSStorageClass, LinkTTL: c.GCSLinkTTL,
		InsecureLinks: strings.HasPrefix(c.GCSEndpoint, "http://"),
	})
}

// keepAlive finds a dead connection, which is what a function has that was frozen for a while.
var keepAlive = keepalive.ClientParameters{Time: 30 * time.Second, Timeout: 5 * time.Second}

// State opens the collection.
func State(ctx context.Context, c app.Config) (*firestorestate.Store, error) {
	client, err := firestore.NewClientWithDatabase(ctx, cmp.Or(c.FirestoreProject, firestore.DetectProjectID), c.FirestoreDatabase,
		option.WithGRPCDialOption(grpc.WithKeepaliveParams(keepAlive)))
	if err != nil {
		return nil, fmt.Errorf("configure the client for Firestore: %w", err)
	}
	return firestorestate.New(client, c.FirestoreCollection, nil)
}

// CreateState declares the indexes and the time to live of the collection, in a database that is there, and says so. The client for this
// knows of no emulator and would reach Google: where the environment names one nothing is sent, as it needs neither.
func CreateState(ctx context.Context, env app.Env, c app.Config) (what string, err error) {
	if addr, ok := env.Lookup("FIRESTORE_EMULATOR_HOST"); ok {
		return "nothing: the Firestore emulator at " + addr + " needs no indexes", nil
	}
	if c.FirestoreProject == "" {
		return "", fmt.Errorf("%sFIRESTORE_PROJECT must name the project", app.Prefix)
	}
	client, err := admin.NewFirestoreAdminClient(ctx)
	if err != nil {
		return "", fmt.Errorf("configure the client for Firestore's administration: %w", err)
	}
	defer func() { _ = client.Close() }() // nothing is pending
	database := "projects/" + c.FirestoreProject + "/databases/" + c.FirestoreDatabase
	if err := firestorestate.CreateIndexes(ctx, client, database, c.FirestoreCollection); err != nil {
		return "", err
	}
	return "the indexes and the time to live of the collection " + c.FirestoreCollection, nil
}
