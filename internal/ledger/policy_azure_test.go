package ledger

import (
	"context"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"

	"github.com/fileloft/fileloft/internal/deploy"
	"github.com/fileloft/fileloft/storage/azurestore"
	"github.com/fileloft/fileloft/tus"
)

// builtIn are the built-in roles that the module gives, by "Azure built-in roles for Storage": what each may do with data, and of its other
// actions those that clients need a token for. The common beginnings are left out.
var builtIn = map[string][]string{
	"Storage Blob Data Contributor": {
		"containers/read", "containers/write", "containers/delete", "generateUserDelegationKey/action",
		"blobs/read", "blobs/write", "blobs/add/action", "blobs/delete", "blobs/move/action",
	},
	"Storage Table Data Contributor": {"entities/read", "entities/write", "entities/delete", "entities/add/action", "entities/update/action"},
	"Storage Blob Delegator":         {"generateUserDelegationKey/action"},
}

// smaller are the built-in roles below those, which the module would have to give if they were enough.
var smaller = map[string][]string{
	"Storage Blob Data Contributor":  {"containers/read", "generateUserDelegationKey/action", "blobs/read"}, // Storage Blob Data Reader
	"Storage Table Data Contributor": {"entities/read"},                                                     // Storage Table Data Reader
}

// What the function app calls, in a life that has nearly all of it, is within the built-in roles that its identity has; and the
// smaller roles would not do. Missing is the collection of stray pieces, which must be a day old and which Azurite would have to have made
// then: it lists and deletes blobs, as removals do. Links are not signed with a delegated key here: see the test below.
func TestTheAzureRolesAllowWhatIsCalled(t *testing.T) {
	a := newAzure(t)
	f := &life{t: t, wire: New(), revive: func() {}} // the host starts another one
	f.wire.Before = f.before
	app, url := a.functionApp(t, f.wire,
		"FILELOFT_ENABLE_EXPIRATION=true", "FILELOFT_EXPIRATION_TTL="+expiration.String(), "FILELOFT_LEASE_TTL="+lease.String(),
		"FILELOFT_ENABLE_CONCATENATION=true", "FILELOFT_ENABLE_DOWNLOAD=true")
	f.url = url
	f.die = func() {
		for _, i := range app.Instances() {
			app.Kill(i.PID)
		}
	}

	for _, size := range []int{0, 10, 12 * mib} {
		url := f.upload(size, size)
		f.do(http.MethodHead, url, http.StatusOK)
		download(f, url)
		f.do(http.MethodDelete, url, http.StatusNoContent)
		f.do(http.MethodHead, url, http.StatusNotFound)
	}
	f.do(http.MethodDelete, f.upload(20*mib, 12*mib), http.StatusNoContent)
	x, y := f.upload(6*mib, 6*mib, "Upload-Concat", "partial"), f.upload(7*mib, 7*mib, "Upload-Concat", "partial")
	f.do(http.MethodDelete, create(t, f.url, "Upload-Concat", "final;"+x+" "+y), http.StatusNoContent)

	_, sealed := f.killed("PutBlock", "PutBlockList")
	time.Sleep(lease)
	f.do(http.MethodHead, sealed, http.StatusOK) // completes it
	download(f, sealed)
	f.upload(20*mib, 12*mib) // expires
	f.upload(10, 5)          // expires, small
	time.Sleep(expiration + lease)
	if r := tick(t, app); r != (tus.SweepReport{Expired: 2}) {
		t.Errorf("the sweep did %+v", r)
	}

	roles, err := deploy.AzureRoles(root)
	if err != nil {
		t.Fatal(err)
	}
	bill := f.wire.Take()
	t.Logf("%v", bill.Actions)
	for name, begins := range map[string][]string{"objects": {"containers/", "blobs/"}, "records": {"entities/"}} {
		role := roles[name]
		enough, needs := true, 0
		for _, action := range slices.Sorted(maps.Keys(bill.Actions)) {
			if !slices.ContainsFunc(begins, func(b string) bool { return strings.HasPrefix(action, b) }) {
				continue
			}
			needs++
			if !slices.Contains(builtIn[role], action) {
				t.Errorf("%s, which the module gives for %s, does not allow %s", role, name, action)
			}
			enough = enough && slices.Contains(smaller[role], action)
		}
		if enough || needs == 0 {
			t.Errorf("%s is more than is needed", role)
		}
	}
}

// token is a credential of nobody.
type token struct{}

func (token) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: "x", ExpiresOn: time.Now().Add(time.Hour)}, nil
}

// Without an account's key, as the function app is deployed, the store asks Azure for a key to sign links with, on the account and once for many
// links. That is the one permission of the role signer.
func TestAnAzureLinkNeedsTheRoleSigner(t *testing.T) {
	l := New()
	azure := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/xml")
		now := time.Now().UTC()
		_, _ = w.Write([]byte("<?xml version='1.0' encoding='utf-8'?><UserDelegationKey><SignedOid>o</SignedOid><SignedTid>t</SignedTid>" +
			"<SignedStart>" + now.Format(time.RFC3339) + "</SignedStart><SignedExpiry>" + now.Add(6*24*time.Hour).Format(time.RFC3339) +
			"</SignedExpiry><SignedService>b</SignedService><SignedVersion>2020-10-02</SignedVersion><Value>a2V5</Value></UserDelegationKey>"))
	}))
	defer azure.Close()
	h, err := l.AzureBlobs(azure.URL)
	account := front(t, h, err).URL + "/account/"
	options := azcore.ClientOptions{InsecureAllowCredentialWithHTTP: true}
	keys, err := service.NewClient(account, token{}, &service.ClientOptions{ClientOptions: options})
	if err != nil {
		t.Fatal(err)
	}
	client, err := container.NewClient(account+"uploads", token{}, &container.ClientOptions{ClientOptions: options})
	if err != nil {
		t.Fatal(err)
	}
	store, err := azurestore.New(client, &azurestore.Options{Signer: azurestore.NewDelegationSigner(keys)})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if link, err := store.Link(t.Context(), tus.Upload{ID: "id"}, "", ""); err != nil || !strings.Contains(link, "sig=") {
			t.Fatalf("%s, %v", link, err)
		}
	}
	bill := l.Take()
	constant(t, []Bill{bill}, map[string]map[string]int{"blobs": {"GetUserDelegationKey": 1}}, map[string]float64{blobOther.name: 1})
	roles, err := deploy.AzureRoles(root)
	if err != nil {
		t.Fatal(err)
	}
	for action := range bill.Actions {
		if role := roles["signer"]; !slices.Equal(builtIn[role], []string{action}) {
			t.Errorf("the role %s is not just %s", role, action)
		}
	}
}
