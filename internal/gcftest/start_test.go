package gcftest

import (
	"net/http"
	"testing"
)

// BenchmarkStart is from the start of the process to its first answer, of a request that needs no cloud, over addresses where nobody
// answers.
func BenchmarkStart(b *testing.B) {
	if err := build(); err != nil {
		b.Fatal(err)
	}
	d := &deployment{env: []string{
		"FIRESTORE_EMULATOR_HOST=127.0.0.1:1", "FILELOFT_FIRESTORE_PROJECT=p", "FILELOFT_GCS_BUCKET=b", "FILELOFT_GCS_ENDPOINT=http://127.0.0.1:1",
	}}
	for b.Loop() {
		f := d.function(b, "Fileloft")
		req, err := http.NewRequestWithContext(b.Context(), http.MethodOptions, f.URL+"/files/", nil)
		if err != nil {
			b.Fatal(err)
		}
		resp, err := ownClient.Do(req)
		if err != nil || resp.StatusCode != http.StatusNoContent {
			b.Fatal(resp, err)
		}
		b.StopTimer()
		resp.Body.Close()
		f.kill()
		b.StartTimer()
	}
}
