package gcsstore

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"

	"google.golang.org/api/iamcredentials/v1"
)

// A Signer signs links for a service account. It is safe for concurrent use.
type Signer interface {
	// Email is the service account's name.
	Email() string
	// Sign returns an RSA signature (PKCS #1 v1.5) over the SHA-256 of data.
	Sign(ctx context.Context, data []byte) ([]byte, error)
}

// NewKeySigner returns a Signer with the key of a service account, as the JSON file that Google gives out has it. Nothing is sent.
func NewKeySigner(file []byte) (Signer, error) {
	var account struct {
		Email string `json:"client_email"`
		Key   string `json:"private_key"`
	}
	if err := json.Unmarshal(file, &account); err != nil {
		return nil, fmt.Errorf("gcsstore: read key file: %w", err)
	}
	block, _ := pem.Decode([]byte(account.Key))
	if account.Email == "" || block == nil {
		return nil, errors.New("gcsstore: read key file: it is not a service account's")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("gcsstore: read key file: %w", err)
	}
	key, ok := parsed.(*rsa.PrivateKey)
	if !ok {
		return nil, errors.New("gcsstore: read key file: its key is not RSA")
	}
	return &keySigner{account.Email, key}, nil
}

type keySigner struct {
	email string
	key   *rsa.PrivateKey
}

func (k *keySigner) Email() string { return k.email }

func (k *keySigner) Sign(_ context.Context, data []byte) ([]byte, error) {
	sum := sha256.Sum256(data)
	return rsa.SignPKCS1v15(rand.Reader, k.key, crypto.SHA256, sum[:])
}

// NewIAMSigner returns a Signer that has IAM sign, where there is no key: one call (signBlob) for each link. The caller of service
// needs the role Service Account Token Creator on the service account, its own included.
func NewIAMSigner(service *iamcredentials.Service, email string) Signer {
	return &iamSigner{service, email}
}

type iamSigner struct {
	service *iamcredentials.Service
	email   string
}

func (i *iamSigner) Email() string { return i.email }

func (i *iamSigner) Sign(ctx context.Context, data []byte) ([]byte, error) {
	in := &iamcredentials.SignBlobRequest{Payload: base64.StdEncoding.EncodeToString(data)}
	out, err := i.service.Projects.ServiceAccounts.SignBlob("projects/-/serviceAccounts/"+i.email, in).Context(ctx).Do()
	if err != nil {
		return nil, fmt.Errorf("sign as %s: %w", i.email, err)
	}
	return base64.StdEncoding.DecodeString(out.SignedBlob)
}
