package tus

import (
	"crypto/sha256"
	"encoding"
	"encoding/binary"
	"errors"
	"hash"
	"hash/crc32"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Sums are digests over all committed bytes of an upload.
type Sums struct {
	CRC32C uint32
	SHA256 []byte // nil where it is not kept
}

// Sums returns the digests over the committed bytes, without reading them back: their state travels in the record.
func (u *Upload) Sums() (Sums, error) {
	d, err := parseDigest(u.Digest)
	if err != nil {
		return Sums{}, err
	}
	s := Sums{CRC32C: d.crc}
	if d.sha != nil {
		s.SHA256 = d.sha.Sum(nil)
	}
	return s, nil
}

// digest is the rolling digest: crc32c always, SHA-256 where switched on. Stored form: a version byte (1), the
// crc (4 bytes, big endian), then the marshalled state of crypto/sha256, or nothing.
type digest struct {
	crc uint32
	sha hash.Hash
}

const digestVersion = 1

// newDigest returns the digest of no bytes.
func newDigest(withSHA256 bool) *digest {
	d := &digest{}
	if withSHA256 {
		d.sha = sha256.New()
	}
	return d
}

// parseDigest reads the stored form; an empty one is the digest of no bytes without SHA-256.
func parseDigest(b []byte) (*digest, error) {
	if len(b) == 0 {
		return &digest{}, nil
	}
	if b[0] != digestVersion || len(b) < 5 {
		return nil, errors.New("tus: digest state of an unknown version")
	}
	d := &digest{crc: binary.BigEndian.Uint32(b[1:5])}
	if len(b) > 5 {
		d.sha = sha256.New()
		if err := d.sha.(encoding.BinaryUnmarshaler).UnmarshalBinary(b[5:]); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// write adds p.
func (d *digest) write(p []byte) {
	d.crc = crc32.Update(d.crc, castagnoli, p)
	if d.sha != nil {
		_, _ = d.sha.Write(p)
	}
}

// state returns the stored form.
func (d *digest) state() []byte {
	b := binary.BigEndian.AppendUint32([]byte{digestVersion}, d.crc)
	if d.sha != nil {
		if app, ok := d.sha.(encoding.BinaryAppender); ok {
			b, _ = app.AppendBinary(b) // never fails for crypto/sha256
		}
	}
	return b
}
