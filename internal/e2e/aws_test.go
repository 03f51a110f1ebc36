package e2e

import (
	"net/http"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/fileloft/fileloft/internal/clients"
	"github.com/fileloft/fileloft/internal/servers"
)

// onAWS starts a server over an S3 server and a DynamoDB server, whose table the binary itself has made.
func onAWS(t *testing.T) *server {
	t.Helper()
	s3 := servers.S3(t)
	env := []string{
		"FILELOFT_STORAGE=s3", "FILELOFT_S3_BUCKET=" + s3.Bucket(t, "uploads"), "FILELOFT_S3_ENDPOINT=" + s3.URL,
		"FILELOFT_S3_FORCE_PATH_STYLE=true", "FILELOFT_DYNAMODB_ENDPOINT=" + servers.DynamoDB(t),
		"AWS_ACCESS_KEY_ID=" + s3.Access, "AWS_SECRET_ACCESS_KEY=" + s3.Secret,
	}
	if err := buildServer(); err != nil {
		t.Fatal(err)
	}
	for range 2 { // it can be repeated
		cmd := exec.Command(filepath.Join(bin, "fileloft"), "state", "init")
		cmd.Env = append(cleanEnv(), env...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("state init: %v\n%s", err, out)
		}
	}
	return serve(t, t.TempDir(), env...)
}

// TestKilledOnAWS is TestKilled over S3 and DynamoDB. What the store holds is read through the signed link of a download.
func TestKilledOnAWS(t *testing.T) {
	notShort(t)
	for _, c := range everyClient {
		switch c.Name {
		case "tus-js-client", "tus-js-client in chunks", "tus-js-client in parallel", "tusgo with checksums":
		default:
			if !long {
				continue
			}
		}
		t.Run(c.Name, func(t *testing.T) {
			servers.Require(t, c.Name, c.Lacks())
			t.Parallel()
			url := uploadKilled(t, onAWS(t), c, mid)
			if got, want := download(t, url), digest(t, source(t, mid)); got != want {
				t.Errorf("the object is not the source: %s, want %s", got, want)
			}
		})
	}
}

// download reads an upload as a browser would, and returns its digest.
func download(t *testing.T, url string) string {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK || resp.Request.URL.String() == url {
		t.Fatalf("GET: %s from %s, want a redirect to the store and its 200", resp.Status, resp.Request.URL)
	}
	d, err := clients.Digest(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
