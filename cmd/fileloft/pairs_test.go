package main

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"

	"github.com/fileloft/fileloft/internal/servers"
	"github.com/fileloft/fileloft/storage/gcsstore/gcsfake"
)

// A store is a storage or a state by the name of its setting. Settings starts what it needs, once for the whole test, and returns what
// tells the binary of it; name is one that no other pair has.
type store struct {
	name     string
	settings func(t *testing.T, azurite func() string) func(name string) []string
}

var storages = []store{
	{"fs", func(*testing.T, func() string) func(string) []string {
		return func(string) []string { return []string{"FILELOFT_STORAGE=fs"} }
	}},
	{"s3", func(t *testing.T, _ func() string) func(string) []string {
		s3 := servers.S3(t)
		bucket := s3.Bucket(t, "uploads")
		return func(name string) []string {
			return []string{
				"FILELOFT_STORAGE=s3", "FILELOFT_S3_BUCKET=" + bucket, "FILELOFT_S3_PREFIX=" + name + "/", "FILELOFT_S3_ENDPOINT=" + s3.URL,
				"FILELOFT_S3_REGION=us-east-1", "FILELOFT_S3_FORCE_PATH_STYLE=true", "FILELOFT_S3_PART_SIZE=5MiB",
				"AWS_ACCESS_KEY_ID=" + s3.Access, "AWS_SECRET_ACCESS_KEY=" + s3.Secret,
				"AWS_REGION=eu-north-9", // the server takes no other region than ours
			}
		}
	}},
	{"gcs", func(t *testing.T, _ func() string) func(string) []string {
		fake, err := gcsfake.New(nil, "uploads").Listen(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(fake.Close)
		return func(name string) []string {
			return []string{"FILELOFT_STORAGE=gcs", "FILELOFT_GCS_BUCKET=uploads", "FILELOFT_GCS_PREFIX=" + name + "/", "FILELOFT_GCS_ENDPOINT=" + fake.URL}
		}
	}},
	{"azure", func(t *testing.T, azurite func() string) func(string) []string {
		account := azurite()
		blobs, err := azblob.NewClientFromConnectionString(account, nil)
		if err == nil {
			_, err = blobs.CreateContainer(t.Context(), "uploads", nil)
		}
		if err != nil {
			t.Fatal(err)
		}
		return func(name string) []string {
			return []string{
				"FILELOFT_STORAGE=azure", "FILELOFT_AZURE_CONTAINER=uploads", "FILELOFT_AZURE_PREFIX=" + name + "/",
				"FILELOFT_AZURE_CONNECTION_STRING=" + account,
			}
		}
	}},
}

var states = []store{
	{"sqlite", func(*testing.T, func() string) func(string) []string {
		return func(string) []string { return []string{"FILELOFT_STATE=sqlite"} }
	}},
	{"dynamodb", func(t *testing.T, _ func() string) func(string) []string {
		endpoint := servers.DynamoDB(t)
		return func(name string) []string {
			return []string{
				"FILELOFT_STATE=dynamodb", "FILELOFT_DYNAMODB_TABLE=" + name, "FILELOFT_DYNAMODB_ENDPOINT=" + endpoint,
				"AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=testsecret", // as the S3 server wants them, which shares the variables
			}
		}
	}},
	{"firestore", func(t *testing.T, _ func() string) func(string) []string {
		addr := servers.Firestore(t)
		return func(name string) []string {
			return []string{
				"FILELOFT_STATE=firestore", "FILELOFT_FIRESTORE_PROJECT=p", "FILELOFT_FIRESTORE_COLLECTION=" + name, "FIRESTORE_EMULATOR_HOST=" + addr,
			}
		}
	}},
	{"table", func(_ *testing.T, azurite func() string) func(string) []string {
		account := azurite()
		return func(name string) []string {
			return []string{
				"FILELOFT_STATE=table", "FILELOFT_AZURE_TABLE=" + strings.ReplaceAll(name, "-", ""), "AZURE_STORAGE_CONNECTION_STRING=" + account,
			}
		}
	}},
	{"memory", func(*testing.T, func() string) func(string) []string {
		return func(string) []string { return []string{"FILELOFT_STATE=memory"} }
	}},
}

// Any storage goes with any state. An upload is cut by SIGKILL in the middle of a body, and another process takes the rest.
func TestEveryPairOfStorageAndState(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes real servers")
	}
	settings := map[string]func(string) []string{}
	azurite := sync.OnceValue(func() string { return servers.Azurite(t) }) // one account for both
	for _, s := range slices.Concat(storages, states) {
		settings[s.name] = s.settings(t, azurite)
	}
	for _, storage := range storages {
		for _, state := range states {
			t.Run(storage.name+"+"+state.name, func(t *testing.T) {
				t.Parallel()
				name := storage.name + "-" + state.name
				env := append(settings[storage.name](name), settings[state.name](name)...)
				env = append(env, "FILELOFT_DATA_DIR="+t.TempDir(), "FILELOFT_LEASE_TTL=1s", "FILELOFT_CHECKPOINT_INTERVAL=1s", "FILELOFT_ENABLE_DOWNLOAD=on")
				if r := run1(t, env, "state", "init"); r.status != 0 {
					t.Fatalf("state init: %+v", r)
				}
				killedInMidUpload(t, env, state.name != "memory")
			})
		}
	}
}

func killedInMidUpload(t *testing.T, env []string, survives bool) {
	data := randomBytes(13_000_000)
	s := serve(t, command(t, env))
	within(t, func() bool { // the first question to Firestore's emulator takes some seconds
		return s.request(http.MethodGet, "/readyz", nil).StatusCode == http.StatusOK
	})
	s.client = clientWith(t, 1, nil)
	path := create(t, s, len(data))
	f := s.patchSlowly(path, len(data), data[:7_000_000])
	within(t, func() bool { return s.offset(path) > 0 })
	seen := s.offset(path)
	s.kill()
	_ = f.rest.Close() // the client gives up only then
	if resp := <-f.answer; resp != nil {
		t.Fatalf("the upload was not cut: %s", resp.Status)
	}
	s = serve(t, command(t, env))
	if !survives {
		if resp := s.request(http.MethodHead, path, nil); resp.StatusCode != http.StatusNotFound {
			t.Errorf("a state in memory remembers: %s", resp.Status)
		}
		if resp := s.request(http.MethodHead, create(t, s, 1), nil); resp.StatusCode != http.StatusOK {
			t.Errorf("a new upload: %s", resp.Status)
		}
		return
	}
	if after := s.offset(path); after < seen || after > 7_000_000 {
		t.Fatalf("HEAD showed %d before the kill and %d after it; 7000000 were sent", seen, after)
	}
	s.resume(path, data)
	if status := s.stop(); status != 0 {
		t.Errorf("exit status %d", status)
	}
	for _, line := range s.log {
		if line["level"] == "ERROR" || strings.HasPrefix(line["msg"].(string), "panic") {
			t.Errorf("in the log: %v", line)
		}
	}
}

// within waits for something to come true, with much room for a slow machine.
func within(t *testing.T, is func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !is(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it does not come true within a minute")
		}
	}
}
