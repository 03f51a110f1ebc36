package tablestate_test

import (
	"context"
	"fmt"

	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/data/aztables"

	"github.com/fileloft/fileloft/state/tablestate"
	"github.com/fileloft/fileloft/tus"
)

func ExampleNew() {
	ctx := context.Background()
	cred, err := azidentity.NewDefaultAzureCredential(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	client, err := aztables.NewClient("https://myaccount.table.core.windows.net/fileloft", cred, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := tablestate.CreateTable(ctx, client); err != nil {
		fmt.Println(err)
		return
	}
	st, err := tablestate.New(client, nil)
	if err != nil {
		fmt.Println(err)
		return
	}

	u := tus.Upload{ID: tus.NewID(), Length: 3}
	if _, err := st.Create(ctx, u, tus.Claim{Nonce: tus.NewNonce()}); err != nil {
		fmt.Println(err)
		return
	}
	u, err = st.Load(ctx, u.ID)
	fmt.Println(u.Offset, "of", u.Length, err)
}
