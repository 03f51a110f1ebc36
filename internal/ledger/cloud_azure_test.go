package ledger

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/data/aztables"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"github.com/fileloft/fileloft/internal/azurehost"
	"github.com/fileloft/fileloft/internal/servers"
	"github.com/fileloft/fileloft/state/tablestate"
	"github.com/fileloft/fileloft/tus"
)

// azurite is one for all tests, in which each has a container and a table.
var azurite struct {
	once       sync.Once
	process    *servers.Process
	connection string
	err        error
	accounts   atomic.Int32
}

// An azure is a container and a table, and what they are reached by.
type azure struct{ connection, container, table string }

func newAzure(t *testing.T) *azure {
	t.Helper()
	if testing.Short() {
		t.Skip("real servers do not run under -short")
	}
	z := &azurite
	z.once.Do(func() { z.process, z.connection, z.err = servers.StartAzurite(context.WithoutCancel(t.Context())) })
	switch {
	case z.err != nil && os.Getenv("REQUIRE_EMULATORS") == "1":
		t.Fatal(z.err)
	case z.err != nil:
		t.Skipf("=== SKIPPED: %v ===", z.err)
	}
	n := z.accounts.Add(1)
	a := &azure{z.connection, fmt.Sprintf("uploads-%d", n), fmt.Sprintf("records%d", n)}
	blobs, err := container.NewClientFromConnectionString(a.connection, a.container, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := blobs.Create(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	tables, err := aztables.NewServiceClientFromConnectionString(a.connection, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := tablestate.CreateTable(t.Context(), tables.NewClient(a.table)); err != nil {
		t.Fatal(err)
	}
	return a
}

// endpoint matches the address of a service in a connection string.
var endpoint = regexp.MustCompile(`(Blob|Table)Endpoint=(http://[^/]+)`)

// behind returns a connection string that leads through a ledger's proxies.
func (a *azure) behind(t *testing.T, l *Ledger) string {
	t.Helper()
	return endpoint.ReplaceAllStringFunc(a.connection, func(was string) string {
		m := endpoint.FindStringSubmatch(was)
		serve := l.AzureBlobs
		if m[1] == "Table" {
			serve = l.AzureTables
		}
		h, err := serve(m[2])
		return strings.Replace(was, m[2], front(t, h, err).URL, 1)
	})
}

// memoryGB is what the Terraform module gives an instance.
const memoryGB = 2

// functionApp deploys the custom handler with the files that the package has beside it.
func (a *azure) functionApp(t *testing.T, l *Ledger, settings ...string) (app *azurehost.App, url string) {
	t.Helper()
	const source = "functions/azure"
	dir := t.TempDir()
	files, err := filepath.Glob(filepath.Join(root, source, "*", "function.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no function.json below %s: %v", source, err)
	}
	for _, from := range append(files, filepath.Join(root, source, "host.json")) {
		name, err := filepath.Rel(filepath.Join(root, source), from)
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(from)
		if err == nil {
			err = os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o750)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(program(t, source), filepath.Join(dir, "handler")); err != nil {
		t.Fatal(err)
	}
	log := &output{}
	app, err = azurehost.New(t.Context(), dir, &azurehost.Options{Log: log, Env: append([]string{
		"FILELOFT_AZURE_CONNECTION_STRING=" + a.behind(t, l), "FILELOFT_AZURE_CONTAINER=" + a.container, "FILELOFT_AZURE_TABLE=" + a.table,
		"FILELOFT_LOG_LEVEL=warn",
	}, settings...)})
	if err != nil {
		t.Fatalf("%v\n%s", err, log)
	}
	srv := httptest.NewServer(l.AzureFunctions(app, memoryGB))
	t.Cleanup(func() {
		srv.Close()
		app.Close()
		if t.Failed() {
			t.Logf("the handler's log:\n%s", log)
		}
	})
	return app, srv.URL + "/files/"
}

// tick has the timer run the sweeper.
func tick(t *testing.T, app *azurehost.App) (r tus.SweepReport) {
	t.Helper()
	result, err := app.Timer(t.Context(), "FileloftSweep")
	if err == nil {
		err = json.Unmarshal(result.ReturnValue, &r)
	}
	if err != nil {
		t.Fatal(err)
	}
	return r
}
