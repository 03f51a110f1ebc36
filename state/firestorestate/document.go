package firestorestate

import (
	"fmt"
	"hash/crc32"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"cloud.google.com/go/firestore"

	"github.com/fileloft/fileloft/state"
	"github.com/fileloft/fileloft/tus"
)

// format is the version of the document that this program writes. It reads that and all before it. A field that an older
// program may leave alone can be added without a new version: an update keeps the fields that it does not name.
const format = 1

// The fields at the top of a document. None has an index of its own.
const (
	fieldRecord = "record"   // map, see below
	fieldShard  = "shard"    // integer: with bucket the index of what is due
	fieldBucket = "bucket"   // timestamp: due, cut to bucketSize
	fieldExpire = "expireAt" // timestamp: what the TTL policy reads, see keepAfterExpiry
)

// The fields of the record: one map, so that one exemption keeps all of them out of the indexes. They have words for names,
// for people who look at them. What is zero or empty is left out. A text is a string, or bytes where it is no valid UTF-8. A
// time is a timestamp, or Unix milliseconds where it lies outside of what Firestore's timestamps hold.
const (
	fieldFormat   = "format"
	fieldEpoch    = "epoch"
	fieldNonce    = "nonce"
	fieldBirth    = "birth"
	fieldLease    = "leaseUntil"
	fieldDue      = "due"
	fieldLength   = "length"
	fieldOffset   = "offset"
	fieldNextSlot = "nextSlot"
	fieldPhase    = "phase" // a word
	fieldKey      = "key"
	fieldMetadata = "metadata"
	fieldRole     = "concatRole"
	fieldParts    = "concatParts"
	fieldHeader   = "concatHeader"
	fieldCreated  = "created"
	fieldExpires  = "expires"
	fieldCursor   = "cursor"
	fieldDigest   = "digest"
	fieldPending  = "pending"
)

// topFields and recordFields list all of them: what an update sets or removes.
var (
	topFields    = []string{fieldShard, fieldBucket, fieldExpire}
	recordFields = []string{
		fieldFormat, fieldEpoch, fieldNonce, fieldBirth, fieldLease, fieldDue, fieldLength, fieldOffset, fieldNextSlot, fieldPhase,
		fieldKey, fieldMetadata, fieldRole, fieldParts, fieldHeader, fieldCreated, fieldExpires, fieldCursor, fieldDigest, fieldPending,
	}
)

const (
	// shards is how many runs of growing values the index has: Firestore slows down beyond 500 writes a second into one. It may
	// grow, up to the 30 that a query may ask for; listings ask for all. It must not shrink.
	shards = 16
	// bucketSize is how coarse the index is. Each progress of an upload moves its expiry by some seconds; the index is
	// written only once in this time, and the other writes touch nothing but the document.
	bucketSize = 10 * time.Minute
	// keepAfterExpiry is how long after an upload's expiry the TTL policy may take its record away. Long before, a sweep has
	// done it properly; the policy is for a service that nobody sweeps.
	keepAfterExpiry = 30 * 24 * time.Hour
)

// noDocument is the name of no upload's document.
const noDocument = "!"

// documentID returns the name of an upload's document: its ID. Firestore keeps names like __this__ for itself; they get a
// character that no ID has, and that leaves the order of the names that of the IDs.
func documentID(id tus.ID) string {
	if reserved(string(id)) {
		return string(id) + "!"
	}
	return string(id)
}

func uploadID(name string) tus.ID { return tus.ID(strings.TrimSuffix(name, "!")) }

func reserved(name string) bool {
	return strings.HasPrefix(name, "__") && strings.HasSuffix(name, "__")
}

// document returns the fields of a new document.
func document(r state.Record) map[string]any {
	doc := indexed(r)
	doc[fieldRecord] = encode(r)
	return doc
}

// updates returns what replaces a document's fields.
func updates(r state.Record) []firestore.Update {
	all := make([]firestore.Update, 0, len(topFields)+len(recordFields))
	set := func(path firestore.FieldPath, fields map[string]any) {
		v, ok := fields[path[len(path)-1]]
		if !ok {
			v = firestore.Delete
		}
		all = append(all, firestore.Update{FieldPath: path, Value: v})
	}
	top, record := indexed(r), encode(r)
	for _, name := range topFields {
		set(firestore.FieldPath{name}, top)
	}
	for _, name := range recordFields {
		set(firestore.FieldPath{fieldRecord, name}, record)
	}
	return all
}

// indexed returns the fields that Firestore itself looks at.
func indexed(r state.Record) map[string]any {
	fields := map[string]any{}
	if !r.Due.IsZero() && holds(r.Due) {
		fields[fieldShard] = int64(crc32.ChecksumIEEE([]byte(r.Upload.ID)) % shards)
		fields[fieldBucket] = bucket(r.Due)
	}
	if at := expireAt(r); !at.IsZero() && holds(at) {
		fields[fieldExpire] = at
	}
	return fields
}

// bucket returns the beginning of the bucket that t lies in.
func bucket(t time.Time) time.Time {
	const size = int64(bucketSize / time.Second)
	s := t.Unix()
	return time.Unix(s-((s%size)+size)%size, 0).UTC()
}

// expireAt returns what the TTL policy goes by, zero for never. Only the record of an unfinished upload is let go: that of
// any other is needed to find its object, to remove what is in the store, or to deliver what is owed.
func expireAt(r state.Record) time.Time {
	u := r.Upload
	if u.Expires.IsZero() || u.Phase != tus.Open || u.Pending != 0 {
		return time.Time{}
	}
	last := u.Expires
	if r.LeaseUntil.After(last) {
		last = r.LeaseUntil
	}
	return last.Add(keepAfterExpiry)
}

// encode returns the map of a record that the rules of package state have made.
func encode(r state.Record) map[string]any {
	u := r.Upload
	m := map[string]any{
		fieldFormat: int64(format), fieldEpoch: int64(r.Epoch), fieldNonce: text(r.Nonce), fieldBirth: text(u.Birth),
		fieldLength: u.Length, fieldOffset: u.Offset, fieldNextSlot: int64(u.NextSlot), fieldPhase: u.Phase.String(),
	}
	for name, t := range map[string]time.Time{
		fieldLease: r.LeaseUntil, fieldDue: r.Due, fieldCreated: u.Created, fieldExpires: u.Expires,
	} {
		if !t.IsZero() {
			m[name] = stamp(t)
		}
	}
	for name, n := range map[string]int64{fieldRole: int64(u.Concat.Role), fieldPending: int64(u.Pending)} {
		if n != 0 {
			m[name] = n
		}
	}
	for name, s := range map[string]string{fieldKey: u.Key, fieldMetadata: u.Metadata, fieldHeader: u.Concat.Header} {
		if s != "" {
			m[name] = text(s)
		}
	}
	for name, b := range map[string][]byte{fieldCursor: u.Cursor, fieldDigest: u.Digest} {
		if len(b) > 0 {
			m[name] = b
		}
	}
	if len(u.Concat.Parts) > 0 {
		parts := make([]any, len(u.Concat.Parts))
		for i, id := range u.Concat.Parts {
			parts[i] = text(string(id))
		}
		m[fieldParts] = parts
	}
	return m
}

// text is a string where it survives as one, else bytes.
func text(s string) any {
	if utf8.ValidString(s) {
		return s
	}
	return []byte(s)
}

// stamp is a timestamp where it survives as one, else Unix milliseconds.
func stamp(t time.Time) any {
	if holds(t) {
		return t
	}
	return t.UnixMilli()
}

// holds reports whether a Firestore timestamp can hold t. Go's zero time, which means none, is the first that it can.
func holds(t time.Time) bool { return t.Year() >= 1 && t.Year() <= 9999 }

// decode reads a document of this or an earlier version. Fields that it does not know are left aside.
func decode(id tus.ID, doc map[string]any) (state.Record, error) {
	d := newDecoder(doc)
	switch v := d.number(fieldFormat); {
	case v > format:
		return state.Record{}, fmt.Errorf("the document has the format %d, this program reads up to %d: run a newer one", v, format)
	case v < 1:
		return state.Record{}, fmt.Errorf("the document has no format number in %s.%s: it is no record of an upload",
			fieldRecord, fieldFormat)
	}
	r := state.Record{
		Upload: tus.Upload{
			ID: id, Birth: d.text(fieldBirth), Key: d.text(fieldKey),
			Length: d.number(fieldLength), Offset: d.number(fieldOffset), Phase: d.phase(), Metadata: d.text(fieldMetadata),
			Concat:  tus.Concat{Role: tus.Role(d.small(fieldRole, math.MaxUint8)), Parts: d.parts(), Header: d.text(fieldHeader)},
			Created: d.time(fieldCreated), Expires: d.time(fieldExpires), Cursor: d.bytes(fieldCursor),
			NextSlot: uint32(d.small(fieldNextSlot, math.MaxUint32)), Digest: d.bytes(fieldDigest),
			Pending: tus.Events(d.small(fieldPending, math.MaxUint8)),
		},
		Epoch: tus.Epoch(d.number(fieldEpoch)), Nonce: d.text(fieldNonce),
		LeaseUntil: d.time(fieldLease), Due: d.time(fieldDue),
	}
	return r, d.err
}
