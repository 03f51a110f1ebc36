package dynamostate

import (
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/fileloft/fileloft/state"
	"github.com/fileloft/fileloft/tus"
)

// format is the version of the item that this program writes. It reads that and all before it. An attribute that an
// older program may leave alone can be added without a new version: an UpdateItem keeps what it does not name.
const format = 1

// The attributes of an item. Their names count in its size, so they have one letter. What is zero or empty is left out,
// but for those that conditions and sums need.
const (
	attrID       = "i" // S, the table's key
	attrFormat   = "v" // N
	attrEpoch    = "e" // N
	attrNonce    = "n" // text
	attrBirth    = "b" // text
	attrLease    = "t" // N: until when, Unix milliseconds like all times but attrTTL and attrBucket
	attrDue      = "w" // N: see state.DueAt
	attrShard    = "h" // N: the index's partition key
	attrBucket   = "y" // N: the index's sort key: due in Unix seconds, cut to bucketSize
	attrLength   = "l" // N
	attrOffset   = "o" // N
	attrNextSlot = "s" // N: the first slot that was never granted
	attrPhase    = "p" // N
	attrKey      = "k" // text
	attrMetadata = "m" // text
	attrRole     = "r" // N
	attrParts    = "q" // L of text
	attrHeader   = "a" // text
	attrCreated  = "c" // N
	attrExpires  = "x" // N
	attrCursor   = "u" // B
	attrDigest   = "d" // B
	attrPending  = "f" // N
	attrTTL      = "z" // N: Unix seconds, see keepAfterExpiry
)

// attributes lists all of them but the key: what a Commit sets or removes.
var attributes = []string{
	attrFormat, attrEpoch, attrNonce, attrBirth, attrLease, attrDue, attrShard, attrBucket, attrLength, attrOffset, attrNextSlot,
	attrPhase, attrKey, attrMetadata, attrRole, attrParts, attrHeader, attrCreated, attrExpires, attrCursor, attrDigest, attrPending,
	attrTTL,
}

const (
	// shards is how many partitions the index has. It may grow: listings ask all of them. It must not shrink.
	shards = 16
	// bucketSize is how coarse the index's sort key is. Each progress of an upload moves its expiry by some seconds; in
	// the index that shows, and costs, only once in this time. A listing reads those that are due within it early.
	bucketSize = 10 * time.Minute
	// keepAfterExpiry is how long after an upload's expiry DynamoDB may take its record away by itself. Long before, a
	// sweep has done it properly; the TTL is for a service that nobody sweeps.
	keepAfterExpiry = 30 * 24 * time.Hour
)

type item = map[string]types.AttributeValue

// encode returns the item of a record that the rules of package state have made.
func encode(r state.Record) item {
	u := r.Upload
	it := item{
		attrID:       &types.AttributeValueMemberS{Value: string(u.ID)},
		attrFormat:   number(format),
		attrEpoch:    &types.AttributeValueMemberN{Value: strconv.FormatUint(uint64(r.Epoch), 10)},
		attrNonce:    text(r.Nonce),
		attrBirth:    text(u.Birth),
		attrLength:   number(u.Length),
		attrOffset:   number(u.Offset),
		attrNextSlot: number(int64(u.NextSlot)),
	}
	for name, n := range map[string]int64{
		attrLease: millis(r.LeaseUntil), attrDue: millis(r.Due), attrCreated: millis(u.Created), attrExpires: millis(u.Expires),
		attrPhase: int64(u.Phase), attrRole: int64(u.Concat.Role), attrPending: int64(u.Pending), attrTTL: ttl(r),
	} {
		if n != 0 {
			it[name] = number(n)
		}
	}
	for name, s := range map[string]string{attrKey: u.Key, attrMetadata: u.Metadata, attrHeader: u.Concat.Header} {
		if s != "" {
			it[name] = text(s)
		}
	}
	for name, b := range map[string][]byte{attrCursor: u.Cursor, attrDigest: u.Digest} {
		if len(b) > 0 {
			it[name] = &types.AttributeValueMemberB{Value: b}
		}
	}
	if len(u.Concat.Parts) > 0 {
		parts := make([]types.AttributeValue, len(u.Concat.Parts))
		for i, id := range u.Concat.Parts {
			parts[i] = text(string(id))
		}
		it[attrParts] = &types.AttributeValueMemberL{Value: parts}
	}
	if !r.Due.IsZero() {
		it[attrShard] = number(int64(crc32.ChecksumIEEE([]byte(u.ID)) % shards))
		it[attrBucket] = number(bucket(r.Due))
	}
	return it
}

// bucket returns the index's sort key of what is due at t.
func bucket(t time.Time) int64 {
	const size = int64(bucketSize / time.Second)
	s := t.Unix()
	return s - ((s%size)+size)%size
}

// ttl returns the value of the TTL attribute, 0 for none. Only the record of an unfinished upload is let go: that of any
// other is needed to find its object, to remove what is in the store, or to deliver what is owed.
func ttl(r state.Record) int64 {
	u := r.Upload
	if u.Expires.IsZero() || u.Phase != tus.Open || u.Pending != 0 {
		return 0
	}
	last := u.Expires
	if r.LeaseUntil.After(last) {
		last = r.LeaseUntil
	}
	return last.Add(keepAfterExpiry).Unix()
}

func number(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}

// text is a string where it survives as one, else binary. A text is always of the same type, so that conditions can
// compare it.
func text(s string) types.AttributeValue {
	if utf8.ValidString(s) && !strings.ContainsRune(s, 0) {
		return &types.AttributeValueMemberS{Value: s}
	}
	return &types.AttributeValueMemberB{Value: []byte(s)}
}

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// decode reads an item of this or an earlier version. Attributes that it does not know are left aside.
func decode(it item) (state.Record, error) {
	d := decoder{it: it}
	id, v := tus.ID(d.text(attrID)), d.number(attrFormat)
	switch {
	case v > format:
		return state.Record{}, fmt.Errorf("the item has the format %d, this program reads up to %d: run a newer one", v, format)
	case v < 1:
		return state.Record{}, fmt.Errorf("the item has no format number in %q: it is no record of an upload", attrFormat)
	}
	r := state.Record{
		Upload: tus.Upload{
			ID: id, Birth: d.text(attrBirth), Key: d.text(attrKey),
			Length: d.number(attrLength), Offset: d.number(attrOffset), Phase: tus.Phase(d.small(attrPhase, uint64(tus.Doomed))),
			Metadata: d.text(attrMetadata),
			Concat:   tus.Concat{Role: tus.Role(d.small(attrRole, 1<<8-1)), Parts: d.parts(), Header: d.text(attrHeader)},
			Created:  d.time(attrCreated), Expires: d.time(attrExpires), Cursor: d.bytes(attrCursor),
			NextSlot: uint32(d.small(attrNextSlot, 1<<32-1)), Digest: d.bytes(attrDigest),
			Pending: tus.Events(d.small(attrPending, 1<<8-1)),
		},
		Epoch: tus.Epoch(d.small(attrEpoch, 1<<64-1)), Nonce: d.text(attrNonce),
		LeaseUntil: d.time(attrLease), Due: d.time(attrDue),
	}
	return r, d.err
}

// decoder reads attributes and keeps the first error. An attribute that is not there is zero.
type decoder struct {
	it  item
	err error
}

func (d *decoder) fail(name, want string) {
	if d.err == nil {
		d.err = fmt.Errorf("the attribute %q of the item is not %s", name, want)
	}
}

// digits returns the text of a number, "0" for none.
func (d *decoder) digits(name string) string {
	switch v := d.it[name].(type) {
	case nil:
	case *types.AttributeValueMemberN:
		return v.Value
	default:
		d.fail(name, "a number")
	}
	return "0"
}

func (d *decoder) number(name string) int64 {
	n, err := strconv.ParseInt(d.digits(name), 10, 64)
	if err != nil {
		d.fail(name, "a number of 64 bits")
	}
	return n
}

// small returns a number from 0 to most.
func (d *decoder) small(name string, most uint64) uint64 {
	n, err := strconv.ParseUint(d.digits(name), 10, 64)
	if err != nil || n > most {
		d.fail(name, fmt.Sprintf("a number from 0 to %d", most))
	}
	return n
}

func (d *decoder) time(name string) time.Time {
	ms := d.number(name)
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

func (d *decoder) text(name string) string { return d.textOf(name, d.it[name]) }

func (d *decoder) textOf(name string, v types.AttributeValue) string {
	switch v := v.(type) {
	case nil:
	case *types.AttributeValueMemberS:
		return v.Value
	case *types.AttributeValueMemberB:
		return string(v.Value)
	default:
		d.fail(name, "text")
	}
	return ""
}

func (d *decoder) bytes(name string) []byte {
	switch v := d.it[name].(type) {
	case nil:
	case *types.AttributeValueMemberB:
		if len(v.Value) > 0 {
			return v.Value
		}
	default:
		d.fail(name, "binary")
	}
	return nil
}

func (d *decoder) parts() []tus.ID {
	var ids []tus.ID
	switch v := d.it[attrParts].(type) {
	case nil:
	case *types.AttributeValueMemberL:
		for _, p := range v.Value {
			ids = append(ids, tus.ID(d.textOf(attrParts, p)))
		}
	default:
		d.fail(attrParts, "a list")
	}
	return ids
}
