package azurestore

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/fileloft/fileloft/tus"
)

const (
	cursorVersion = 1
	// A stage of which so many bytes tell the blocks is full too: crashes tear holes into the row of slots.
	stagePacked = 2000
	maxPacked   = 6000 // for all stages
	maxStages   = 200  // of 45,000 blocks each
)

// cursor is what a tus.Cursor of this driver says: which blocks of which stages, in order, make up the committed bytes.
type cursor struct {
	Version int     `json:"v"`
	Stages  []stage `json:"s,omitempty"` // the last one is open, unless it is full
	Sum     []byte  `json:"h,omitempty"` // MD5 state over all bytes
}

// A stage is a blob of the life's own on which blocks are staged.
type stage struct {
	N      uint32 `json:"n"`           // its number, which is its place
	Size   int64  `json:"l"`           // bytes in its blocks
	Packed []byte `json:"b,omitempty"` // its blocks' slots: runs, as varints of gap and length
	State  state  `json:"k,omitempty"`

	runs   []tus.Slots
	last   int // where the last run begins in Packed
	blocks int
}

// state of a stage: it only grows.
type state uint8

const (
	open  state = iota // blocks may be added
	full               // none will be, by anybody
	bound              // its blocks are one blob
)

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

// check unpacks the runs and keeps all within what this driver can have written.
func (c *cursor) check() error {
	if c.Version != cursorVersion || len(c.Stages) > maxStages {
		return errors.New("version, or too many stages")
	}
	sum := int64(0)
	for i := range c.Stages {
		st := &c.Stages[i]
		if st.N != uint32(i) || st.Size <= 0 || st.Size > maxBlob-sum || st.State > bound ||
			st.State == open && i < len(c.Stages)-1 || (st.State == bound) != (len(st.Packed) == 0) {
			return errors.New("stages")
		}
		sum += st.Size
		if err := st.unpack(); err != nil {
			return err
		}
	}
	_, err := unpackMD5(c.Sum)
	return err
}

const maxBlob = maxBlocks * int64(maxBlock)

func (st *stage) unpack() error {
	next := uint64(0)
	for b := st.Packed; len(b) > 0; {
		gap, k := binary.Uvarint(b)
		n, l := binary.Uvarint(b[max(k, 0):])
		if k <= 0 || l <= 0 || n == 0 || gap > 1<<32 || n > maxBlocks || next+gap+n > 1<<32-1 {
			return errors.New("slots")
		}
		st.runs = append(st.runs, tus.Slots{First: uint32(next + gap), N: uint32(n)})
		st.last = len(st.Packed) - len(b)
		next += gap + n
		st.blocks += int(n)
		b = b[k+l:]
	}
	if st.blocks > maxBlocks {
		return errors.New("too many blocks")
	}
	return nil
}

// add appends a slot to the runs.
func (st *stage) add(slot uint32) {
	i, end := len(st.runs)-1, uint32(0)
	if i >= 0 && st.runs[i].End() == slot {
		st.runs[i].N++
		st.Packed = st.Packed[:st.last]
	} else {
		st.runs = append(st.runs, tus.Slots{First: slot, N: 1})
		st.last = len(st.Packed)
		i++
	}
	if i > 0 {
		end = st.runs[i-1].End()
	}
	st.Packed = binary.AppendUvarint(st.Packed, uint64(st.runs[i].First-end))
	st.Packed = binary.AppendUvarint(st.Packed, uint64(st.runs[i].N))
	st.blocks++
}

func (c *cursor) format() tus.Cursor {
	c.Version = cursorVersion
	b, _ := json.Marshal(c) // plain fields: cannot fail
	return b
}

// clone returns a cursor that shares nothing which add and bind change.
func (c *cursor) clone() cursor {
	out := *c
	out.Stages = slices.Clone(c.Stages)
	if k := len(out.Stages); k > 0 {
		st := &out.Stages[k-1]
		st.runs, st.Packed = slices.Clone(st.runs), slices.Clone(st.Packed)
	}
	return out
}

// open returns the number of the stage that the next block goes to.
func (c *cursor) open() uint32 {
	k := len(c.Stages)
	if k > 0 && c.Stages[k-1].State == open {
		return uint32(k - 1)
	}
	return uint32(k)
}

// add appends a block, and says that its stage is full where it is, for good: with so many blocks, so many runs of slots, or
// with so many slots between the first and the last that strays might use up the 100,000 blocks that Azure keeps uncommitted.
func (c *cursor) add(slot uint32, size int64, most int) {
	i := int(c.open())
	if i == len(c.Stages) {
		c.Stages = append(c.Stages, stage{N: uint32(i)})
	}
	st := &c.Stages[i]
	st.add(slot)
	st.Size += size
	if st.blocks >= most || len(st.Packed) >= stagePacked || slot-st.runs[0].First >= 16*uint32(most) {
		st.State = full
	}
}

// bind says that stages have become blobs.
func (c *cursor) bind(numbers []uint32) {
	for _, n := range numbers {
		st := &c.Stages[n]
		st.State, st.Packed, st.runs = bound, nil, nil
	}
}

// unbound returns the full stages that are not blobs yet.
func (c *cursor) unbound() []stage {
	var all []stage
	for _, st := range c.Stages {
		if st.State == full {
			all = append(all, st)
		}
	}
	return all
}

// room says whether another block fits into the cursor.
func (c *cursor) room() error {
	switch {
	case c.open() >= maxStages:
		return errBlocks
	case c.packed() > maxPacked-16:
		return errUnbound
	}
	return nil
}

// packed is how many bytes tell the blocks.
func (c *cursor) packed() int {
	n := 0
	for i := range c.Stages {
		n += len(c.Stages[i].Packed)
	}
	return n
}

func (c *cursor) size() int64 {
	n := int64(0)
	for i := range c.Stages {
		n += c.Stages[i].Size
	}
	return n
}

// ids returns the ids of a stage's blocks, in order.
func (st *stage) ids() []string {
	ids := make([]string, 0, st.blocks)
	for _, r := range st.runs {
		for slot := r.First; slot < r.End(); slot++ {
			ids = append(ids, blockID(slot))
		}
	}
	return ids
}

// blockID makes ids of one length, as Azure wants them for all blocks of a blob.
func blockID(slot uint32) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32([]byte{0, 0}, slot))
}
