package prototest

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"github.com/fileloft/fileloft/internal/servers"
	"github.com/fileloft/fileloft/state/memstate"
	"github.com/fileloft/fileloft/storage/azurestore"
	"github.com/fileloft/fileloft/storage/s3store"
	"github.com/fileloft/fileloft/tus"
)

// rest are the rows that the functions' tests, which run the table over these stores, cannot run behind their platforms: there no
// hook can be set, nor the clock. With them those that go by the Rust fileloft's own tests.
var rest = []string{"E-", "E1", "H ", "EV", "CR8", "N3", "D "}

// TestS3 runs the table over a real S3 server.
func TestS3(t *testing.T) {
	srv := servers.S3(t)
	var n atomic.Int32
	Run(t, func(t testing.TB, opt tus.Options) *Server {
		storage, err := s3store.New(srv.Client(), srv.Bucket(t, fmt.Sprintf("table%d", n.Add(1))), nil)
		if err != nil {
			t.Fatal(err)
		}
		return serve(t, memstate.New(&memstate.Options{Now: opt.Now}), linkless{storage, storage, storage, storage}, opt)
	}, rest...)
}

// TestAzure runs the table over Azurite.
func TestAzure(t *testing.T) {
	connection := servers.Azurite(t)
	var n atomic.Int32
	Run(t, func(t testing.TB, opt tus.Options) *Server {
		client, err := container.NewClientFromConnectionString(connection, fmt.Sprintf("table%d", n.Add(1)), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.Create(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		storage, err := azurestore.New(client, nil)
		if err != nil {
			t.Fatal(err)
		}
		return serve(t, memstate.New(&memstate.Options{Now: opt.Now}), linkless{storage, storage, storage, storage}, opt)
	}, rest...)
}
