package servers

import (
	"context"
	"testing"
)

const dynoxide = "tools/node_modules/@dynoxide/linux-x64/dynoxide"

func dynoxideArgs(host, port string) []string {
	return []string{"serve", "--host", host, "--port", port}
}

// DynamoDB starts a server that speaks DynamoDB's protocol (dynoxide), empty and in memory, and returns its URL. It takes
// any credentials.
func DynamoDB(t testing.TB) string {
	t.Helper()
	return "http://" + forTest(t, dynoxide, dynoxideArgs).Addr
}

// StartDynamoDB does the same for a program.
func StartDynamoDB(ctx context.Context) (*Process, error) {
	path, err := find(dynoxide)
	if err != nil {
		return nil, err
	}
	return start(ctx, path, dynoxideArgs)
}
