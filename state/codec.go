package state

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/fileloft/fileloft/tus"
)

// Format is the version of the stored form that [Encode] writes. [Decode] reads it and all before it. A field that an
// older program may drop without harm can be added without a new version; any other change needs one.
const Format = 1

// stored is the stored form of a Record: JSON with short keys, what is empty left out. Keys differ in more than
// their case, because encoding/json takes no notice of that. Text that a client or a hook chose is a JSON string
// where it is valid UTF-8, else the field with the b takes it in base64: it comes back byte for byte.
type stored struct {
	Format int `json:"v"`

	ID       tus.ID     `json:"i"`
	Birth    string     `json:"b,omitempty"`
	Key      string     `json:"k,omitempty"`
	KeyB     []byte     `json:"kb,omitempty"`
	Length   int64      `json:"l"`
	Offset   int64      `json:"o"`
	Phase    tus.Phase  `json:"p,omitempty"`
	Meta     string     `json:"m,omitempty"`
	MetaB    []byte     `json:"mb,omitempty"`
	Role     tus.Role   `json:"cr,omitempty"`
	Parts    []tus.ID   `json:"cp,omitempty"`
	Header   string     `json:"ch,omitempty"`
	HeaderB  []byte     `json:"chb,omitempty"`
	Created  int64      `json:"c,omitempty"` // this and the other times: Unix milliseconds, 0 for none
	Expires  int64      `json:"x,omitempty"`
	Cursor   []byte     `json:"u,omitempty"`
	NextSlot uint32     `json:"s,omitempty"`
	Digest   []byte     `json:"d,omitempty"`
	Pending  tus.Events `json:"e,omitempty"`

	Epoch      tus.Epoch `json:"g"`
	Nonce      string    `json:"n"`
	LeaseUntil int64     `json:"t,omitempty"`
	Due        int64     `json:"w,omitempty"`
}

// Encode returns the stored form of r. It is below 1 KB for an ordinary record.
func Encode(r Record) ([]byte, error) {
	u := r.Upload
	if err := checkUpload(u); err != nil {
		return nil, fmt.Errorf("state: encode %s: %w", u.ID, err)
	}
	if r.Epoch == 0 || r.Nonce == "" {
		return nil, fmt.Errorf("state: encode %s: a record has an epoch and a nonce", u.ID)
	}
	s := stored{
		Format: Format,
		ID:     u.ID, Birth: u.Birth, Length: u.Length, Offset: u.Offset, Phase: u.Phase,
		Role: u.Concat.Role, Parts: u.Concat.Parts,
		Created: toMillis(u.Created), Expires: toMillis(u.Expires),
		Cursor: u.Cursor, NextSlot: u.NextSlot, Digest: u.Digest, Pending: u.Pending,
		Epoch: r.Epoch, Nonce: r.Nonce, LeaseUntil: toMillis(r.LeaseUntil), Due: toMillis(r.Due),
	}
	s.Key, s.KeyB = split(u.Key)
	s.Meta, s.MetaB = split(u.Metadata)
	s.Header, s.HeaderB = split(u.Concat.Header)

	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // six bytes for an ampersand
	if err := enc.Encode(s); err != nil {
		return nil, fmt.Errorf("state: encode %s: %w", u.ID, err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// Decode reads what [Encode] of this or an earlier version wrote. Fields that it does not know are left aside.
func Decode(b []byte) (Record, error) {
	var s stored
	err := json.Unmarshal(b, &s)
	if v := format(b, s.Format, err); v > Format {
		return Record{}, fmt.Errorf("state: record %s has the format %d, this program reads up to %d: run a newer one",
			s.ID, v, Format)
	}
	switch {
	case err != nil:
		return Record{}, fmt.Errorf("state: decode record: %w", err)
	case s.Format < 1:
		return Record{}, errors.New("state: decode record: no format number, so this is no record")
	case s.Phase > tus.Doomed:
		return Record{}, fmt.Errorf("state: decode record %s: unknown %s", s.ID, s.Phase)
	}
	return Record{
		Upload: tus.Upload{
			ID: s.ID, Birth: s.Birth, Key: join(s.Key, s.KeyB), Length: s.Length, Offset: s.Offset, Phase: s.Phase,
			Metadata: join(s.Meta, s.MetaB),
			Concat:   tus.Concat{Role: s.Role, Parts: s.Parts, Header: join(s.Header, s.HeaderB)},
			Created:  fromMillis(s.Created), Expires: fromMillis(s.Expires),
			Cursor: s.Cursor, NextSlot: s.NextSlot, Digest: s.Digest, Pending: s.Pending,
		},
		Epoch: s.Epoch, Nonce: s.Nonce, LeaseUntil: fromMillis(s.LeaseUntil), Due: fromMillis(s.Due),
	}, nil
}

// format returns the format number of b, which may lie behind a field that this version cannot read.
func format(b []byte, v int, err error) int {
	if err == nil || v != 0 {
		return v
	}
	var only struct {
		Format int `json:"v"`
	}
	_ = json.Unmarshal(b, &only) // err already says what is wrong
	return only.Format
}

func split(text string) (string, []byte) {
	if utf8.ValidString(text) {
		return text, nil
	}
	return "", []byte(text)
}

func join(text string, raw []byte) string {
	if len(raw) > 0 {
		return string(raw)
	}
	return text
}

func toMillis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
