package azurestore_test

import (
	"fmt"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"github.com/fileloft/fileloft/storage/azurestore"
)

func ExampleNew() {
	// Mostly: container.NewClient with a credential of azidentity, and a NewDelegationSigner for links.
	client, err := container.NewClientWithNoCredential("https://myaccount.blob.core.windows.net/uploads", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	store, err := azurestore.New(client, &azurestore.Options{Prefix: "incoming/", BlockSize: 16 << 20, AccessTier: "Cool"})
	fmt.Println(store.Slots(1<<20), err)
	// Output: 6 <nil>
}
