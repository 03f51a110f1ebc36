package servers

import "testing"

// DynamoDB starts a server that speaks DynamoDB's protocol (dynoxide), empty and in memory, and returns its URL. It takes
// any credentials.
func DynamoDB(t testing.TB) string {
	t.Helper()
	addr := start(t, "tools/node_modules/@dynoxide/linux-x64/dynoxide", func(host, port string) []string {
		return []string{"serve", "--host", host, "--port", port}
	})
	return "http://" + addr
}
