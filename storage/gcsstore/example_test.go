package gcsstore_test

import (
	"context"
	"fmt"

	"cloud.google.com/go/storage"
	"google.golang.org/api/option"

	"github.com/fileloft/fileloft/storage/gcsstore"
)

func ExampleNew() {
	client, err := storage.NewClient(context.Background(), option.WithoutAuthentication()) // mostly: without options
	if err != nil {
		fmt.Println(err)
		return
	}
	store, err := gcsstore.New(client, "my-uploads", &gcsstore.Options{Prefix: "incoming/", ChunkSize: 16 << 20})
	fmt.Println(store.Slots(1<<30), err)
	// Output: 0 <nil>
}
