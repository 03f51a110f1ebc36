package gcftest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
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
	var forms sync.WaitGroup // they wait more than they work: both at once, whatever -parallel says
	for _, f := range platforms {
		forms.Go(func() {
			t.Run(f.name, func(t *testing.T) {
				prototest.Run(t, func(t testing.TB, opt tus.Options) *prototest.Server {
					for _, d := range []*time.Duration{&opt.LeaseTTL, &opt.IdleTimeout, &opt.CheckpointEvery} {
						if *d > 0 {
							*d = max(*d, time.Second) // the least that the settings take
						}
					}
					f.proxied = opt.BehindProxy
					return c.deploy(t, append(prototest.Variables(t, &opt), f.settings...)...).server(t, f)
				})
			})
		})
	}
	forms.Wait()
}

// A platform is a way in which Google runs the binary.
type platform struct {
	name     string
	settings []string
	maxBody  int64 // as the function says it; 0: no limit
	h2c      bool
	proxied  bool // by a proxy of our own, whose word on the scheme counts
}

var platforms = []platform{
	{name: "function", maxBody: 32<<20 - 64<<10},
	{name: "service", settings: []string{"FILELOFT_ENABLE_H2C=on"}, h2c: true},
}

// A frontEnd is what the platform has before the function, as far as the function sees it: it says what scheme the client used, whatever
// the client says.
type frontEnd struct{ http.RoundTripper }

func (f frontEnd) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("X-Forwarded-Proto", "http")
	return f.RoundTripper.RoundTrip(r)
}

func (d *deployment) server(t testing.TB, p platform) *prototest.Server {
	t.Helper()
	endpoint := d.function(t, "Fileloft")
	sweeper := sync.OnceValue(func() *function { // few rows need it
		return d.function(t, "FileloftSweep", "FILELOFT_ENABLE_H2C=off") // Scheduler speaks HTTP/1
	})
	transport := &http.Transport{}
	if p.h2c {
		transport.Protocols = new(http.Protocols)
		transport.Protocols.SetUnencryptedHTTP2(true)
	}
	t.Cleanup(transport.CloseIdleConnections)
	client := &http.Client{Timeout: time.Minute, Transport: frontEnd{transport}}
	if p.proxied {
		client.Transport = transport
	}
	return &prototest.Server{
		URL:       endpoint.URL + "/files/",
		Client:    client,
		Caps:      prototest.Caps{Streaming: true, Trailers: true, Raw: true, MaxBody: p.maxBody, Requests: 1000, Tidies: !p.h2c},
		Object:    d.object,
		Leftovers: d.leftovers,
		Sweep:     func(ctx context.Context) (tus.SweepReport, error) { return sweep(ctx, sweeper().URL) },
		Peer:      func(t testing.TB) *prototest.Server { return d.server(t, p) },
	}
}

// sweep asks the sweeper as Cloud Scheduler does.
func sweep(ctx context.Context, url string) (r tus.SweepReport, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, nil)
	if err != nil {
		return r, err
	}
	resp, err := ownClient.Do(req)
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

// leftovers lists the finished object, if it is there, and the record. A piece may be left by a writer that was overtaken in its middle: Collect
// takes it away a day later.
func (d *deployment) leftovers(id tus.ID) ([]string, error) {
	left := d.cloud.fake.Names(bucket, func(_ string, metadata map[string]string) bool { return metadata["fileloft-id"] == string(id) })
	switch u, err := d.state.Load(context.Background(), id); {
	case err == nil:
		left = append(left, fmt.Sprintf("record %+v", u))
	case !errors.Is(err, tus.ErrNotFound):
		return nil, err
	}
	return left, nil
}
