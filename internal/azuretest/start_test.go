package azuretest

import (
	"net/http"
	"testing"

	"github.com/fileloft/fileloft/internal/azurehost"
)

// BenchmarkStart is from the start of the process to its first answer, of a request that needs no cloud, over addresses where nobody
// answers. It has up to 25 ms in it in which the host does not ask.
func BenchmarkStart(b *testing.B) {
	if err := build(); err != nil {
		b.Fatal(err)
	}
	d := &deployment{env: []string{
		"FILELOFT_AZURE_CONTAINER=uploads", "FILELOFT_AZURE_CONNECTION_STRING=DefaultEndpointsProtocol=http;AccountName=acc;AccountKey=a2V5;" +
			"BlobEndpoint=http://127.0.0.1:1/acc;TableEndpoint=http://127.0.0.1:1/acc;",
	}}
	for b.Loop() {
		a, url := d.app(b, azurehost.Options{})
		req, err := http.NewRequestWithContext(b.Context(), http.MethodOptions, url, nil)
		if err != nil {
			b.Fatal(err)
		}
		resp, err := ownClient.Do(req)
		if err != nil || resp.StatusCode != http.StatusNoContent {
			b.Fatal(resp, err)
		}
		b.StopTimer()
		resp.Body.Close()
		a.Close()
		b.StartTimer()
	}
}
