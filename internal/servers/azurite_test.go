package servers

import (
	"net"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/data/aztables"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
)

func TestAzuriteServesBlobsAndTables(t *testing.T) {
	if testing.Short() {
		t.Skip("=== SKIPPED: the emulator takes a second to start ===")
	}
	conn := Azurite(t)
	blobs, err := azblob.NewClientFromConnectionString(conn, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := blobs.CreateContainer(t.Context(), "uploads", nil); err != nil {
		t.Fatal(err)
	}
	if _, err := blobs.UploadStream(t.Context(), "uploads", "a/b", strings.NewReader("hello"), nil); err != nil {
		t.Error(err)
	}
	tables, err := aztables.NewServiceClientFromConnectionString(conn, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tables.CreateTable(t.Context(), "uploads", nil); err != nil {
		t.Fatal(err)
	}
	if _, err := tables.NewClient("uploads").AddEntity(t.Context(), []byte(`{"PartitionKey":"a","RowKey":"b"}`), nil); err != nil {
		t.Error(err)
	}
}

func TestAzuriteForAProgramIsGoneAfterStop(t *testing.T) {
	if testing.Short() {
		t.Skip("=== SKIPPED: the emulator takes a second to start ===")
	}
	if _, err := find(azurite); err != nil {
		missing(t, err)
	}
	p, conn, err := StartAzurite(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(conn, p.Addr) {
		t.Errorf("the connection string %q does not name the table service at %s", conn, p.Addr)
	}
	p.Stop()
	if c, err := net.Dial("tcp", p.Addr); err == nil {
		c.Close()
		t.Error("the server outlived its stop")
	}
}
