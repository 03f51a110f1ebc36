package azurestore

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/sas"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"

	"github.com/fileloft/fileloft/tus"
)

type token struct{}

func (token) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: "t", ExpiresOn: time.Now().Add(time.Hour)}, nil
}

const delegatedKey = `<?xml version="1.0" encoding="utf-8"?><UserDelegationKey><SignedOid>oid</SignedOid><SignedTid>tid</SignedTid>` +
	`<SignedStart>2026-11-23T00:00:00Z</SignedStart><SignedExpiry>2026-11-29T00:00:00Z</SignedExpiry><SignedService>b</SignedService>` +
	`<SignedVersion>2020-02-10</SignedVersion><Value>a2V5</Value></UserDelegationKey>`

// With a token a user's delegated key signs, which is asked for once a day. The service is played here.
func TestADelegatedKeySigns(t *testing.T) {
	asked := 0
	w := &wire{play: func(c call) (*http.Response, error) {
		if c.op != "POST userdelegationkey" || c.req.Header.Get("Authorization") != "Bearer t" {
			return answer(c.req, http.StatusForbidden, "AuthorizationFailure"), nil
		}
		asked++
		res := answer(c.req, http.StatusOK, "")
		res.Header.Set("Content-Type", "application/xml")
		res.Body = io.NopCloser(strings.NewReader(delegatedKey))
		return res, nil
	}}
	o := azcore.ClientOptions{Transport: w}
	client, err := service.NewClient("https://a.blob.core.windows.net/", token{}, &service.ClientOptions{ClientOptions: o})
	if err != nil {
		t.Fatal(err)
	}
	signer := NewDelegationSigner(client)
	c, err := container.NewClient("https://a.blob.core.windows.net/up", token{}, &container.ClientOptions{ClientOptions: o})
	if err != nil {
		t.Fatal(err)
	}
	s := storeOn(t, c, Options{Signer: signer})
	u := tus.Upload{ID: "i", Birth: "b", Key: "a b/ü.txt", Length: 3}
	var link string
	for range 3 {
		if link, err = s.Link(t.Context(), u, "attachment", "text/plain"); err != nil {
			t.Fatal(err)
		}
	}
	parsed, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	q := parsed.Query()
	for name, want := range map[string]string{
		"skoid": "oid", "sktid": "tid", "sks": "b", "sp": "r", "sr": "b", "spr": "https", "rscd": "attachment", "rsct": "text/plain",
	} {
		if q.Get(name) != want {
			t.Errorf("%s is %q instead of %q", name, q.Get(name), want)
		}
	}
	if q.Get("sig") == "" || parsed.Path != "/up/a b/ü.txt" || asked != 1 {
		t.Errorf("%s, after %d questions", link, asked)
	}
	if end, err := time.Parse(sas.TimeFormat, q.Get("se")); err != nil || time.Until(end) > s.opt.LinkTTL || time.Until(end) < s.opt.LinkTTL-time.Minute {
		t.Errorf("it ends at %s, %v", q.Get("se"), err)
	}
	d := signer.(*delegationSigner)
	d.now = func() time.Time { return time.Now().Add(keyRenew) }
	if _, err := s.source(t.Context(), "x"); err != nil || asked != 2 {
		t.Errorf("a day later: %d questions, %v", asked, err)
	}

	without := storeOn(t, c, Options{})
	if _, err := without.Link(t.Context(), u, "", ""); err == nil {
		t.Error("a token alone makes no links: no error")
	}
	w.set(func(w *wire) {
		w.play = func(c call) (*http.Response, error) {
			return answer(c.req, http.StatusForbidden, "AuthorizationFailure"), nil
		}
	})
	refused := storeOn(t, c, Options{Signer: NewDelegationSigner(client)})
	if _, err := refused.Link(t.Context(), u, "", ""); err == nil {
		t.Error("a key that is refused: no error")
	}
}

// A client whose own URL is signed hands that on.
func TestASignedClientLendsItsSignature(t *testing.T) {
	c, err := container.NewClientWithNoCredential("https://a.blob.core.windows.net/up?sv=1&sig=2", nil)
	if err != nil {
		t.Fatal(err)
	}
	s := storeOn(t, c, Options{})
	from, err := s.source(t.Context(), "a b")
	if err != nil || from != "https://a.blob.core.windows.net/up/a%20b?sv=1&sig=2" {
		t.Errorf("%s, %v", from, err)
	}
}

func TestKeysThatAreNone(t *testing.T) {
	if _, err := NewKeySigner("a", "no base64!"); err == nil || !strings.HasPrefix(err.Error(), "azurestore: ") {
		t.Errorf("%v", err)
	}
}
