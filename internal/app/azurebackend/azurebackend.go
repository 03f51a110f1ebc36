// Package azurebackend opens the stores that a Config names on Azure Storage, or on Azurite. The function links it without the other
// clouds' stores, the standalone server beside them.
//
// Opening sends nothing. A connection string goes first; without one the account is asked with Azure's default credential, which looks at the
// environment, then for a managed identity, then for tools that are logged in, at the first request.
package azurebackend

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/data/aztables"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"

	"github.com/fileloft/fileloft/internal/app"
	"github.com/fileloft/fileloft/internal/watch"
	"github.com/fileloft/fileloft/state/tablestate"
	"github.com/fileloft/fileloft/storage/azurestore"
)

// Storage opens the container.
func Storage(c app.Config) (*azurestore.Store, error) {
	opt := &azurestore.Options{
		Prefix: c.AzurePrefix, BlockSize: c.AzureBlockSize, AccessTier: c.AzureAccessTier, LinkTTL: c.AzureLinkTTL,
		Parallel: int(c.AzureParallel), Memory: c.AzureMemory,
	}
	options := clientOptions("azure-blobs")
	if c.AzureConnectionString != "" {
		client, err := container.NewClientFromConnectionString(c.AzureConnectionString, c.AzureContainer, &container.ClientOptions{ClientOptions: options})
		if err != nil {
			return nil, unread(err)
		}
		if opt.Signer, err = keySigner(c.AzureConnectionString); err != nil {
			return nil, unread(err)
		}
		return azurestore.New(client, opt)
	}
	cred, err := credential()
	if err != nil {
		return nil, err
	}
	account := "https://" + c.AzureAccount + ".blob.core.windows.net/"
	client, err := container.NewClient(account+c.AzureContainer, cred, &container.ClientOptions{ClientOptions: options})
	if err != nil {
		return nil, fmt.Errorf("configure the client for blobs: %w", err)
	}
	keys, err := service.NewClient(account, cred, &service.ClientOptions{ClientOptions: options})
	if err != nil {
		return nil, fmt.Errorf("configure the client for delegated keys: %w", err)
	}
	opt.Signer = azurestore.NewDelegationSigner(keys)
	return azurestore.New(client, opt)
}

// keySigner signs with the key of a connection string, such that links can name the headers to answer with. One that has a signature in
// place of a key signs nothing.
func keySigner(connection string) (azurestore.Signer, error) {
	part := map[string]string{}
	for pair := range strings.SplitSeq(connection, ";") {
		k, v, _ := strings.Cut(pair, "=")
		part[strings.TrimSpace(k)] = v
	}
	if part["AccountName"] == "" || part["AccountKey"] == "" {
		return nil, nil
	}
	return azurestore.NewKeySigner(part["AccountName"], part["AccountKey"])
}

// State opens the table.
func State(c app.Config) (*tablestate.Store, error) {
	client, err := table(c)
	if err != nil {
		return nil, err
	}
	return tablestate.New(client, nil)
}

// CreateState makes the table, where it is not there yet.
func CreateState(ctx context.Context, c app.Config) error {
	client, err := table(c)
	if err != nil {
		return err
	}
	return tablestate.CreateTable(ctx, client)
}

func table(c app.Config) (*aztables.Client, error) {
	opt := &aztables.ClientOptions{ClientOptions: clientOptions("azure-table")}
	if c.AzureConnectionString != "" {
		service, err := aztables.NewServiceClientFromConnectionString(c.AzureConnectionString, opt)
		if err != nil {
			return nil, unread(err)
		}
		return service.NewClient(c.AzureTable), nil
	}
	cred, err := credential()
	if err != nil {
		return nil, err
	}
	client, err := aztables.NewClient("https://"+c.AzureAccount+".table.core.windows.net/"+c.AzureTable, cred, opt)
	if err != nil {
		return nil, fmt.Errorf("configure the client for the table: %w", err)
	}
	return client, nil
}

func credential() (azcore.TokenCredential, error) {
	cred, err := azidentity.NewDefaultAzureCredential(nil)
	if err != nil {
		return nil, fmt.Errorf("configure Azure's credential: %w", err)
	}
	return cred, nil
}

// unread says that the connection string is none, without a part of it, which may be a secret.
func unread(error) error {
	return fmt.Errorf("%sAZURE_CONNECTION_STRING is not understood: want what the portal shows under access keys", app.Prefix)
}

// idleConnections is how many connections to one host are kept for later. The SDK's 10 would make a server with some dozens of writers open a
// new one for every second request.
const idleConnections = 256

func clientOptions(service string) azcore.ClientOptions {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost, t.MaxIdleConns = idleConnections, 2*idleConnections
	return azcore.ClientOptions{Transport: watch.Client(service, &http.Client{Transport: t})}
}
