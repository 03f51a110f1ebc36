package tracing_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"cloud.google.com/go/storage"
	"google.golang.org/api/option"

	"github.com/fileloft/fileloft/storage/gcsstore"
	"github.com/fileloft/fileloft/storage/gcsstore/gcsfake"
)

// Google's client makes its spans itself, as long as it finds where to.
func TestGooglesClientTracesWithinOurSteps(t *testing.T) {
	c := newCollector(t)
	cloud := httptest.NewServer(gcsfake.New(nil, "b"))
	defer cloud.Close()
	client, err := storage.NewClient(t.Context(), option.WithEndpoint(cloud.URL+"/storage/v1/"), option.WithoutAuthentication())
	if err != nil {
		t.Fatal(err)
	}
	st, err := gcsstore.New(client, "b", nil)
	if err != nil {
		t.Fatal(err)
	}
	a, flush := traced(t, st, io.Discard)
	if w := send(a, http.MethodPatch, create(t, a, "10"), "hello", "Upload-Offset", "0"); w.Code != http.StatusNoContent {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	flush()
	steps := c.named("storage.append")
	if len(steps) != 1 {
		t.Fatalf("%v", steps)
	}
	var within []string
	for _, s := range c.spans {
		if bytes.Equal(s.GetTraceId(), steps[0].GetTraceId()) && !strings.HasPrefix(s.GetName(), "state.") {
			within = append(within, s.GetName())
		}
	}
	if len(within) < 3 { // the request, the step, and what the client says
		t.Errorf("the client's spans are not in the trace: %q", within)
	}
}
