package s3store

import (
	"crypto/md5" //nolint:gosec // S3's own checksum of parts and objects, not a secret's
	"encoding"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"slices"

	"github.com/fileloft/fileloft/tus"
)

const (
	cursorVersion = 1
	maxNumber     = 10_000 // S3's largest part number. The driver keeps it for Complete; see [lastNumber].
	maxTails      = 32     // tails that a cursor may name before the next one takes them all in
)

// cursor is what a tus.Cursor of this driver says: which parts of which session, and which tails behind them, make up
// the committed bytes. Its size is bounded: runs take at most two bytes a part number in use.
type cursor struct {
	Version int      `json:"v"`
	Session string   `json:"s,omitempty"` // the multipart upload; none before the first part
	Part    int64    `json:"n"`           // size of the next part
	Packed  []byte   `json:"p,omitempty"` // runs, as varints of gap and length
	Tails   []tail   `json:"t,omitempty"` // behind the parts, in order
	Drop    []string `json:"d,omitempty"` // tails that this cursor's parts and tails replaced
	TailSum []byte   `json:"h,omitempty"` // MD5 state over the tails' bytes
	ETagSum []byte   `json:"e,omitempty"` // MD5 state over the parts' MD5s: what the object's ETag is made of
	NoETag  bool     `json:"x,omitempty"` // the store's ETags are not MD5s (encryption with KMS): nothing to compare

	runs []tus.Slots
}

type tail struct {
	Name string `json:"k"`
	Size int64  `json:"l"`
}

func parseCursor(b tus.Cursor) (cursor, error) {
	var c cursor
	if len(b) == 0 {
		return c, nil
	}
	err := json.Unmarshal(b, &c)
	if err == nil {
		err = c.check()
	}
	if err != nil {
		return c, fmt.Errorf("%w: the cursor %.80q is not this driver's: %w", tus.ErrCorrupt, b, err)
	}
	return c, nil
}

// check unpacks the runs and keeps all numbers within what this driver can have written.
func (c *cursor) check() error {
	if c.Version != cursorVersion || c.Part <= 0 {
		return errors.New("version or part size")
	}
	next := uint32(1)
	for b := c.Packed; len(b) > 0; {
		gap, k := binary.Uvarint(b)
		n, l := binary.Uvarint(b[max(k, 0):])
		if k <= 0 || l <= 0 || n == 0 || gap > maxNumber || n > maxNumber || uint64(next)+gap+n > maxNumber {
			return errors.New("part numbers")
		}
		c.runs = append(c.runs, tus.Slots{First: next + uint32(gap), N: uint32(n)})
		next += uint32(gap + n)
		b = b[k+l:]
	}
	if (c.Session == "") != (len(c.runs) == 0) {
		return errors.New("a session without parts, or parts without a session")
	}
	sum := int64(0)
	for _, t := range c.Tails {
		if t.Size <= 0 || t.Size > c.Part-sum || t.Name == "" {
			return errors.New("tails")
		}
		sum += t.Size
	}
	_, err := unpackMD5(c.TailSum)
	_, err2 := unpackMD5(c.ETagSum)
	return errors.Join(err, err2)
}

func (c *cursor) format() tus.Cursor {
	c.Version = cursorVersion
	c.Packed = nil
	next := uint32(1)
	for _, r := range c.runs {
		c.Packed = binary.AppendUvarint(c.Packed, uint64(r.First-next))
		c.Packed = binary.AppendUvarint(c.Packed, uint64(r.N))
		next = r.End()
	}
	b, _ := json.Marshal(c) // plain fields: cannot fail
	return b
}

// addPart appends the part that the tails, and bytes behind them, have become.
func (c *cursor) addPart(number uint32) {
	c.runs = slices.Clone(c.runs) // cursors are values: the slice may be another's too
	if last := len(c.runs) - 1; last >= 0 && c.runs[last].End() == number {
		c.runs[last].N++
	} else {
		c.runs = append(c.runs, tus.Slots{First: number, N: 1})
	}
	c.dropTails()
}

// addSum takes a part's MD5 into the running ETag, given the ETag that the store answered with.
func (c *cursor) addSum(sum []byte, etag string) {
	if c.NoETag = c.NoETag || !sameETag(etag, sum); c.NoETag {
		c.ETagSum = nil
		return
	}
	h, err := unpackMD5(c.ETagSum)
	if err != nil {
		h = md5.New() // check has refused such a cursor
	}
	h.Write(sum)
	c.ETagSum = packMD5(h)
}

func (c *cursor) addTail(t tail, sum []byte) {
	c.Tails = append(slices.Clip(c.Tails), t)
	c.TailSum = sum
}

// dropTails moves the tails to the dropped ones.
func (c *cursor) dropTails() {
	c.Drop = slices.Clip(c.Drop)
	for _, t := range c.Tails {
		c.Drop = append(c.Drop, t.Name)
	}
	c.Tails, c.TailSum = nil, nil
}

func (c *cursor) tailSize() int64 {
	n := int64(0)
	for _, t := range c.Tails {
		n += t.Size
	}
	return n
}

// lastNumber returns the largest committed part number, 0 if there is none.
func (c *cursor) lastNumber() uint32 {
	if len(c.runs) == 0 {
		return 0
	}
	return c.runs[len(c.runs)-1].End() - 1
}

// packMD5 writes the state of an MD5 hash in 16 bytes, the bytes of the block under way, and the length in front. The
// library's form has the block padded to 64 bytes; on multiples of 64 bytes, as tails mostly are, there is none.
func packMD5(h hash.Hash) []byte {
	b, _ := h.(encoding.BinaryMarshaler).MarshalBinary() // never fails
	n := binary.BigEndian.Uint64(b[len(b)-8:])
	out := binary.AppendUvarint(nil, n)
	return append(out, b[len(md5Magic):len(md5Magic)+16+int(n%64)]...)
}

const md5Magic = "md5\x01"

// unpackMD5 restores what packMD5 wrote; nothing is the state before the first byte.
func unpackMD5(b []byte) (hash.Hash, error) {
	h := md5.New()
	if len(b) == 0 {
		return h, nil
	}
	n, k := binary.Uvarint(b)
	if k <= 0 || len(b) != k+16+int(n%64) {
		return nil, errors.New("hash state")
	}
	full := make([]byte, len(md5Magic)+16+64+8)
	copy(full, md5Magic)
	copy(full[len(md5Magic):], b[k:])
	binary.BigEndian.PutUint64(full[len(full)-8:], n)
	return h, h.(encoding.BinaryUnmarshaler).UnmarshalBinary(full)
}
