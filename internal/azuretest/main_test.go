package azuretest

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/data/aztables"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"github.com/fileloft/fileloft/internal/azurehost"
	"github.com/fileloft/fileloft/internal/clients"
	"github.com/fileloft/fileloft/internal/servers"
	"github.com/fileloft/fileloft/state/tablestate"
)

var (
	root = filepath.Join("..", "..")
	tmp  string // of the whole run: the package, the clients, the sources
)

// ownClient asks whatever needs no client of a special kind.
var ownClient = servers.NewClient(time.Minute)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "fileloft-azure-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	tmp, everyClient = dir, clients.All(dir, chunk)
	defer func() { _ = os.RemoveAll(dir) }()
	defer func() {
		if shared.azurite != nil {
			shared.azurite.Stop()
		}
	}()
	return m.Run()
}

// A cloud is what all function apps share: one Azurite, in which each deployment has a container and a table.
type cloud struct {
	once       sync.Once
	err        error
	azurite    *servers.Process
	connection string
	names      atomic.Int32
}

var shared cloud

// inCloud starts the server and builds the package, once, or skips t for want of them.
func inCloud(t testing.TB) *cloud {
	t.Helper()
	if testing.Short() {
		t.Skip("tests of the whole path through the function app do not run under -short")
	}
	c := &shared
	c.once.Do(func() { c.azurite, c.connection, c.err = servers.StartAzurite(context.Background()) })
	servers.Require(t, "a server", c.err)
	if err := build(); err != nil {
		t.Fatal(err)
	}
	return c
}

// build makes the zip as make package does, and unpacks it.
var build = sync.OnceValue(func() error {
	file, program := filepath.Join(tmp, "azure.zip"), filepath.Join(tmp, "program")
	for _, args := range [][]string{
		{"build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", program, "./functions/azure"},
		{"run", "./internal/azurezip", file, program, filepath.Join("functions", "azure")},
	} {
		cmd := exec.Command("go", append([]string{"-C", root}, args...)...)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", cmd, err, out)
		}
	}
	return unpack(file, folder())
})

// folder is where the package is unpacked.
func folder() string { return filepath.Join(tmp, "package") }

// unpack does what the platform does with a package, modes included.
func unpack(file, dir string) error {
	z, err := zip.OpenReader(file)
	if err != nil {
		return err
	}
	defer z.Close()
	for _, f := range z.File {
		name := filepath.Join(dir, filepath.FromSlash(f.Name))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		from, err := f.Open()
		if err != nil {
			return err
		}
		to, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY, f.Mode())
		if err != nil {
			return err
		}
		_, err = io.Copy(to, from)
		if err := errors.Join(err, to.Close(), from.Close()); err != nil {
			return err
		}
	}
	return nil
}

// A deployment is a container, a table, and what function apps over them are configured with.
type deployment struct {
	cloud *cloud
	blobs *container.Client
	state *tablestate.Store
	env   []string
}

// prefix is put in front of finished blobs' names.
const prefix = "up/"

func (c *cloud) deploy(t testing.TB, settings ...string) *deployment {
	t.Helper()
	name := fmt.Sprintf("uploads%d", c.names.Add(1))
	blobs, err := container.NewClientFromConnectionString(c.connection, name, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := blobs.Create(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	service, err := aztables.NewServiceClientFromConnectionString(c.connection, nil)
	if err != nil {
		t.Fatal(err)
	}
	table := service.NewClient(name)
	if err := tablestate.CreateTable(t.Context(), table); err != nil {
		t.Fatal(err)
	}
	state, err := tablestate.New(table, nil)
	if err != nil {
		t.Fatal(err)
	}
	return &deployment{cloud: c, blobs: blobs, state: state, env: append([]string{
		"FILELOFT_AZURE_CONNECTION_STRING=" + c.connection, "FILELOFT_AZURE_CONTAINER=" + name, "FILELOFT_AZURE_TABLE=" + name,
		"FILELOFT_AZURE_PREFIX=" + prefix, "FILELOFT_LOG_LEVEL=warn",
	}, settings...)}
}

// app runs the package over the deployment and returns the app with the URL of its collection.
func (d *deployment) app(t testing.TB, opt azurehost.Options) (*azurehost.App, string) {
	t.Helper()
	out := &tail{}
	opt.Env, opt.Log = slices.Concat(d.env, opt.Env), out
	a, err := azurehost.New(t.Context(), folder(), &opt)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	srv := httptest.NewServer(a)
	t.Cleanup(func() {
		srv.CloseClientConnections()
		srv.Close()
		a.Close()
		if t.Failed() {
			t.Logf("the function's log:\n%s", out)
		}
	})
	return a, srv.URL + "/files/"
}

// tail keeps the end of what a function prints.
type tail struct {
	mu  sync.Mutex
	end string
}

func (l *tail) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.end += string(p)
	l.end = l.end[max(0, len(l.end)-6000):]
	return len(p), nil
}

func (l *tail) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.TrimSpace(l.end)
}
