package dynamostate_test

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/fileloft/fileloft/state/dynamostate"
	"github.com/fileloft/fileloft/tus"
)

func ExampleNew() {
	ctx := context.Background()
	client := dynamodb.New(dynamodb.Options{ // or NewFromConfig, with what the environment says
		Region:       "eu-central-1",
		BaseEndpoint: aws.String("http://127.0.0.1:8000"), // a local server
		Credentials:  credentials.NewStaticCredentialsProvider("any", "any", ""),
	})
	if err := dynamostate.CreateTable(ctx, client, "uploads"); err != nil { // in production the template has made it
		fmt.Println(err)
		return
	}
	st := dynamostate.New(client, "uploads", nil)

	u := tus.Upload{ID: tus.NewID(), Length: 3}
	if _, err := st.Create(ctx, u, tus.Claim{Nonce: tus.NewNonce()}); err != nil {
		fmt.Println(err)
		return
	}
	u, err := st.Load(ctx, u.ID)
	fmt.Println(u.Offset, "of", u.Length, err)
}
