package azurestore

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/sas"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"
)

// A Signer makes shared access signatures. It is safe for concurrent use.
type Signer interface {
	Sign(ctx context.Context, values sas.BlobSignatureValues) (sas.QueryParameters, error)
}

// NewKeySigner returns a Signer with one of the account's keys, as a connection string has it. Nothing is sent.
func NewKeySigner(account, key string) (Signer, error) {
	c, err := service.NewSharedKeyCredential(account, key)
	if err != nil {
		return nil, fmt.Errorf("azurestore: read account key: %w", err)
	}
	return &keySigner{c}, nil
}

type keySigner struct{ key *sas.SharedKeyCredential }

func (k *keySigner) Sign(_ context.Context, v sas.BlobSignatureValues) (sas.QueryParameters, error) {
	return v.SignWithSharedKey(k.key)
}

// NewDelegationSigner returns a Signer for clients with a token (azidentity), which have no key: it asks Azure for a user's delegated key,
// which is used for a day, so one call a day. The identity needs the role Storage Blob Delegator on the account, or a role that
// includes it, and the signatures allow no more than the identity may do.
func NewDelegationSigner(client *service.Client) Signer {
	return &delegationSigner{client: client, now: time.Now}
}

// keyLife is how long a delegated key lives, Azure's most being a week. It is renewed a day after it was made.
const (
	keyLife  = 7 * 24 * time.Hour
	keyRenew = 24 * time.Hour
)

type delegationSigner struct {
	client *service.Client
	now    func() time.Time

	mu   sync.Mutex
	key  *sas.UserDelegationCredential
	made time.Time
}

func (d *delegationSigner) Sign(ctx context.Context, v sas.BlobSignatureValues) (sas.QueryParameters, error) {
	key, err := d.current(ctx)
	if err != nil {
		return sas.QueryParameters{}, err
	}
	return v.SignWithUserDelegation(key)
}

// current returns the key, or another where it has grown old.
func (d *delegationSigner) current(ctx context.Context) (*sas.UserDelegationCredential, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.now().UTC()
	if d.key != nil && now.Sub(d.made) < keyRenew {
		return d.key, nil
	}
	// Clocks differ: a key whose time has not begun yet is refused.
	start, end := now.Add(-15*time.Minute).Format(sas.TimeFormat), now.Add(keyLife-time.Hour).Format(sas.TimeFormat)
	key, err := d.client.GetUserDelegationCredential(ctx, service.KeyInfo{Start: &start, Expiry: &end}, nil)
	if err != nil {
		return nil, fmt.Errorf("get user delegation key: %w", err)
	}
	d.key, d.made = key, now
	return key, nil
}

// sign returns a URL of a blob that allows to read it.
func (s *Store) sign(ctx context.Context, name string, v sas.BlobSignatureValues) (string, error) {
	v.ContainerName, v.BlobName = s.name, name
	v.Permissions = (&sas.BlobPermissions{Read: true}).String()
	v.ExpiryTime = v.ExpiryTime.UTC()
	if v.Protocol = sas.ProtocolHTTPS; s.http {
		v.Protocol = sas.ProtocolHTTPSandHTTP
	}
	q, err := s.opt.Signer.Sign(ctx, v)
	if err != nil {
		return "", err
	}
	url, _, _ := strings.Cut(s.client.NewBlobClient(name).URL(), "?")
	return url + "?" + q.Encode(), nil
}
