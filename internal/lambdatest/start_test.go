package lambdatest

import (
	"encoding/json"
	"testing"

	"github.com/fileloft/fileloft/internal/lambdagate"
)

// BenchmarkStart is from the start of the process to its first answer over the Runtime API, of a request that needs no AWS.
func BenchmarkStart(b *testing.B) {
	if err := buildFunction(); err != nil {
		b.Fatal(err)
	}
	event := []byte(`{"version":"2.0","rawPath":"/files/","headers":{},"requestContext":{"domainName":"x.execute-api.us-east-1.amazonaws.com",
"stage":"$default","http":{"method":"OPTIONS","path":"/files/"}}}`)
	for b.Loop() {
		f := lambdagate.New(bootstrap(), &lambdagate.Options{Env: []string{"FILELOFT_S3_BUCKET=b", "AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=b"}})
		out, err := f.Invoke(b.Context(), event)
		b.StopTimer()
		var a struct{ StatusCode int }
		if err != nil || json.Unmarshal(out, &a) != nil || a.StatusCode != 204 {
			b.Fatal(string(out), err)
		}
		f.Close()
		b.StartTimer()
	}
}
