package tus

import (
	"bytes"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"hash"
	"hash/crc32"
)

// A checksum is what the client says about one request's body.
type checksum struct {
	algorithm string
	want      []byte
}

// checksumNames are the algorithms in the order in which they are advertised.
var checksumNames = []string{"sha1", "sha256", "sha512", "md5", "crc32"}

// newChecksum returns a hash for one of checksumNames, or nil.
func newChecksum(name string) hash.Hash {
	switch name {
	case "sha1":
		return sha1.New()
	case "sha256":
		return sha256.New()
	case "sha512":
		return sha512.New()
	case "md5":
		return md5.New()
	case "crc32":
		return crc32.NewIEEE()
	}
	return nil
}

// A verifier computes what a body's checksum may need: one hash where the algorithm is known beforehand, all
// of them where a trailer will name it.
type verifier struct {
	names  []string
	hashes []hash.Hash
	sum    func() (*checksum, error)
}

// newVerifier prepares to check a body; nil where nothing is announced.
func newVerifier(b *body) (*verifier, error) {
	if b.sum == nil {
		return nil, nil
	}
	v := &verifier{sum: b.sum, names: checksumNames}
	if !b.trailed {
		c, err := b.sum()
		if err != nil {
			return nil, err
		}
		v.names = []string{c.algorithm}
	}
	for _, n := range v.names {
		v.hashes = append(v.hashes, newChecksum(n))
	}
	return v, nil
}

// check compares, after the whole body has gone through the hashes.
func (v *verifier) check() error {
	c, err := v.sum()
	if err != nil {
		return err
	}
	for i, n := range v.names {
		if n == c.algorithm {
			if bytes.Equal(v.hashes[i].Sum(nil), c.want) {
				return nil
			}
			break
		}
	}
	return refuse(codeMismatch, "the body does not match its checksum; it was not stored")
}
