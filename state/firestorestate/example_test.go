package firestorestate_test

import (
	"context"
	"fmt"
	"time"

	"cloud.google.com/go/firestore"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"

	"github.com/fileloft/fileloft/state/firestorestate"
	"github.com/fileloft/fileloft/tus"
)

func ExampleNew() {
	ctx := context.Background()
	// With FIRESTORE_EMULATOR_HOST in the environment this is a client of an emulator.
	client, err := firestore.NewClient(ctx, "my-project", option.WithGRPCDialOption(
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 30 * time.Second, Timeout: 5 * time.Second})))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	st, err := firestorestate.New(client, "fileloft", nil)
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
