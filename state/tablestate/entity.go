package tablestate

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"
	"time"

	"github.com/fileloft/fileloft/state"
	"github.com/fileloft/fileloft/tus"
)

// The properties of an upload's entity besides its keys. An entry of the index has none.
const (
	propRecord = "record" // text: the record as package state writes it, with the number of its format
	propPiece  = "record" // binary, with a number from 0 on: the same in pieces, where it is no text or too long for one
	propDue    = "due"    // text: the bucket of the upload's entry in the index; none where it has no entry
)

const (
	// partitions is how many partitions the uploads are spread over, by a hash of their IDs. Azure serves one partition 2,000
	// times a second and an account 20,000 times: so the account is the limit, never a partition. An upload's partition is where
	// it is looked for, so the number can never change.
	partitions = 32
	// bucketSize is how coarse the index is. Each progress of an upload moves its expiry by some seconds; the index is
	// written only once in this time, and the other writes touch nothing but the entity.
	bucketSize = 10 * time.Minute
	// A text property holds 32 Ki characters, a binary one 64 KiB, an entity 1 MiB.
	maxText   = 30_000
	pieceSize = 60 << 10
	maxPieces = 16
)

// The rows of a partition: those of the uploads, and those of the index of what is due in it.
const (
	uploadRows = "upload-"
	dueRows    = "due-"
)

func partitionOf(id tus.ID) string { return partition(crc32.ChecksumIEEE([]byte(id)) % partitions) }

func partition(n uint32) string { return fmt.Sprintf("p%02d", n) }

// rowOf returns the row key of an upload. IDs have no character that Azure forbids in keys.
func rowOf(id tus.ID) string { return uploadRows + string(id) }

// entryOf returns the row key of an upload's entry in the index. Entries lie in the order of their buckets.
func entryOf(id tus.ID, bucket string) string { return dueRows + bucket + "-" + string(id) }

// bucketForm is a bucket in a row key. Its texts have one length, so that their order is that of time.
const bucketForm = "20060102T1504"

// The first and the last bucket. What is due before or after is in these.
var (
	firstBucket = time.Unix(0, 0)
	lastBucket  = time.Date(9999, 12, 31, 23, 50, 0, 0, time.UTC)
)

// bucketOf returns the beginning of the bucket that t lies in, empty for the zero time.
func bucketOf(t time.Time) string {
	switch {
	case t.IsZero():
		return ""
	case t.Before(firstBucket):
		t = firstBucket
	case t.After(lastBucket):
		t = lastBucket
	}
	return time.Unix(t.Unix()-t.Unix()%int64(bucketSize/time.Second), 0).UTC().Format(bucketForm)
}

// keys is an entity with nothing but its keys.
func keys(partition, row string) []byte {
	return object(map[string]any{"PartitionKey": partition, "RowKey": row})
}

func object(properties map[string]any) []byte {
	b, err := json.Marshal(properties)
	if err != nil {
		panic(err) // texts, always
	}
	return b
}

// encode returns the entity of a record whose entry in the index is in this bucket.
func encode(r state.Record, bucket string) ([]byte, error) {
	b, err := state.Encode(r)
	if err != nil {
		return nil, err
	}
	e := map[string]any{"PartitionKey": partitionOf(r.Upload.ID), "RowKey": rowOf(r.Upload.ID)}
	if bucket != "" {
		e[propDue] = bucket
	}
	switch {
	case len(b) <= maxText && ascii(b):
		e[propRecord] = string(b)
	case len(b) > maxPieces*pieceSize:
		return nil, fmt.Errorf("the record has %d bytes, an entity takes %d: lower the limits of metadata and of partial uploads",
			len(b), maxPieces*pieceSize)
	default:
		for i := 0; len(b) > 0; i++ {
			n := min(pieceSize, len(b))
			e[piece(i)] = base64.StdEncoding.EncodeToString(b[:n])
			e[piece(i)+"@odata.type"] = "Edm.Binary"
			b = b[n:]
		}
	}
	return object(e), nil
}

func piece(i int) string { return propPiece + strconv.Itoa(i) }

// ascii reports whether a text is one that any reader of a table shows as it is.
func ascii(b []byte) bool {
	for _, c := range b {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return true
}

// decode reads an entity of this or an earlier version. Properties that it does not know are left aside.
func decode(id tus.ID, value []byte) (r state.Record, bucket string, err error) {
	var e map[string]any
	if err := json.Unmarshal(value, &e); err != nil {
		return r, "", fmt.Errorf("decode the entity: %w", err)
	}
	text, _ := e[propRecord].(string)
	b := []byte(text)
	for i := 0; text == ""; i++ {
		s, ok := e[piece(i)].(string)
		if !ok {
			break
		}
		part, err := base64.StdEncoding.DecodeString(s)
		if err != nil {
			return r, "", fmt.Errorf("the property %s of the entity is not binary: %w", piece(i), err)
		}
		b = append(b, part...)
	}
	if len(b) == 0 {
		return r, "", errors.New("the entity has no property " + propRecord + ": it is no record of an upload")
	}
	if r, err = state.Decode(b); err != nil {
		return r, "", err
	}
	if r.Upload.ID != id {
		return r, "", fmt.Errorf("the entity holds the record of another upload, %q", r.Upload.ID)
	}
	bucket, _ = e[propDue].(string)
	return r, bucket, nil
}

// rowKey returns the key of an entity that a listing found.
func rowKey(value []byte) (string, error) {
	var e struct{ RowKey string }
	if err := json.Unmarshal(value, &e); err != nil {
		return "", fmt.Errorf("decode the entity: %w", err)
	}
	return e.RowKey, nil
}
