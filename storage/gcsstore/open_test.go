package gcsstore

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"google.golang.org/api/iamcredentials/v1"
	"google.golang.org/api/option"

	"github.com/fileloft/fileloft/storage/gcsstore/gcsfake"
	objectheaders "github.com/fileloft/fileloft/storage/headers"
	"github.com/fileloft/fileloft/tus"
)

// What a browser is told, by the object itself and by a signed link: for objects that were composed, rewritten, joined and empty.
func TestHeadersAndLinks(t *testing.T) {
	signer, key := keySignerForTest(t)
	for _, class := range []string{"", "NEARLINE"} {
		s, _ := onFake(t, Options{Prefix: "in/", StorageClass: class, Signer: signer, InsecureLinks: true}, gcsfake.Options{})
		for _, size := range []int{0, 9, 40} {
			p := newUpload(t, s, int64(size))
			u := &p.lease.Upload
			u.Key = "a b/ü+&.txt " + string(u.ID)
			u.Metadata = "filename w5xidW5nLnBkZg==,filetype YXBwbGljYXRpb24vcGRm" // Übung.pdf, application/pdf
			for range size {
				p.append("h")
			}
			if err := p.complete(); err != nil {
				t.Fatal(err)
			}
			o, err := s.bucket.Object("in/" + u.Key).Attrs(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if o.ContentType != "application/pdf" || o.ContentDisposition != objectheaders.Disposition("Übung.pdf") || class != "" && o.StorageClass != class {
				t.Errorf("%d bytes: %q, %q, %q", size, o.ContentType, o.ContentDisposition, o.StorageClass)
			}
			link, err := s.Link(t.Context(), *u, `attachment; filename="x.txt"`, "text/plain")
			if err != nil {
				t.Fatal(err)
			}
			checkSignature(t, link, key)
			res, err := http.Get(link)
			if err != nil {
				t.Fatal(err)
			}
			_ = res.Body.Close()
			if res.StatusCode != 200 || res.Header.Get("Content-Type") != "text/plain" || res.ContentLength != int64(size) ||
				res.Header.Get("Content-Disposition") != `attachment; filename="x.txt"` {
				t.Errorf("link: %v %v", res.Status, res.Header)
			}
		}
	}
}

func TestALinkEnds(t *testing.T) {
	signer, _ := keySignerForTest(t)
	s, _ := onFake(t, Options{Signer: signer, InsecureLinks: true, LinkTTL: time.Minute},
		gcsfake.Options{Now: func() time.Time { return time.Now().Add(2 * time.Minute) }})
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
	if res.StatusCode != 400 {
		t.Errorf("after its time: %s", res.Status)
	}
}

func keySignerForTest(t *testing.T) (Signer, *rsa.PublicKey) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	file, _ := json.Marshal(map[string]string{
		"type": "service_account", "client_email": "up@example.iam",
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
	})
	signer, err := NewKeySigner(file)
	if err != nil {
		t.Fatal(err)
	}
	return signer, &key.PublicKey
}

// checkSignature holds a link against https://cloud.google.com/storage/docs/access-control/signing-urls-manually, step by step.
func checkSignature(t *testing.T, link string, key *rsa.PublicKey) {
	t.Helper()
	req, err := http.NewRequest("GET", link, nil)
	if err != nil {
		t.Fatal(err)
	}
	u, q := req.URL, req.URL.Query()
	sig := make([]byte, 256)
	if n, err := hex.Decode(sig, []byte(q.Get("X-Goog-Signature"))); err != nil || n != 256 {
		t.Fatalf("a signature of %d bytes, %v", n, err)
	}
	q.Del("X-Goog-Signature")
	canonical := strings.Join([]string{
		"GET", u.EscapedPath(), strings.ReplaceAll(q.Encode(), "+", "%20"), "host:" + u.Hostname() + "\n", "host", "UNSIGNED-PAYLOAD",
	}, "\n")
	scope := q.Get("X-Goog-Date")[:8] + "/auto/storage/goog4_request"
	if want := "up@example.iam/" + scope; q.Get("X-Goog-Credential") != want {
		t.Errorf("credential %q instead of %q", q.Get("X-Goog-Credential"), want)
	}
	sum := sha256.Sum256([]byte(canonical))
	text := strings.Join([]string{"GOOG4-RSA-SHA256", q.Get("X-Goog-Date"), scope, hex.EncodeToString(sum[:])}, "\n")
	sum = sha256.Sum256([]byte(text))
	if err := rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], sig); err != nil {
		t.Errorf("%s: %v", link, err)
	}
}

func TestKeyFilesThatAreNone(t *testing.T) {
	for _, file := range []string{"", "{}", `{"client_email":"a@b","private_key":"x"}`, `{"client_email":"a@b","private_key":"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"}`} {
		if _, err := NewKeySigner([]byte(file)); err == nil {
			t.Errorf("%q: no error", file)
		}
	}
}

// Without a key IAM signs: https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/signBlob.
func TestIAMSigns(t *testing.T) {
	signer, key := keySignerForTest(t)
	iam := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != "POST" || r.URL.Path != "/v1/projects/-/serviceAccounts/up@example.iam:signBlob" {
			http.Error(w, r.URL.Path, http.StatusNotFound)
			return
		}
		var in struct{ Payload string }
		b, _ := io.ReadAll(r.Body)
		if err := json.Unmarshal(b, &in); err != nil {
			http.Error(w, "", http.StatusBadRequest)
			return
		}
		data, _ := base64.StdEncoding.DecodeString(in.Payload)
		sig, _ := signer.Sign(r.Context(), data)
		_ = json.NewEncoder(w).Encode(map[string]string{"signedBlob": base64.StdEncoding.EncodeToString(sig)})
	}))
	defer iam.Close()
	service, err := iamcredentials.NewService(t.Context(), option.WithEndpoint(iam.URL), option.WithHTTPClient(iam.Client()))
	if err != nil {
		t.Fatal(err)
	}
	s, _ := onFake(t, Options{Signer: NewIAMSigner(service, "up@example.iam")}, gcsfake.Options{})
	u := tus.Upload{ID: "i", Birth: "b", Length: 3}
	link, err := s.Link(t.Context(), u, "", "")
	if err != nil || !strings.HasPrefix(link, "https://") {
		t.Fatalf("%s, %v", link, err)
	}
	checkSignature(t, link, key)
	s.opt.Signer = NewIAMSigner(service, "other@example.iam")
	if _, err := s.Link(context.Background(), u, "", ""); err == nil {
		t.Error("a service account that is not there: no error")
	}
}
