package badinput

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fileloft/fileloft/internal/servers"
	"github.com/fileloft/fileloft/storage/gcsstore/gcsfake"
)

// What leads to a store is wrong. The server starts, as the store may only be late; it says in its log which settings to look at, is not
// ready, refuses with 5xx, and tells no secret, to nobody and not in its log.
//
// Not here: the server that stands for DynamoDB takes any credentials, and Firestore's emulator any project and database.
func TestWrongCredentials(t *testing.T) {
	notShort(t)
	t.Parallel()
	const secret = "c2VjcmV0LXRoYXQtbm9ib2R5LWlzLXRvLXNlZQ=="
	s3 := onS3(servers.S3(t), t)
	account := servers.Azurite(t)
	azure := onAzure(t, account)
	wrongKey := withKey(account, secret)
	fake, err := gcsfake.New(nil, "uploads").Listen(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fake.Close)
	dynamo := append(replaced(s3, "FILELOFT_STATE=dynamodb"), "FILELOFT_DYNAMODB_ENDPOINT="+servers.DynamoDB(t))
	for _, tt := range []struct {
		name    string
		env     []string
		failed  string   // what /readyz names
		lookAt  []string // in the log
		creates bool     // the records are all right: only bytes are refused
	}{
		{"S3, wrong secret", replaced(s3, "AWS_SECRET_ACCESS_KEY="+secret), "storage", []string{"FILELOFT_S3_BUCKET"}, true},
		{"S3, wrong key", replaced(s3, "AWS_ACCESS_KEY_ID=UNKNOWN"), "storage", []string{"FILELOFT_S3_BUCKET"}, true},
		{"S3, no such bucket", replaced(s3, "FILELOFT_S3_BUCKET=missing"), "storage", []string{"FILELOFT_S3_BUCKET"}, true},
		{"DynamoDB, no such table", replaced(dynamo, "FILELOFT_DYNAMODB_TABLE=missing"), "state", []string{"FILELOFT_DYNAMODB_TABLE"}, false},
		{"GCS, no such bucket", replaced(onGCS(fake.URL), "FILELOFT_GCS_BUCKET=missing"), "storage", []string{"FILELOFT_GCS_BUCKET"}, true},
		{"Azure, wrong key", replaced(azure, "FILELOFT_AZURE_CONNECTION_STRING="+wrongKey), "storage", []string{"FILELOFT_AZURE_CONNECTION_STRING"}, true},
		{"Azure, no such container", replaced(azure, "FILELOFT_AZURE_CONTAINER=missing"), "storage", []string{"FILELOFT_AZURE_CONTAINER"}, true},
		{"Azure, no such table", replaced(azure, "FILELOFT_STATE=table", "FILELOFT_AZURE_TABLE=missing"), "state", []string{"FILELOFT_AZURE_TABLE"}, false},
		{"Azure, wrong key for the table", replaced(azure, "FILELOFT_STATE=table", "FILELOFT_AZURE_CONNECTION_STRING="+wrongKey), "state", []string{"FILELOFT_AZURE_CONNECTION_STRING"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, setup{env: tt.env})
			var told strings.Builder
			note := func(a answer) answer { told.WriteString(a.body); return a }
			says(t, note(s.ready()), tt.failed, http.StatusServiceUnavailable)
			a := note(s.do(http.MethodPost, "/files/", nil, "Upload-Length", "10"))
			if tt.creates {
				says(t, a, "", http.StatusCreated)
				at := "/files/" + filepath.Base(a.header.Get("Location"))
				says(t, note(s.patch(at, 0, random(10))), "unavailable|internal", http.StatusServiceUnavailable, http.StatusInternalServerError)
				if got := s.offset(at); got != 0 {
					t.Errorf("offset %d", got)
				}
			} else {
				says(t, a, "unavailable|internal", http.StatusServiceUnavailable, http.StatusInternalServerError)
			}
			within(t, "the log names the settings", func() bool {
				log := s.log.tail(1 << 20)
				for _, l := range tt.lookAt {
					if !strings.Contains(log, "look at "+l) && !strings.Contains(log, ", "+l) {
						return false
					}
				}
				return true
			})
			s.lives()
			if all := told.String() + s.log.tail(1<<20); strings.Contains(all, secret) || strings.Contains(all, strings.TrimRight(secret, "=")) || strings.Contains(all, "testsecret") {
				t.Errorf("a secret is told: %s", all)
			}
		})
	}
}

// The credentials are withdrawn in the middle of an upload, which is told by 5xx and loses nothing; with the right ones it goes on.
func TestCredentialsAreWithdrawn(t *testing.T) {
	notShort(t)
	t.Parallel()
	right := onS3(servers.S3(t), t)
	keys := filepath.Join(t.TempDir(), "credentials")
	env := replaced(right, "AWS_ACCESS_KEY_ID=", "AWS_SECRET_ACCESS_KEY=")
	env = append(env[:len(env)-2], "AWS_SHARED_CREDENTIALS_FILE="+keys)
	save := func(secret string) {
		t.Helper()
		if err := os.WriteFile(keys, []byte("[default]\naws_access_key_id=test\naws_secret_access_key="+secret+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	data := random(6 << 20)
	save("testsecret")
	s := serve(t, setup{dir: dir, env: env})
	at := s.create(int64(len(data)))
	if a := s.patch(at, 0, data[:1000]); a.status != http.StatusNoContent {
		t.Fatal(a)
	}
	s.kill() // static credentials are read at the start
	save("withdrawn")
	s = serve(t, setup{dir: dir, env: env})
	says(t, s.patch(at, 1000, data[1000:2000]), "unavailable|internal", http.StatusServiceUnavailable, http.StatusInternalServerError)
	if got := s.offset(at); got != 1000 {
		t.Errorf("offset %d", got)
	}
	s.kill()
	save("testsecret")
	s = serve(t, setup{dir: dir, env: env})
	s.resume(at, data)
}

// withKey returns a connection string with another key.
func withKey(connection, key string) string {
	parts := strings.Split(connection, ";")
	for i, p := range parts {
		if strings.HasPrefix(p, "AccountKey=") {
			parts[i] = "AccountKey=" + key
		}
	}
	return strings.Join(parts, ";")
}
