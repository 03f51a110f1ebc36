package s3store

import (
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/fileloft/fileloft/internal/servers"
	objectheaders "github.com/fileloft/fileloft/storage/headers"
	"github.com/fileloft/fileloft/tus"
)

func TestErrorsOfNew(t *testing.T) {
	client := s3.New(s3.Options{Region: "r"})
	for what, o := range map[string]*Options{
		"parts below S3's least": {PartSize: 5<<20 - 1},
		"parts above S3's most":  {PartSize: 5<<30 + 1},
		"a negative number":      {Parallel: -1},
		"pieces without a slash": {Pieces: "p"},
	} {
		if _, err := New(client, "b", o); err == nil {
			t.Errorf("%s: no error", what)
		}
	}
	if _, err := New(client, "", nil); err == nil {
		t.Error("no bucket: no error")
	}
}

func TestPartSizes(t *testing.T) {
	const mib, tib = int64(1) << 20, int64(1) << 40
	s := newStore(nil, "b", Options{PartSize: 8 * mib})
	for _, length := range []int64{-1, 0, 1, 8000 * 8 * mib, 8000*8*mib + 1, tib, 39 * tib} {
		p := s.firstPart(length)
		if p < 8*mib || p%mib != 0 || length > p*8000 {
			t.Errorf("length %d: parts of %d", length, p)
		}
	}
	if p := s.firstPart(8000 * 8 * mib); p != 8*mib {
		t.Errorf("parts of %d before they need to grow", p)
	}
	sum, p := int64(0), s.firstPart(-1)
	for n := uint32(1); n < maxNumber; n++ {
		p = s.nextPart(p, n, -1)
		sum += p
	}
	if sum < 7*tib {
		t.Errorf("%d bytes are all that an upload of undeclared length can have", sum)
	}
	if p := s.nextPart(8*mib, 9_900, tib); p*100 < tib && p < maxPartSize {
		t.Errorf("parts of %d, when 100 numbers are left for a TiB", p)
	}
}

// What a browser is told, by the object itself and by a signed link.
func TestHeadersOnARealServer(t *testing.T) {
	if testing.Short() {
		t.Skip("a real server does not run under -short")
	}
	srv := servers.S3(t)
	s, err := New(srv.Client(), srv.Bucket(t, "headers"), &Options{
		PartSize: minPartSize, Prefix: "in/", StorageClass: "STANDARD", Tagging: "project=a%20b",
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{9, minPartSize, minPartSize + 1} {
		p := newUpload(t, s, int64(size))
		u := &p.lease.Upload
		u.Key = "a b/ü+&.txt " + string(u.ID)
		u.Metadata = "filename w5xidW5nLnBkZg==,filetype YXBwbGljYXRpb24vcGRm" // Übung.pdf, application/pdf
		p.append(strings.Repeat("h", size))
		if err := p.complete(); err != nil {
			t.Fatal(err)
		}
		out, err := s.s3.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: &s.bucket, Key: aws.String("in/" + u.Key)})
		if err != nil {
			t.Fatal(err)
		}
		if got := aws.ToString(out.ContentType); got != "application/pdf" {
			t.Errorf("content type %q", got)
		}
		if got := aws.ToString(out.ContentDisposition); got != objectheaders.Disposition("Übung.pdf") {
			t.Errorf("content disposition %q", got)
		}
		link, err := s.Link(t.Context(), *u, `attachment; filename="x.txt"`, "text/plain")
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.Get(link)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != 200 || res.Header.Get("Content-Type") != "text/plain" || res.ContentLength != int64(size) ||
			res.Header.Get("Content-Disposition") != `attachment; filename="x.txt"` {
			t.Errorf("link: %v %v", res.Status, res.Header)
		}
		concat := newUpload(t, s, int64(size))
		concat.lease.Upload.Concat.Role, concat.lease.Upload.Offset, concat.lease.Upload.Phase = tus.Final, int64(size), tus.Sealed
		if _, err := s.Concat(t.Context(), concat.lease, []tus.Upload{*u}); err != nil { // the source's key needs escaping
			t.Error(err)
		}
	}
}
