package awsbackend

import (
	"strings"
	"testing"

	"github.com/fileloft/fileloft/internal/app"
	"github.com/fileloft/fileloft/tus"
)

// alone takes away what the machine that runs the tests knows about AWS.
func alone(t *testing.T) {
	t.Helper()
	for _, name := range []string{"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"} {
		t.Setenv(name, "")
	}
	t.Setenv("AWS_CONFIG_FILE", t.TempDir()+"/none")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", t.TempDir()+"/none")
	t.Setenv("AWS_ACCESS_KEY_ID", "test")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "test")
}

func settings(t *testing.T, env ...string) app.Config {
	t.Helper()
	c, err := app.Load(env, map[string]string{"storage": "s3", "s3-bucket": "uploads"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestWithoutARegionOpeningSaysWhatToSet(t *testing.T) {
	alone(t)
	_, err := Storage(t.Context(), settings(t))
	if err == nil || !strings.Contains(err.Error(), "AWS_REGION") || !strings.Contains(err.Error(), "FILELOFT_S3_REGION") {
		t.Errorf("Storage: %v", err)
	}
	if _, err := State(t.Context(), settings(t)); err == nil || !strings.Contains(err.Error(), "AWS_REGION") {
		t.Errorf("State: %v", err)
	}
	if err := CreateState(t.Context(), settings(t)); err == nil || !strings.Contains(err.Error(), "AWS_REGION") {
		t.Errorf("CreateState: %v", err)
	}
}

// A signed link shows, without a request, where requests would go.
func TestTheSettingsReachTheClient(t *testing.T) {
	for _, tt := range []struct {
		name string
		env  []string
		want []string
	}{
		{"a region", []string{"FILELOFT_S3_REGION=eu-west-1"}, []string{"https://uploads.s3.eu-west-1.amazonaws.com/abc", "eu-west-1%2Fs3", "X-Amz-Expires=900"}},
		{
			"a store of one's own, without a region",
			[]string{"FILELOFT_S3_ENDPOINT=http://127.0.0.1:9000", "FILELOFT_S3_FORCE_PATH_STYLE=on", "FILELOFT_S3_PREFIX=up/", "FILELOFT_S3_LINK_TTL=60"},
			[]string{"http://127.0.0.1:9000/uploads/up/abc", "us-east-1%2Fs3", "X-Amz-Expires=60"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			alone(t)
			s, err := Storage(t.Context(), settings(t, tt.env...))
			if err != nil {
				t.Fatal(err)
			}
			link, err := s.Link(t.Context(), tus.Upload{ID: "abc", Birth: "b", Phase: tus.Done}, "", "")
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range tt.want {
				if !strings.Contains(link, want) {
					t.Errorf("%s does not contain %s", link, want)
				}
			}
		})
	}
}

func TestAnEndpointNeedsNoRegionForTheState(t *testing.T) {
	alone(t)
	if _, err := State(t.Context(), settings(t, "FILELOFT_DYNAMODB_ENDPOINT=http://127.0.0.1:1")); err != nil {
		t.Error(err)
	}
}
