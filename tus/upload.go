package tus

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"time"
)

// An ID names one upload, in URLs, object keys and database keys alike: 1 to 128 characters of A-Z, a-z,
// 0-9, '-' and '_'. It is the only thing that a client needs to know to reach an upload, so it must not be
// guessable: [NewID] draws 144 random bits.
type ID string

// maxIDLen keeps an ID, with everything a driver adds to it, below the key limits of every store.
const maxIDLen = 128

// NewID returns a fresh random ID: 24 characters, nearly 144 bits. It does not end with a z: Google's Cloud Run keeps paths that
// end so for itself ("Known issues in Cloud Run"), and one upload in 64 would have one.
func NewID() ID {
	for {
		if id := randomText(18); id[len(id)-1] != 'z' {
			return ID(id)
		}
	}
}

// newBirth returns a mark for [Upload.Birth]: 12 characters, 72 bits.
func newBirth() string { return randomText(9) }

// NewNonce returns a fresh nonce for a [Claim]: 16 characters, 96 bits.
func NewNonce() string { return randomText(12) }

// randomText returns n random bytes in URL-safe base64; n is a multiple of three, so nothing is padded.
func randomText(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails: crypto/rand aborts the program instead
	return base64.URLEncoding.EncodeToString(b)
}

// Validate says what is wrong with an ID that came from outside: from a URL or from a hook.
func (id ID) Validate() error {
	if id == "" || len(id) > maxIDLen {
		return fmt.Errorf("tus: an upload id has 1 to %d characters", maxIDLen)
	}
	for i := range len(id) {
		switch c := id[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_':
		default:
			return fmt.Errorf("tus: an upload id consists of A-Z, a-z, 0-9, '-' and '_'")
		}
	}
	return nil
}

// Unknown is the [Upload.Length] of an upload whose length the client has not declared yet.
const Unknown int64 = -1

// A Phase says how far an upload has come. It only moves forward.
type Phase uint8

const (
	Open   Phase = iota // takes bytes
	Sealed              // all bytes are committed; the object is being put in place
	Done                // the object is in place
	Doomed              // being removed; to clients it is gone already
)

func (p Phase) String() string {
	switch p {
	case Open:
		return "open"
	case Sealed:
		return "sealed"
	case Done:
		return "done"
	case Doomed:
		return "doomed"
	}
	return fmt.Sprintf("phase(%d)", uint8(p))
}

// A Cursor is a storage driver's private note on the committed bytes of an upload: which pieces they are and
// where. Nobody else reads it. It travels in the record, so it stays small: see [MaxCursor].
type Cursor []byte

// MaxCursor is the largest Cursor in bytes: the tightest database property that a record lives in
// (Azure Table: 64 KiB in UTF-16) leaves this much room.
const MaxCursor = 16 << 10

// A Role says what part an upload plays in a concatenation.
type Role uint8

const (
	Whole   Role = iota // none: an ordinary upload
	Partial             // a source for final uploads
	Final               // made of partial uploads; takes no bytes itself
	waiting             // no upload at all: the list of final uploads that wait for a partial one
)

// Concat is an upload's part in a concatenation.
type Concat struct {
	Role   Role
	Parts  []ID   // of a Final: its sources in order; one may appear twice
	Header string // of a Final: Upload-Concat as received, for HEAD
}

// An Upload is the durable record of one upload. It is a value: copy it, change the copy, commit the copy.
// Slices inside are never changed in place.
type Upload struct {
	ID ID
	// Birth is a random mark of this record's life. Names of pieces carry it, so that an ID that is used again
	// after a deletion never meets pieces of its earlier life.
	Birth string
	// Key is where the storage publishes the finished object, a slash-separated relative path below the
	// driver's prefix or directory. Empty means the ID.
	Key      string
	Length   int64 // in bytes, or Unknown
	Offset   int64 // committed bytes
	Phase    Phase
	Metadata string // Upload-Metadata as received, echoed byte for byte
	Concat   Concat
	Created  time.Time
	Expires  time.Time // zero: never
	Cursor   Cursor
	// NextSlot is the first slot that no committed or abandoned piece uses. See [Slots].
	NextSlot uint32
	Digest   []byte // resumable state of the rolling digest over the committed bytes; see [Upload.Sums]
	Pending  Events // events that are still owed to the hook
}

// ObjectKey returns the key of the finished object: Key, or the ID where none was chosen.
func (u *Upload) ObjectKey() string {
	if u.Key != "" {
		return u.Key
	}
	return string(u.ID)
}

// gone reports whether the record is nothing that a client may see.
func (u *Upload) gone() bool { return u.Phase == Doomed || u.Concat.Role == waiting }

// Left returns how many bytes are missing, or Unknown.
func (u *Upload) Left() int64 {
	if u.Length == Unknown {
		return Unknown
	}
	return u.Length - u.Offset
}
