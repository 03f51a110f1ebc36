package azurestore

import (
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"github.com/fileloft/fileloft/internal/servers"
)

// azurite is shared by all tests: each has a container of its own.
var azurite struct {
	once       sync.Once
	process    *servers.Process
	connection string
	containers atomic.Int32
}

func TestMain(m *testing.M) {
	code := m.Run()
	if azurite.process != nil {
		azurite.process.Stop()
	}
	os.Exit(code)
}

// connection returns what clients are made with.
func connection(t testing.TB) string {
	t.Helper()
	if testing.Short() {
		t.Skip("skipped: a real server does not run under -short")
	}
	azurite.once.Do(func() {
		if p, conn, err := servers.StartAzurite(context.Background()); err == nil {
			azurite.process, azurite.connection = p, conn
		}
	})
	if azurite.process == nil {
		return servers.Azurite(t) // it says why
	}
	return azurite.connection
}

// onAzurite returns a Store in a container of its own, with the wire between it and the server, that repeats requests without long
// pauses and has blocks of 1,000 bytes unless the options name a size.
func onAzurite(t testing.TB, o Options) (*Store, *wire) {
	t.Helper()
	conn, w := connection(t), &wire{}
	name := fmt.Sprintf("test-%d", azurite.containers.Add(1))
	client, err := container.NewClientFromConnectionString(conn, name, &container.ClientOptions{
		ClientOptions: azcore.ClientOptions{Transport: w},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Create(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	s := storeOn(t, client, o)
	w.take()
	return s, w
}

func storeOn(t testing.TB, client *container.Client, o Options) *Store {
	t.Helper()
	s, err := New(client, &o)
	if err != nil {
		t.Fatal(err)
	}
	if o.BlockSize == 0 {
		s.block = 1000
	}
	s.retry.RetryDelay, s.retry.MaxRetryDelay = time.Millisecond, 2*time.Millisecond
	s.look, s.wait = time.Millisecond, time.Millisecond
	return s
}

// elsewhere is a client of another container.
func elsewhere(t testing.TB, w *wire, name string) *container.Client {
	t.Helper()
	c, err := container.NewClientFromConnectionString(connection(t), name, &container.ClientOptions{
		ClientOptions: azcore.ClientOptions{Transport: w},
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}
