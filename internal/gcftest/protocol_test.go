package gcftest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fileloft/fileloft/internal/prototest"
	"github.com/fileloft/fileloft/tus"
)

func freeAddr(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// TestProtocol holds the binary to the whole protocol table: by the Functions Framework, and as a Cloud Run service with HTTP/2.
func TestProtocol(t *testing.T) {
	c := inCloud(t)
	for name, settings := range map[string][]string{"function": nil, "service": {"FILELOFT_ENABLE_H2C=on"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			prototest.Run(t, func(t testing.TB, opt tus.Options) *prototest.Server {
				return c.deploy(t, append(prototest.Variables(t, &opt), settings...)...).server(t, name == "service")
			})
		})
	}
}

func (d *deployment) server(t testing.TB, h2c bool) *prototest.Server {
	t.Helper()
	endpoint := d.function(t, "Fileloft")
	sweeper := sync.OnceValue(func() *function { return d.function(t, "FileloftSweep") }) // few rows need it
	client := &http.Client{Timeout: time.Minute}
	if h2c {
		p := new(http.Protocols)
		p.SetUnencryptedHTTP2(true)
		client.Transport = &http.Transport{Protocols: p}
	}
	return &prototest.Server{
		URL:       endpoint.URL + "/files/",
		Client:    client,
		Caps:      prototest.Caps{Streaming: true, Trailers: true, Requests: 1000},
		Object:    d.object,
		Leftovers: d.leftovers,
		Sweep:     func(ctx context.Context) (tus.SweepReport, error) { return sweep(ctx, sweeper().URL) },
		Peer:      func(t testing.TB) *prototest.Server { return d.server(t, h2c) },
	}
}

// sweep asks the sweeper as Cloud Scheduler does.
func sweep(ctx context.Context, url string) (r tus.SweepReport, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, nil)
	if err != nil {
		return r, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return r, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		b, _ := io.ReadAll(resp.Body)
		return r, fmt.Errorf("%s: %s", resp.Status, b)
	}
	return r, json.NewDecoder(resp.Body).Decode(&r)
}

// object reads a finished object from the fake.
func (d *deployment) object(id tus.ID) ([]byte, error) {
	client, err := d.cloud.storage.Client(context.Background())
	if err != nil {
		return nil, err
	}
	defer client.Close()
	r, err := client.Bucket(bucket).Object(d.prefix + string(id)).NewReader(context.Background())
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

// leftovers lists objects whose name has the upload's id, and its record.
func (d *deployment) leftovers(id tus.ID) ([]string, error) {
	left := d.cloud.fake.Names(bucket, func(name string, _ map[string]string) bool {
		return strings.Contains(name, string(id)) && !strings.HasSuffix(name, "/gone") // a sign for late writers, empty
	})
	switch u, err := d.state.Load(context.Background(), id); {
	case err == nil:
		left = append(left, fmt.Sprintf("record %+v", u))
	case !errors.Is(err, tus.ErrNotFound):
		return nil, err
	}
	return left, nil
}
