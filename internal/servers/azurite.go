package servers

import (
	"context"
	"fmt"
	"net"
	"testing"
)

const azurite = "tools/node_modules/.bin/azurite"

// Azurite has one account. Its name and its key are the same everywhere, and no secret.
const (
	azuriteAccount = "devstoreaccount1"
	azuriteKey     = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)

// Azurite starts Microsoft's emulator of Azure Storage, empty and in memory, and returns its connection string, by which
// azblob and aztables make their clients. It takes a second to start: tests had better share one, and have a container or a
// table each.
func Azurite(t testing.TB) string {
	t.Helper()
	path, err := find(azurite)
	if err != nil {
		missing(t, err)
	}
	s := azureServices{ctx: context.WithoutCancel(t.Context())}
	launchForTest(t, path, s.args)
	if s.err != nil {
		t.Fatal(s.err)
	}
	return s.connectionString()
}

// StartAzurite does the same for a program.
func StartAzurite(ctx context.Context) (p *Process, connectionString string, err error) {
	path, err := find(azurite)
	if err != nil {
		return nil, "", err
	}
	s := azureServices{ctx: ctx}
	if p, err = start(ctx, path, s.args); err != nil {
		return nil, "", err
	}
	if s.err != nil {
		p.Stop()
		return nil, "", s.err
	}
	return p, s.connectionString(), nil
}

// azureServices are the addresses of one Azurite's services.
type azureServices struct {
	ctx         context.Context
	blob, table string
	err         error
}

// args gives the awaited port to the table service, which is the last to listen. Nobody uses the queue service: it takes any.
func (s *azureServices) args(host, port string) []string {
	s.table = net.JoinHostPort(host, port)
	for s.blob = s.table; s.blob == s.table && s.err == nil; { // a port is free until somebody listens
		s.blob, s.err = freeAddr(s.ctx)
	}
	_, blobPort, _ := net.SplitHostPort(s.blob)
	return []string{
		"--silent", "--skipApiVersionCheck", "--disableTelemetry", "--inMemoryPersistence",
		"--blobHost", host, "--blobPort", blobPort, "--tableHost", host, "--tablePort", port, "--queueHost", host, "--queuePort", "0",
	}
}

func (s *azureServices) connectionString() string {
	return fmt.Sprintf("DefaultEndpointsProtocol=http;AccountName=%s;AccountKey=%s;BlobEndpoint=http://%[3]s/%[1]s;TableEndpoint=http://%[4]s/%[1]s;",
		azuriteAccount, azuriteKey, s.blob, s.table)
}
