package lambdatest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/fileloft/fileloft/internal/lambdagate"
	"github.com/fileloft/fileloft/internal/prototest"
	"github.com/fileloft/fileloft/internal/servers"
	"github.com/fileloft/fileloft/tus"
)

func door(open func(*lambdagate.Function, *lambdagate.DoorOptions) http.Handler, opt *lambdagate.DoorOptions, path string) func(*lambdagate.Function, testing.TB) string {
	return func(f *lambdagate.Function, t testing.TB) string {
		t.Helper()
		srv := httptest.NewServer(open(f, opt))
		t.Cleanup(srv.Close)
		return srv.URL + path
	}
}

// TestProtocol holds the binary to the whole protocol table at each door.
func TestProtocol(t *testing.T) {
	c := inCloud(t)
	var doors sync.WaitGroup // they wait more than they work: all at once, whatever -parallel says
	for _, w := range ways {
		doors.Go(func() {
			t.Run(w.name, func(t *testing.T) {
				prototest.Run(t, func(t testing.TB, opt tus.Options) *prototest.Server {
					d := c.deploy(t, prototest.Variables(t, &opt)...)
					return d.server(t, w)
				})
			})
		})
	}
	doors.Wait()
}

func (d *deployment) server(t testing.TB, w way) *prototest.Server {
	t.Helper()
	f := d.function(t, lambdagate.Options{})
	return &prototest.Server{
		URL:       w.open(f, t),
		Client:    servers.NewClient(time.Minute),
		Caps:      prototest.Caps{MaxBody: w.body, Requests: w.requests, OneValue: w.oneValue},
		Object:    d.object,
		Leftovers: d.leftovers,
		Sweep:     func(ctx context.Context) (tus.SweepReport, error) { return sweep(ctx, f) },
		Peer:      func(t testing.TB) *prototest.Server { return d.server(t, w) }, // another function over the same stores
	}
}

// schedule is what an EventBridge rule sends.
const schedule = `{"version":"0","id":"53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa","detail-type":"Scheduled Event","source":"aws.events",
"account":"123456789012","time":"2015-10-08T16:53:06Z","region":"us-east-1",
"resources":["arn:aws:events:us-east-1:123456789012:rule/sweep"],"detail":{}}`

func sweep(ctx context.Context, f *lambdagate.Function) (r tus.SweepReport, err error) {
	b, err := f.Invoke(ctx, []byte(schedule))
	if err == nil {
		err = json.Unmarshal(b, &r)
	}
	return r, err
}

// object reads a finished object from the S3 server.
func (d *deployment) object(id tus.ID) ([]byte, error) {
	out, err := d.cloud.objects.GetObject(context.Background(), &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String(d.prefix + string(id))})
	if err != nil {
		return nil, err
	}
	defer out.Body.Close()
	return io.ReadAll(out.Body)
}

// leftovers lists objects and multipart uploads whose key names the upload, and its record.
func (d *deployment) leftovers(id tus.ID) (left []string, err error) {
	ctx := context.Background()
	if u, err := d.state.Load(ctx, id); err == nil {
		left = append(left, fmt.Sprintf("record %+v", u))
	} else if !errors.Is(err, tus.ErrNotFound) {
		return nil, err
	}
	pages := s3.NewListObjectsV2Paginator(d.cloud.objects, &s3.ListObjectsV2Input{Bucket: aws.String(bucket)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, o := range page.Contents {
			if strings.Contains(*o.Key, string(id)) && !strings.HasSuffix(*o.Key, "/gone") { // a sign for late writers, empty
				left = append(left, *o.Key)
			}
		}
	}
	uploads, err := d.cloud.objects.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{Bucket: aws.String(bucket)})
	if err != nil {
		return nil, err
	}
	for _, u := range uploads.Uploads {
		if strings.Contains(*u.Key, string(id)) {
			left = append(left, "multipart upload of "+*u.Key)
		}
	}
	return left, nil
}
