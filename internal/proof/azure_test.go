package proof

import (
	"archive/zip"
	"context"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/data/aztables"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"github.com/fileloft/fileloft/internal/azurehost"
	"github.com/fileloft/fileloft/internal/faults"
	"github.com/fileloft/fileloft/internal/servers"
	"github.com/fileloft/fileloft/state/tablestate"
	"github.com/fileloft/fileloft/storage/azurestore"
	"github.com/fileloft/fileloft/tus"
)

// onAzure is the function app with three instances.
func onAzure(t testing.TB) *setup {
	connection := servers.Azurite(t)
	const name = "uploads"
	blobs, err := container.NewClientFromConnectionString(connection, name, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := blobs.Create(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	service, err := aztables.NewServiceClientFromConnectionString(connection, nil)
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
	storage, err := azurestore.New(blobs, &azurestore.Options{Prefix: finished})
	if err != nil {
		t.Fatal(err)
	}
	var proxies []*faults.Proxy
	through := serviceEndpoint.ReplaceAllStringFunc(connection, func(setting string) string {
		m := serviceEndpoint.FindStringSubmatch(setting)
		u, err := url.Parse(m[2])
		if err != nil {
			t.Fatal(err)
		}
		p := between(t, map[string]string{"Blob": "azure-blob", "Table": "azure-table"}[m[1]], "http://"+u.Host)
		proxies = append(proxies, p)
		return m[1] + "Endpoint=" + p.URL() + u.Path
	})
	if len(proxies) != 2 {
		t.Fatalf("the connection string %q does not name two services", connection)
	}
	a, err := azurehost.New(t.Context(), functionApp(t), &azurehost.Options{
		Instances: 3, Log: logTo(t), Env: append([]string{
			"FILELOFT_AZURE_CONNECTION_STRING=" + through, "FILELOFT_AZURE_CONTAINER=" + name, "FILELOFT_AZURE_TABLE=" + name,
			"FILELOFT_AZURE_PREFIX=" + finished,
		}, settings...),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	return &setup{
		name: "Blob Storage, Table storage, Azure Functions", fleet: host(t, azure(a)), proxies: proxies, checksums: true, body: 16 << 20, pause: time.Second,
		stores: &stores{
			state: state, storage: storage, names: names,
			object: func(ctx context.Context, u *tus.Upload) (io.ReadCloser, error) {
				out, err := blobs.NewBlobClient(finished+u.ObjectKey()).DownloadStream(ctx, nil)
				return out.Body, err
			},
			// With what has only blocks that no list names: Azure ends that after a week, but Collect does before.
			inventory: func(ctx context.Context) (all []string, err error) {
				pages := blobs.NewListBlobsFlatPager(&container.ListBlobsFlatOptions{Include: container.ListBlobsInclude{UncommittedBlobs: true}})
				for pages.More() {
					page, err := pages.NextPage(ctx)
					if err != nil {
						return nil, err
					}
					for _, b := range page.Segment.BlobItems {
						all = append(all, *b.Name)
					}
				}
				return all, nil
			},
		},
	}
}

// serviceEndpoint is where a service is reached, in a connection string.
var serviceEndpoint = regexp.MustCompile(`(Blob|Table)Endpoint=([^;]+)`)

func azure(a *azurehost.App) platform {
	return platform{
		Handler: a,
		replicas: func() (list []replica) {
			for _, in := range a.Instances() {
				list = append(list, replica{in.PID, in.Busy})
			}
			return list
		},
		kill: a.Kill, freeze: a.Freeze, thaw: a.Thaw,
		sweep: func(ctx context.Context) error {
			_, err := a.Timer(ctx, "FileloftSweep")
			return err
		},
	}
}

// functionApp makes the package for Azure and unpacks it, as the platform does.
func functionApp(t testing.TB) string {
	t.Helper()
	file, dir := filepath.Join(tmp, "azure.zip"), filepath.Join(tmp, "azure")
	if _, err := os.Stat(dir); err == nil {
		return dir
	}
	program, err := filepath.Abs(build(t, "functions/azure"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "-C", root, "run", "./internal/azurezip", file, program, filepath.Join("functions", "azure"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, out)
	}
	z, err := zip.OpenReader(file)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	if err := os.CopyFS(dir, z); err != nil {
		t.Fatal(err)
	}
	return dir
}
