package tracing

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// A client sends spans by OTLP over HTTP, as protobuf ("OTLP Specification 1.x", OTLP/HTTP; "OpenTelemetry Protocol Exporter" for the
// variables). OpenTelemetry's own client links gRPC, which is an eighth of a server for files, and logs headers that it does not
// understand, where tokens are.
type client struct {
	http    *http.Client
	url     string
	header  http.Header
	timeout time.Duration // of one attempt
	pause   time.Duration // before the second; it doubles from there on
	gzip    bool
}

// lookup finds a variable, first by its name for traces alone.
type lookup func(name string) (value string, ok bool)

const prefix = "OTEL_EXPORTER_OTLP_"

func (l lookup) of(name string) (value, variable string) {
	for _, variable := range []string{prefix + "TRACES_" + name, prefix + name} {
		if v, ok := l(variable); ok {
			return v, variable
		}
	}
	return "", prefix + name
}

// newClient reads the variables. An error names the one that cannot be used, and not its value.
func newClient(env lookup) (*client, error) {
	c := &client{header: http.Header{"Content-Type": {"application/x-protobuf"}, "User-Agent": {"fileloft"}}, timeout: 10 * time.Second, pause: firstPause}
	var err error
	if c.url, err = endpoint(env); err != nil {
		return nil, err
	}
	text, variable := env.of("HEADERS")
	for pair := range strings.SplitSeq(text, ",") {
		name, value, ok := strings.Cut(strings.TrimSpace(pair), "=")
		value, err := url.PathUnescape(strings.TrimSpace(value))
		switch {
		case text == "":
		case !ok || err != nil || strings.TrimSpace(name) == "" || strings.ContainsAny(value, "\r\n"):
			return nil, fmt.Errorf("%s: want name=value, percent-encoded, with commas between them", variable)
		default:
			c.header.Set(strings.TrimSpace(name), value)
		}
	}
	if text, variable := env.of("TIMEOUT"); text != "" {
		ms, err := strconv.ParseUint(text, 10, 31)
		if err != nil || ms == 0 {
			return nil, fmt.Errorf("%s: want milliseconds, such as 10000", variable)
		}
		c.timeout = time.Duration(ms) * time.Millisecond
	}
	switch text, variable := env.of("COMPRESSION"); text {
	case "", "none":
	case "gzip":
		c.gzip = true
		c.header.Set("Content-Encoding", "gzip")
	default:
		return nil, fmt.Errorf("%s: want gzip or none", variable)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if transport.TLSClientConfig, err = tlsConfig(env); err != nil {
		return nil, err
	}
	c.http = &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // the headers are for one host
	}
	return c, nil
}

// endpoint is where traces go: the address for them as it is, or the one for everything with their path behind it.
func endpoint(env lookup) (string, error) {
	text, variable := env.of("ENDPOINT")
	if text == "" {
		text = "http://localhost:4318"
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return "", fmt.Errorf("%s: want a URL such as http://localhost:4318", variable)
	}
	if variable != prefix+"TRACES_ENDPOINT" {
		u = u.JoinPath("v1", "traces")
	}
	return u.String(), nil
}

func tlsConfig(env lookup) (*tls.Config, error) {
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if file, variable := env.of("CERTIFICATE"); file != "" {
		pem, err := os.ReadFile(file)
		conf.RootCAs = x509.NewCertPool()
		if err != nil || !conf.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s: want a file of certificates in PEM", variable)
		}
	}
	file, variable := env.of("CLIENT_CERTIFICATE")
	key, _ := env.of("CLIENT_KEY")
	if file != "" || key != "" {
		cert, err := tls.LoadX509KeyPair(file, key)
		if err != nil {
			return nil, fmt.Errorf("%s and %sCLIENT_KEY: want files in PEM that belong together", variable, prefix)
		}
		conf.Certificates = []tls.Certificate{cert}
	}
	return conf, nil
}

// Start and Stop do nothing: there is no connection to look after.
func (c *client) Start(context.Context) error { return nil }
func (c *client) Stop(context.Context) error  { return nil }

const (
	attempts   = 4
	firstPause = 500 * time.Millisecond
)

// UploadTraces sends spans, again where the collector asks for that or cannot be reached.
func (c *client) UploadTraces(ctx context.Context, spans []*tracepb.ResourceSpans) error {
	body, err := proto.Marshal(&tracepb.TracesData{ResourceSpans: spans}) // the same on the wire as ExportTraceServiceRequest
	if err == nil && c.gzip {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		_, err = w.Write(body)
		err = errors.Join(err, w.Close())
		body = b.Bytes()
	}
	if err != nil {
		return fmt.Errorf("tracing: encode spans: %w", err)
	}
	pause := c.pause
	for n := 1; ; n++ {
		after, err := c.send(ctx, body)
		if err == nil || after < 0 || n == attempts {
			return err
		}
		t := time.NewTimer(max(after, pause))
		select {
		case <-t.C:
			pause *= 2
		case <-ctx.Done():
			t.Stop()
			return err
		}
	}
}

// send makes one attempt. After tells when another may do better: negative for never.
func (c *client) send(ctx context.Context, body []byte) (after time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return -1, fmt.Errorf("tracing: send spans: %w", err)
	}
	req.Header = c.header.Clone()
	resp, err := c.http.Do(req)
	if err != nil {
		return 0, fmt.Errorf("tracing: send spans: %w", err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // for the next to have the connection
	switch resp.StatusCode {
	case http.StatusOK, http.StatusAccepted, http.StatusNoContent:
		return 0, nil
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		seconds, _ := strconv.ParseUint(resp.Header.Get("Retry-After"), 10, 8)
		after = time.Duration(seconds) * time.Second
	default:
		after = -1
	}
	return after, fmt.Errorf("tracing: send spans: %s answered %s", req.URL.Host, resp.Status)
}
