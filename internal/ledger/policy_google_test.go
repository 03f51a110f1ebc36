package ledger

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/firestore"
	"cloud.google.com/go/storage"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/api/option"

	"github.com/fileloft/fileloft/internal/deploy"
	"github.com/fileloft/fileloft/storage/gcsstore"
	"github.com/fileloft/fileloft/storage/gcsstore/gcsfake"
	"github.com/fileloft/fileloft/tus"
)

// requestsToGoogle are what clients send, with empty uploads, small and large ones.
func requestsToGoogle(f *life) {
	for _, size := range []int{0, 10, 12 * mib} {
		url := f.upload(size, size)
		f.do(http.MethodHead, url, http.StatusOK)
		f.do(http.MethodDelete, url, http.StatusNoContent)
		f.do(http.MethodHead, url, http.StatusNotFound)
	}
	f.do(http.MethodDelete, f.upload(20*mib, 12*mib), http.StatusNoContent)

	long := create(f.t, f.url, "Upload-Length", "12582912") // a body that is longer than a chunk
	want(f.t, patch(f.t, long, 0, make([]byte, 12*mib)), http.StatusNoContent)

	a, b := f.upload(6*mib, 6*mib, "Upload-Concat", "partial"), f.upload(7*mib, 7*mib, "Upload-Concat", "partial")
	f.do(http.MethodDelete, create(f.t, f.url, "Upload-Concat", "final;"+a+" "+b), http.StatusNoContent)
}

// What the two functions call, in a life that has all of it, is what the roles of their accounts allow: nothing is missing, and nothing is
// allowed that is not used. Cloud Storage answers 403 instead of 404 for what is not there to those who may not list the bucket, so
// each 404 counts as a use of storage.objects.list. Links are not signed here: see the test below.
func TestTheGoogleRolesAllowWhatIsCalled(t *testing.T) {
	month := func() time.Time { return time.Now().Add(-30 * 24 * time.Hour) } // so that stray pieces are old enough to be collected
	g := newGoogle(t, gcsfake.Options{Now: month})
	settings := []string{
		"FILELOFT_ENABLE_EXPIRATION=true", "FILELOFT_EXPIRATION_TTL=" + expiration.String(), "FILELOFT_LEASE_TTL=" + lease.String(),
		"FILELOFT_ENABLE_CONCATENATION=true",
	}
	f := &life{t: t, wire: New()}
	f.wire.Before = f.before
	endpoint := g.function(t, f.wire, "Fileloft", settings...)
	f.url, f.die, f.revive = endpoint.URL+"/files/", endpoint.kill, endpoint.start

	requestsToGoogle(f)
	_, sealed := f.killed("objects.insert", "objects.compose")
	f.upload(20*mib, 12*mib)         // expires
	f.upload(10, 5)                  // expires, small
	lost := f.upload(20*mib, 12*mib) // the time-to-live policy takes its record away
	time.Sleep(expiration + lease)
	records := g.database(t).Collection("fileloft")
	if _, err := records.Doc(idOf(lost)).Delete(t.Context(), firestore.Exists); err != nil {
		t.Fatal(err)
	}
	passGraceOnGoogle(t, records.Doc(idOf(sealed)))

	swept := New()
	if r := g.function(t, swept, "FileloftSweep", settings...).sweep(t); r != (tus.SweepReport{Completed: 1, Expired: 2, Collected: 1}) {
		t.Errorf("the sweep did %+v", r)
	}
	roles, err := deploy.GooglePermissions(root)
	if err != nil {
		t.Fatal(err)
	}
	for function, bill := range map[string]Bill{"endpoint": f.wire.Take(), "sweeper": swept.Take()} {
		t.Logf("%s: %v", function, bill.Actions)
		allowed := slices.Sorted(slices.Values(slices.Concat(roles["objects"], roles[function])))
		if d := cmp.Diff(slices.Sorted(maps.Keys(bill.Actions)), allowed); d != "" {
			t.Errorf("%s: called (-), allowed by infra/terraform/gcp (+):\n%s", function, d)
		}
	}
}

// passGraceOnGoogle makes a record due that a sweep would leave to its holder for a minute more. The fields are those of package
// firestorestate's document.
func passGraceOnGoogle(t *testing.T, doc *firestore.DocumentRef) {
	t.Helper()
	_, err := doc.Update(t.Context(), []firestore.Update{
		{FieldPath: firestore.FieldPath{"record", "due"}, Value: time.Now()},
		{FieldPath: firestore.FieldPath{"bucket"}, Value: time.Now().Add(-20 * time.Minute)},
	})
	if err != nil {
		t.Fatal(err)
	}
}

// to is a transport that leads all requests to one server, and says where they wanted to go.
type to struct {
	url  *url.URL
	seen *[]string
}

func (c to) RoundTrip(r *http.Request) (*http.Response, error) {
	*c.seen = append(*c.seen, r.Method+" "+r.URL.String())
	r = r.Clone(r.Context())
	r.URL.Scheme, r.URL.Host = c.url.Scheme, c.url.Host
	return http.DefaultTransport.RoundTrip(r)
}

// On the platform there is no key: the client library asks the metadata server whose account this is, and IAM for a signature. That
// is the one permission of the role signer, by "Required permissions" of signBlob in IAM's documentation.
func TestALinkNeedsTheRoleSigner(t *testing.T) {
	const account = "fileloft-endpoint@p.iam.gserviceaccount.com"
	metadata := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Metadata-Flavor", "Google")
		if !strings.HasSuffix(r.URL.Path, "/service-accounts/default/email") {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write([]byte(account))
	}))
	defer metadata.Close()
	t.Setenv("GCE_METADATA_HOST", strings.TrimPrefix(metadata.URL, "http://"))
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nonexistent/credentials.json") // whose machine this is does not matter
	iam := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]string{"signedBlob": base64.StdEncoding.EncodeToString([]byte("signature"))})
	}))
	defer iam.Close()
	u, err := url.Parse(iam.URL)
	if err != nil {
		t.Fatal(err)
	}
	var seen []string
	client, err := storage.NewClient(t.Context(), option.WithHTTPClient(&http.Client{Transport: to{u, &seen}}))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	store, err := gcsstore.New(client, bucket, nil)
	if err != nil {
		t.Fatal(err)
	}
	link, err := store.Link(t.Context(), tus.Upload{ID: "id"}, "", "")
	if err != nil || !strings.Contains(link, url.QueryEscape(account)) {
		t.Fatalf("%s, %v", link, err)
	}
	var permissions []string
	for _, call := range seen {
		call, _, _ = strings.Cut(call, "?")
		if call != "POST https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/"+account+":signBlob" {
			t.Errorf("a link makes the call %s", call)
		}
		permissions = append(permissions, "iam.serviceAccounts.signBlob")
	}
	roles, err := deploy.GooglePermissions(root)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(permissions, roles["signer"]); d != "" {
		t.Errorf("called (-), allowed by infra/terraform/gcp (+):\n%s", d)
	}
}
