package tus

import (
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
)

// parseChecksum reads an Upload-Checksum header: an algorithm, a space, and the digest in base64.
func parseChecksum(values []string) (*checksum, error) {
	if len(values) != 1 {
		return nil, refuse(codeBadChecksum, "there must be exactly one Upload-Checksum")
	}
	name, encoded, _ := strings.Cut(values[0], " ")
	h := newChecksum(name)
	if h == nil {
		return nil, refuse(codeBadChecksum, "the algorithm of Upload-Checksum is none of "+strings.Join(checksumNames, ", "))
	}
	want, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(want) != h.Size() {
		return nil, refuse(codeBadChecksum, "the digest in Upload-Checksum is not base64, or not as long as its algorithm's")
	}
	return &checksum{algorithm: name, want: want}, nil
}

// number reads a header that holds a count of bytes: digits only, at most 2^63-1.
func number(hd http.Header, name string) (n int64, present bool, err error) {
	values := hd.Values(name)
	if len(values) == 0 {
		return Unknown, false, nil
	}
	v := values[0]
	if len(values) > 1 || v == "" || strings.Trim(v, "0123456789") != "" {
		return 0, true, refuse(codeBadHeader, name+" must be one number, in digits only")
	}
	n, err = strconv.ParseInt(v, 10, 64)
	if err != nil {
		return 0, true, refuse(codeBadHeader, name+" is larger than any upload can be")
	}
	return n, true, nil
}

// uploadLimit tells what one upload and one request may carry, as a dictionary of structured fields (RFC 9651). Its
// name and keys are those of draft-ietf-httpbis-resumable-upload; clients of tus 1.0.0 may read it too.
func uploadLimit(hd http.Header, o *Options) {
	var list []string
	if o.MaxSize > 0 {
		list = append(list, "max-size="+strconv.FormatInt(o.MaxSize, 10))
	}
	if o.MaxChunk > 0 {
		list = append(list, "max-append-size="+strconv.FormatInt(o.MaxChunk, 10))
	}
	if len(list) > 0 {
		hd.Set("Upload-Limit", strings.Join(list, ", "))
	}
}

// expires says when an unfinished upload will be gone.
func expires(hd http.Header, u *Upload) {
	if !u.Expires.IsZero() {
		hd.Set("Upload-Expires", u.Expires.UTC().Format(http.TimeFormat))
	}
}

// reprDigest shows the digests of a finished upload (RFC 9530, section 3).
func reprDigest(hd http.Header, u *Upload) {
	s, err := u.Sums()
	if err != nil {
		return // kept by a newer version; HEAD does without
	}
	b := []byte{byte(s.CRC32C >> 24), byte(s.CRC32C >> 16), byte(s.CRC32C >> 8), byte(s.CRC32C)}
	v := "crc32c=:" + base64.StdEncoding.EncodeToString(b) + ":"
	if s.SHA256 != nil {
		v += ", sha-256=:" + base64.StdEncoding.EncodeToString(s.SHA256) + ":"
	}
	hd.Set("Repr-Digest", v)
}
