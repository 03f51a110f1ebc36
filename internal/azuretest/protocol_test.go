package azuretest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"github.com/fileloft/fileloft/internal/azurehost"
	"github.com/fileloft/fileloft/internal/prototest"
	"github.com/fileloft/fileloft/internal/servers"
	"github.com/fileloft/fileloft/tus"
)

// TestProtocol holds the function app to the whole protocol table.
func TestProtocol(t *testing.T) {
	t.Parallel()
	c := inCloud(t)
	prototest.Run(t, func(t testing.TB, opt tus.Options) *prototest.Server {
		if opt.BehindProxy && opt.BaseURL == "" {
			t.Skip("the host replaces what a proxy says")
		}
		for _, d := range []*time.Duration{&opt.LeaseTTL, &opt.IdleTimeout, &opt.CheckpointEvery} {
			if *d > 0 {
				*d = max(*d, time.Second) // the least that the settings take
			}
		}
		return c.deploy(t, prototest.Variables(t, &opt)...).server(t)
	})
}

func (d *deployment) server(t testing.TB) *prototest.Server {
	t.Helper()
	a, url := d.app(t, azurehost.Options{})
	return &prototest.Server{
		URL:       url,
		Client:    servers.NewClient(time.Minute),
		Caps:      prototest.Caps{Streaming: true, Raw: true, MaxBody: 64 << 20, Requests: 1000, OwnMethods: true, Tidies: true, NoHalfClose: true, PlainRanges: true},
		Object:    d.object,
		Leftovers: d.leftovers,
		Sweep:     func(ctx context.Context) (tus.SweepReport, error) { return sweep(ctx, a) },
		Peer:      func(t testing.TB) *prototest.Server { return d.server(t) },
	}
}

// sweep lets the timer go off.
func sweep(ctx context.Context, a *azurehost.App) (r tus.SweepReport, err error) {
	result, err := a.Timer(ctx, "FileloftSweep")
	if err != nil {
		return r, err
	}
	return r, json.Unmarshal(result.ReturnValue, &r)
}

// object reads a finished blob.
func (d *deployment) object(id tus.ID) ([]byte, error) {
	out, err := d.blobs.NewBlobClient(prefix+string(id)).DownloadStream(context.Background(), nil)
	if err != nil {
		return nil, err
	}
	defer out.Body.Close()
	return io.ReadAll(out.Body)
}

// leftovers lists the blobs whose name has the upload's id, and its record. Blocks that a writer staged who was overtaken make no blob: Azure
// drops them after a week, if Collect does not before.
func (d *deployment) leftovers(id tus.ID) (left []string, err error) {
	switch u, err := d.state.Load(context.Background(), id); {
	case err == nil:
		left = append(left, fmt.Sprintf("record %+v", u))
	case !errors.Is(err, tus.ErrNotFound):
		return nil, err
	}
	names, err := d.names(false, func(name string) bool { return strings.Contains(name, string(id)) })
	return append(left, names...), err
}

// names lists blobs, also those that are nothing but blocks, or not.
func (d *deployment) names(blocks bool, which func(name string) bool) (list []string, err error) {
	pages := d.blobs.NewListBlobsFlatPager(&container.ListBlobsFlatOptions{Include: container.ListBlobsInclude{UncommittedBlobs: blocks}})
	for pages.More() {
		page, err := pages.NextPage(context.Background())
		if err != nil {
			return nil, err
		}
		for _, b := range page.Segment.BlobItems {
			if which(*b.Name) && !strings.HasSuffix(*b.Name, "/gone") { // a sign for late writers, empty
				list = append(list, *b.Name)
			}
		}
	}
	return list, nil
}
