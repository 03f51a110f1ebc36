package memstore

import (
	"encoding/json"
	"fmt"
	"math"

	"github.com/fileloft/fileloft/tus"
)

// maxTails is how many tails a cursor may name before the next one takes them all in: a cursor must stay small.
const maxTails = 32

// cursor is what a tus.Cursor of this driver says: which pieces of which session make up the committed bytes.
type cursor struct {
	Version int         `json:"v"`
	Session string      `json:"s"`
	Part    int         `json:"n"` // size of each part
	Runs    []tus.Slots `json:"p,omitempty"`
	Tails   []tail      `json:"t,omitempty"` // behind the parts, in order
	Drop    []string    `json:"d,omitempty"` // tails that this cursor's parts and tails replaced
}

type tail struct {
	Name string `json:"k"`
	Size int    `json:"l"`
}

func parseCursor(b tus.Cursor) (cursor, error) {
	var c cursor
	if len(b) == 0 {
		return c, nil
	}
	if err := json.Unmarshal(b, &c); err != nil || !c.valid() {
		return c, fmt.Errorf("%w: the cursor %.80q is not this driver's", tus.ErrCorrupt, b)
	}
	return c, nil
}

// valid keeps sizes within what a cursor of this driver can say, so that nobody need ask again.
func (c *cursor) valid() bool {
	if c.Version != 1 || c.Session == "" || c.Part <= 0 {
		return false
	}
	sum := 0
	for _, t := range c.Tails {
		if t.Size <= 0 || t.Size > c.Part-sum {
			return false
		}
		sum += t.Size
	}
	for _, r := range c.Runs {
		if r.N == 0 || r.First > math.MaxUint32-r.N {
			return false
		}
	}
	return true
}

func (c *cursor) format() tus.Cursor {
	b, _ := json.Marshal(c) // plain fields: cannot fail
	return b
}

// add appends part number n. Numbers only grow, so runs stay few however many parts there are.
func (c *cursor) add(n uint32) {
	runs := append([]tus.Slots(nil), c.Runs...) // the slice may be shared with the record
	if last := len(runs) - 1; last >= 0 && runs[last].End() == n {
		runs[last].N++
	} else {
		runs = append(runs, tus.Slots{First: n, N: 1})
	}
	c.Runs = runs
}

// dropTails moves the tails to the dropped ones.
func (c *cursor) dropTails() {
	for _, t := range c.Tails {
		c.Drop = append(c.Drop, t.Name)
	}
	c.Tails = nil
}

func (c *cursor) tailSize() int {
	n := 0
	for _, t := range c.Tails {
		n += t.Size
	}
	return n
}
