package azurebackend

import (
	"strings"
	"testing"

	"github.com/fileloft/fileloft/internal/app"
)

const readable = "DefaultEndpointsProtocol=http;AccountName=acc;AccountKey=a2V5;BlobEndpoint=http://127.0.0.1:1/acc;TableEndpoint=http://127.0.0.1:1/acc;"

// Nobody answers at these addresses: opening asks nobody.
func TestOpening(t *testing.T) {
	for _, tt := range []struct {
		name    string
		setting string
		want    string // in the error; "": it opens
	}{
		{"a connection string", "FILELOFT_AZURE_CONNECTION_STRING=" + readable, ""},
		{"the other name of one", "AZURE_STORAGE_CONNECTION_STRING=" + readable, ""},
		{"an account and an identity", "FILELOFT_AZURE_ACCOUNT=acc", ""},
		{"a connection string that is none", "FILELOFT_AZURE_CONNECTION_STRING=AccountName=acc;AccountKey=hunter2;", "FILELOFT_AZURE_CONNECTION_STRING is not understood"},
		{"a key that is none", "FILELOFT_AZURE_CONNECTION_STRING=" + strings.Replace(readable, "a2V5", "hunter2!", 1), "is not understood"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := app.Load(app.Env{"FILELOFT_STORAGE=azure", "FILELOFT_AZURE_CONTAINER=ups", tt.setting}, nil)
			if err != nil {
				t.Fatal(err)
			}
			_, errBlobs := Storage(c)
			_, errTable := State(c)
			for _, err := range []error{errBlobs, errTable} {
				switch {
				case tt.want == "" && err != nil:
					t.Error(err)
				case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "hunter2")):
					t.Errorf("%v", err)
				}
			}
		})
	}
}
