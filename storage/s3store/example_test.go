package s3store_test

import (
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/fileloft/fileloft/storage/s3store"
)

func ExampleNew() {
	client := s3.New(s3.Options{Region: "eu-central-1"}) // mostly: config.LoadDefaultConfig and s3.NewFromConfig
	store, err := s3store.New(client, "my-uploads", &s3store.Options{Prefix: "incoming/", PartSize: 16 << 20})
	fmt.Println(store.Slots(1<<30), err)
	// Output: 65 <nil>
}
