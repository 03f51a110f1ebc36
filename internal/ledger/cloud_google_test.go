package ledger

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"cloud.google.com/go/firestore"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/fileloft/fileloft/internal/servers"
	"github.com/fileloft/fileloft/storage/gcsstore/gcsfake"
	"github.com/fileloft/fileloft/tus"
)

// gcf is the program of Google's functions.
const gcf = "functions/gcf/cmd/fileloft-gcf"

// emulator is Firestore's, which takes some seconds to start: one for all, in which each test has a project.
var emulator struct {
	once     sync.Once
	process  *servers.Process
	err      error
	projects atomic.Int32
}

// A google is a project of Firestore and a Cloud Storage with a bucket.
type google struct {
	project string
	addr    string // of Firestore
	fake    *gcsfake.Server
	gcs     string // URL
}

// newGoogle starts what stands for Google's stores.
func newGoogle(t *testing.T, o gcsfake.Options) *google {
	t.Helper()
	if testing.Short() {
		t.Skip("real servers do not run under -short")
	}
	e := &emulator
	e.once.Do(func() { e.process, e.err = servers.StartFirestore(context.WithoutCancel(t.Context())) })
	switch {
	case e.err != nil && os.Getenv("REQUIRE_EMULATORS") == "1":
		t.Fatal(e.err)
	case e.err != nil:
		t.Skipf("=== SKIPPED: %v ===", e.err)
	}
	fake := gcsfake.New(&o, bucket)
	l, err := fake.Listen(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	g := &google{project: fmt.Sprintf("project-%d", e.projects.Add(1)), addr: e.process.Addr, fake: fake, gcs: l.URL}
	// The emulator's first writes may take so long that the driver would repeat them.
	warm := g.database(t).Collection("warm")
	for range 3 {
		doc, _, err := warm.Add(t.Context(), map[string]any{"n": 1})
		if err == nil {
			_, err = doc.Get(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return g
}

// database returns a client that no ledger sees.
func (g *google) database(t *testing.T) *firestore.Client {
	t.Helper()
	client, err := firestore.NewClient(t.Context(), g.project, option.WithEndpoint(g.addr), option.WithoutAuthentication(),
		option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// A function is the program of Google's function, the stores behind a ledger's proxies, and itself behind one.
type function struct {
	*process
	URL string // of what meters it
}

// memoryGiB is what the Terraform module gives an instance.
const memoryGiB = 1

// function runs the program with a target: "Fileloft" or "FileloftSweep".
func (g *google) function(t *testing.T, l *Ledger, target string, settings ...string) *function {
	t.Helper()
	store, err := l.GCS(g.gcs)
	gcs := front(t, store, err)
	records, err := l.Firestore(g.addr)
	db := front(t, records, err)
	p := run(t, program(t, gcf), append([]string{
		"FUNCTION_TARGET=" + target, "FILELOFT_GCS_BUCKET=" + bucket, "FILELOFT_GCS_ENDPOINT=" + gcs.URL,
		"FIRESTORE_EMULATOR_HOST=" + strings.TrimPrefix(db.URL, "http://"), "FILELOFT_FIRESTORE_PROJECT=" + g.project,
		"FILELOFT_LOG_LEVEL=warn",
	}, settings...)...)
	metered, err := l.CloudRun("http://"+p.addr, memoryGiB)
	return &function{p, front(t, metered, err).URL}
}

// sweep asks for a sweep as Cloud Scheduler does.
func (f *function) sweep(t *testing.T) (r tus.SweepReport) {
	t.Helper()
	resp := send(t, http.MethodPost, f.URL+"/", nil)
	want(t, resp, http.StatusOK)
	if err := json.NewDecoder(resp.Body).Decode(&r); err != nil {
		t.Fatal(err)
	}
	return r
}
