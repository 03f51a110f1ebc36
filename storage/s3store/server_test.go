package s3store

import (
	"fmt"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/fileloft/fileloft/internal/servers"
	"github.com/fileloft/fileloft/storage/storetest"
	"github.com/fileloft/fileloft/tus"
)

// pieces lists what a bucket holds of an id in all its lives, signs apart.
func pieces(tb testing.TB, client *s3.Client, s *Store, u tus.Upload) []string {
	ctx := tb.Context()
	var names []string
	for _, prefix := range []string{s.pieces + string(u.ID) + "/", s.prefix + u.ObjectKey()} {
		out, err := client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &s.bucket, Prefix: &prefix})
		if err != nil {
			tb.Fatal(err)
		}
		for _, o := range out.Contents {
			key := aws.ToString(o.Key)
			if _, name, _ := s.parsePiece(key); name == signName {
				continue
			}
			if key == s.prefix+u.ObjectKey() { // another upload's, perhaps
				head, err := client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &s.bucket, Key: o.Key})
				if err == nil && head.Metadata[metaID] != string(u.ID) {
					continue
				}
			}
			names = append(names, key)
		}
		ups, err := client.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{Bucket: &s.bucket, Prefix: &prefix})
		if err != nil {
			tb.Fatal(err)
		}
		for _, m := range ups.Uploads {
			names = append(names, "session "+aws.ToString(m.UploadId)+" of "+aws.ToString(m.Key))
		}
	}
	return names
}

// server returns versitygw, or another S3 server that FILELOFT_TEST_S3_ENDPOINT, _ACCESS and _SECRET name.
func server(t *testing.T) *servers.S3Server {
	if url := os.Getenv("FILELOFT_TEST_S3_ENDPOINT"); url != "" {
		return &servers.S3Server{
			URL: url, Access: os.Getenv("FILELOFT_TEST_S3_ACCESS"), Secret: os.Getenv("FILELOFT_TEST_S3_SECRET"),
		}
	}
	return servers.S3(t)
}

// TestRealServer runs the suite on a real server. Parts of 5 MiB make it slow: the schedules are a few here, and thousands on
// the fake.
func TestRealServer(t *testing.T) {
	if testing.Short() {
		t.Skip("a real server does not run under -short")
	}
	srv := server(t)
	client := srv.Client()
	run := time.Now().Format("20060102-150405")
	var n atomic.Int32
	storetest.Run(t, storetest.Config{
		New: func(tb testing.TB) tus.Storage {
			bucket := srv.Bucket(tb, fmt.Sprintf("suite-%s-%d", run, n.Add(1)))
			s, err := New(client, bucket, &Options{PartSize: minPartSize, Parallel: 2, Prefix: "files/"})
			if err != nil {
				tb.Fatal(err)
			}
			return s
		},
		PartSize: minPartSize,
		Seeds:    30,
		Pause:    time.Second,
		MaxHeap:  48 << 20,
		Pieces: func(s tus.Storage, u tus.Upload) []string {
			return pieces(t, client, s.(*Store), u)
		},
	})
}
