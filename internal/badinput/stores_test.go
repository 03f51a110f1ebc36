package badinput

import (
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"

	"github.com/fileloft/fileloft/internal/servers"
	"github.com/fileloft/fileloft/storage/gcsstore/gcsfake"
)

// A cloud is a storage that is not the file system, as settings for a server. The records are kept in SQLite, where the test does
// not say otherwise.
type cloud struct {
	name     string
	settings func(t *testing.T) []string
}

var clouds = []cloud{
	{"s3", func(t *testing.T) []string { return onS3(servers.S3(t), t) }},
	{"gcs", func(t *testing.T) []string {
		fake, err := gcsfake.New(nil, "uploads").Listen(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(fake.Close)
		return onGCS(fake.URL)
	}},
	{"azure", func(t *testing.T) []string { return onAzure(t, servers.Azurite(t)) }},
}

func onS3(s3 *servers.S3Server, t *testing.T) []string {
	t.Helper()
	return []string{
		"FILELOFT_STORAGE=s3", "FILELOFT_STATE=sqlite", "FILELOFT_S3_BUCKET=" + s3.Bucket(t, "uploads"), "FILELOFT_S3_ENDPOINT=" + s3.URL,
		"FILELOFT_S3_REGION=us-east-1", "FILELOFT_S3_FORCE_PATH_STYLE=true",
		"AWS_ACCESS_KEY_ID=" + s3.Access, "AWS_SECRET_ACCESS_KEY=" + s3.Secret,
	}
}

func onGCS(url string) []string {
	return []string{"FILELOFT_STORAGE=gcs", "FILELOFT_STATE=sqlite", "FILELOFT_GCS_BUCKET=uploads", "FILELOFT_GCS_ENDPOINT=" + url}
}

func onAzure(t *testing.T, account string) []string {
	t.Helper()
	blobs, err := azblob.NewClientFromConnectionString(account, nil)
	if err == nil {
		_, err = blobs.CreateContainer(t.Context(), "uploads", nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	return []string{
		"FILELOFT_STORAGE=azure", "FILELOFT_STATE=sqlite", "FILELOFT_AZURE_CONTAINER=uploads", "FILELOFT_AZURE_CONNECTION_STRING=" + account,
	}
}

// replaced returns settings of which some have another value, and those that were not there.
func replaced(env []string, with ...string) []string {
	var list []string
	for _, e := range env {
		name, _, _ := strings.Cut(e, "=")
		keep := true
		for _, w := range with {
			keep = keep && !strings.HasPrefix(w, name+"=")
		}
		if keep {
			list = append(list, e)
		}
	}
	return append(list, with...)
}

// ready returns what the server says of itself.
func (s *server) ready() answer { return s.do("GET", "/readyz", nil) }
