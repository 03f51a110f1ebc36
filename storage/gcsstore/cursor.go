package gcsstore

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/fileloft/fileloft/tus"
)

const (
	cursorVersion = 1
	// maxPieces is how many pieces a cursor may name, and how many dropped ones. With 32 of a level composed into one of the
	// next, four levels of 31 hold a million; the rest is for the next four million, and for what could not be composed. Both
	// together take less than 16 KiB.
	maxPieces = 160
	maxLevel  = 9
)

// cursor is what a tus.Cursor of this driver says: which objects, in order, make up the committed bytes.
type cursor struct {
	Version int      `json:"v"`
	Pieces  []piece  `json:"p,omitempty"`
	Drop    []string `json:"d,omitempty"` // pieces that this cursor's composed ones replaced
}

// A piece is an object that holds a run of an upload's bytes.
type piece struct {
	Name  string `json:"k"` // below the life's directory
	Size  int64  `json:"l"`
	Gen   int64  `json:"g"`           // its generation: that of no other object, whatever its name
	Level int    `json:"c,omitempty"` // 0: sent by a client. n: composed of 32 of level n-1
	whole bool   // Name is the object's whole name: it is a Partial upload's
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

// check keeps all within what this driver can have written.
func (c *cursor) check() error {
	if c.Version != cursorVersion {
		return errors.New("version")
	}
	sum := int64(0)
	for _, p := range c.Pieces {
		if p.Size <= 0 || p.Size > maxObject-sum || p.Gen <= 0 || p.Level < 0 || p.Level > maxLevel || !isPiece(p.Name) {
			return errors.New("pieces")
		}
		sum += p.Size
	}
	for _, name := range c.Drop {
		if !isPiece(name) {
			return errors.New("dropped pieces")
		}
	}
	return nil
}

// isPiece keeps a cursor within its life's directory, and off what Complete and Remove leave there.
func isPiece(name string) bool {
	return (strings.HasPrefix(name, pieceMark) || strings.HasPrefix(name, composedMark)) && !strings.Contains(name, "/")
}

func (c *cursor) format() tus.Cursor {
	c.Version = cursorVersion
	b, _ := json.Marshal(c) // plain fields: cannot fail
	return b
}

func sizeOf(ps []piece) int64 {
	n := int64(0)
	for _, p := range ps {
		n += p.Size
	}
	return n
}

func namesOf(ps []piece) []string {
	names := make([]string, len(ps))
	for i, p := range ps {
		names[i] = p.Name
	}
	return names
}

// crowd returns where the first run of n pieces of one level begins, or -1. Levels fall from the front to the
// end, as digits do in a number, so that such a run is next to its like.
func crowd(ps []piece, n int) int {
	first := 0
	for i, p := range ps {
		if p.Level != ps[first].Level {
			first = i
		}
		if i-first+1 == n {
			return first
		}
	}
	return -1
}
