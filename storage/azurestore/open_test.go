package azurestore

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"

	objectheaders "github.com/fileloft/fileloft/storage/headers"
	"github.com/fileloft/fileloft/tus"
)

// accountKey takes a connection string apart.
func accountKey(t *testing.T) (account, key string) {
	t.Helper()
	for _, f := range strings.Split(connection(t), ";") {
		name, v, _ := strings.Cut(f, "=")
		switch name {
		case "AccountName":
			account = v
		case "AccountKey":
			key = v
		}
	}
	return account, key
}

// What a browser is told, by the object itself and by a signed link: for objects of one stage, of several, and empty ones.
func TestHeadersAndLinks(t *testing.T) {
	signer, err := NewKeySigner(accountKey(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, tier := range []string{"", "Cool"} {
		for _, signer := range []Signer{signer, nil} {
			s, _ := onAzurite(t, Options{Prefix: "in/", AccessTier: tier, Signer: signer})
			s.full, s.span = 2, 3
			for _, size := range []int{0, 1, 2, 9} {
				p := newUpload(t, s, int64(size))
				u := &p.lease.Upload
				u.Key = "a b/ü+&%41?#.txt " + string(u.ID)
				u.Metadata = "filename w5xidW5nLnBkZg==,filetype YXBwbGljYXRpb24vcGRm" // Übung.pdf, application/pdf
				for range size {
					p.append("h")
				}
				if err := p.complete(); err != nil {
					t.Fatal(err)
				}
				checkHeaders(t, p, tier)
				checkLink(t, p, signer != nil)
			}
		}
	}
}

func checkHeaders(t *testing.T, p *uploading, tier string) {
	t.Helper()
	o, err := p.s.client.NewBlobClient("in/"+p.lease.Upload.Key).GetProperties(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if value(o.ContentType) != "application/pdf" || value(o.ContentDisposition) != objectheaders.Disposition("Übung.pdf") ||
		tier != "" && value(o.AccessTier) != tier {
		t.Errorf("%q, %q, %q", value(o.ContentType), value(o.ContentDisposition), value(o.AccessTier))
	}
	if p.lease.Upload.Length > 0 && !bytes.Equal(o.ContentMD5, p.sum.Sum(nil)) {
		t.Errorf("%d bytes: MD5 %x instead of %x", p.lease.Upload.Length, o.ContentMD5, p.sum.Sum(nil))
	}
}

func checkLink(t *testing.T, p *uploading, signed bool) {
	t.Helper()
	link, err := p.s.Link(t.Context(), p.lease.Upload, `attachment; filename="x.txt"`, "text/plain")
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.Get(link)
	if err != nil {
		t.Fatal(err)
	}
	b, _ := io.ReadAll(res.Body)
	_ = res.Body.Close()
	kind, disposition := "text/plain", `attachment; filename="x.txt"`
	if !signed { // the blob's own
		kind, disposition = "application/pdf", objectheaders.Disposition("Übung.pdf")
	}
	if res.StatusCode != 200 || res.Header.Get("Content-Type") != kind || int64(len(b)) != p.lease.Upload.Length ||
		res.Header.Get("Content-Disposition") != disposition {
		t.Errorf("link: %v, %d bytes, %v", res.Status, len(b), res.Header)
	}
	for _, method := range []string{http.MethodPut, http.MethodDelete} {
		req, _ := http.NewRequestWithContext(t.Context(), method, link, strings.NewReader("x"))
		req.Header.Set("x-ms-blob-type", "BlockBlob")
		if res, err := http.DefaultClient.Do(req); err != nil || res.StatusCode != http.StatusForbidden {
			t.Errorf("%s by a link: %v, %v", method, res.Status, err)
		} else {
			_ = res.Body.Close()
		}
	}
}

func TestALinkEnds(t *testing.T) {
	s, _ := onAzurite(t, Options{})
	s.opt.LinkTTL = -time.Minute
	p := newUpload(t, s, 3)
	p.append("abc")
	if err := p.complete(); err != nil {
		t.Fatal(err)
	}
	link, err := s.Link(t.Context(), p.lease.Upload, "", "")
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.Get(link)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusForbidden {
		t.Errorf("after its time: %s", res.Status)
	}
}

// The MD5 is that of all bytes, or there is none.
func TestTheMD5IsLeftOutWhereItIsNotKnown(t *testing.T) {
	s, _ := onAzurite(t, Options{})
	for name, when := range map[string]func(bool){
		"from the beginning": func(first bool) { s.opt.NoMD5 = true },
		"switched off":       func(first bool) { s.opt.NoMD5 = !first },
		"switched on":        func(first bool) { s.opt.NoMD5 = first },
	} {
		p := newUpload(t, s, 6)
		when(true)
		p.append("abc")
		when(false)
		p.append("def")
		if err := p.complete(); err != nil {
			t.Fatal(err)
		}
		o, err := s.client.NewBlobClient(string(p.lease.Upload.ID)).GetProperties(t.Context(), nil)
		if err != nil || len(o.ContentMD5) > 0 {
			t.Errorf("%s: %x, %v", name, o.ContentMD5, err)
		}
		if got := p.object(); got != "abcdef" {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// A connection that breaks while an object is read is made up for.
func TestAReaderGoesOnWhereTheConnectionBroke(t *testing.T) {
	s, w := onAzurite(t, Options{BlockSize: 1 << 20})
	p := newUpload(t, s, tus.Unknown)
	want := strings.Repeat("0123456789", 100_000)
	p.append(want)
	if err := p.complete(); err != nil {
		t.Fatal(err)
	}
	broken := 0
	w.set(func(w *wire) {
		w.edit = func(c call, res *http.Response) {
			if broken++; c.op == "GetBlob" && broken <= 2 {
				res.Body = &breaking{res.Body, 300_000}
			}
		}
	})
	if got := p.object(); got != want || broken != 3 {
		t.Errorf("%d bytes of %d, in %d answers", len(got), len(want), broken)
	}
}

type breaking struct {
	io.ReadCloser
	left int
}

func (b *breaking) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, io.ErrUnexpectedEOF
	}
	n, err := b.ReadCloser.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

// Archived blobs are Azure's to keep: what is asked of them is an error that says so.
func TestAnArchivedObjectCannotBeRead(t *testing.T) {
	s, _ := onAzurite(t, Options{AccessTier: string(blob.AccessTierArchive)})
	p := newUpload(t, s, tus.Unknown)
	p.append("abc")
	if err := p.complete(); err != nil {
		t.Fatal(err)
	}
	if rc, err := s.Open(t.Context(), p.lease.Upload, 0, 3); err == nil {
		_ = rc.Close()
		t.Error("no error")
	}
	if err := s.Remove(t.Context(), p.doomed()); err != nil {
		t.Error(err)
	}
	if left := left(t, s, p.lease.Upload); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}
