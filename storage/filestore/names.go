//go:build unix

package filestore

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/fileloft/fileloft/tus"
)

const (
	filesDir   = "files"
	partialDir = "partial"
	metaSuffix = ".meta.json"
	maxKey     = 1024
	maxName    = 255 // of one segment, in most file systems

	// Of pieces, behind the stem.
	fenceSuffix  = ".fence"
	stagedSuffix = ".meta"
	doneName     = "done"
	goneName     = "gone"
)

// checkKey says what is wrong with a key that a hook chose. Nothing that passes leaves the directory files/, hides in
// it, or can be taken for metadata.
func checkKey(key string) error {
	switch {
	case key == "" || len(key) > maxKey:
		return fmt.Errorf("a key has 1 to %d bytes", maxKey)
	case !utf8.ValidString(key):
		return fmt.Errorf("key %q is not UTF-8", key)
	case strings.HasSuffix(strings.ToLower(key), metaSuffix):
		return fmt.Errorf("key %q ends like a metadata file", key)
	}
	for c := range strings.SplitSeq(key, "/") {
		if c == "" || c[0] == '.' || len(c)+len(metaSuffix) > maxName {
			return fmt.Errorf("key %q has a segment that is empty, begins with a dot or is too long", key)
		}
		for i := range len(c) {
			if c[i] < ' ' || c[i] == 0x7f || c[i] == '\\' {
				return fmt.Errorf("key %q has a control character or a backslash", key)
			}
		}
	}
	return nil
}

// paths are the names of one upload.
type paths struct {
	shard int    // of partial/, where its pieces lie
	stem  string // what the names of its pieces begin with
	key   string // of the object below files/; "" where the object is a piece, as that of a Partial upload
}

// pathsOf checks every text that becomes part of a name.
func pathsOf(u *tus.Upload) (paths, error) {
	if err := u.ID.Validate(); err != nil {
		return paths{}, err
	}
	// A birth mark is made of the same characters as an ID.
	if err := tus.ID(u.Birth).Validate(); err != nil || len(u.Birth) > 64 {
		return paths{}, errors.New("the birth mark cannot be part of a file name")
	}
	if err := checkKey(u.ObjectKey()); err != nil {
		return paths{}, err
	}
	p := paths{shard: shardOf(u.ID), stem: string(u.ID) + "." + u.Birth + ".", key: u.ObjectKey()}
	if u.Concat.Role == tus.Partial {
		p.key = ""
	}
	return p, nil
}

func (p paths) meta() string { return p.key + metaSuffix }

// shardOf is FNV-1a, folded to a byte.
func shardOf(id tus.ID) int {
	h := uint32(2166136261)
	for i := range len(id) {
		h = (h ^ uint32(id[i])) * 16777619
	}
	h ^= h >> 16
	return int((h ^ h>>8) % shards)
}

// A kind is what a piece is for.
type kind uint8

const (
	noPiece kind = iota // not ours
	dataPiece
	fencePiece
	stagedPiece // metadata on their way to files/
	donePiece   // the object of a Partial upload
	gonePiece   // the sign that the upload was removed
)

// splitName takes the name of a piece apart; stem and rest together are the name.
func splitName(name string) (stem, rest string, k kind) {
	id, more, ok := strings.Cut(name, ".")
	birth, rest, ok2 := strings.Cut(more, ".")
	if !ok || !ok2 || tus.ID(id).Validate() != nil || tus.ID(birth).Validate() != nil {
		return "", "", noPiece
	}
	return id + "." + birth + ".", rest, kindOf(rest)
}

func kindOf(rest string) kind {
	switch rest {
	case doneName:
		return donePiece
	case goneName:
		return gonePiece
	}
	epoch, _, _ := strings.Cut(rest, ".")
	if _, ok := epochOf(epoch); !ok {
		return noPiece
	}
	switch rest[len(epoch):] {
	case "":
		return dataPiece
	case fenceSuffix:
		return fencePiece
	case stagedSuffix:
		return stagedPiece
	}
	return noPiece
}

// dataName is the n-th name of a data file made under an epoch: "7", then "7-1", "7-2". No other epoch makes it.
func dataName(e tus.Epoch, n int) string {
	s := strconv.FormatUint(uint64(e), 10)
	if n > 0 {
		s += "-" + strconv.Itoa(n)
	}
	return s
}

// epochOf returns the epoch that made a data file of that name.
func epochOf(name string) (e tus.Epoch, ok bool) {
	first, rest, more := strings.Cut(name, "-")
	if more {
		if n, err := strconv.ParseUint(rest, 10, 31); err != nil || n == 0 || rest != strconv.FormatUint(n, 10) {
			return 0, false
		}
	}
	n, err := strconv.ParseUint(first, 10, 64)
	return tus.Epoch(n), err == nil && first == strconv.FormatUint(n, 10)
}

// cursor is what a tus.Cursor of this driver says: "1 <file>" or "1 <file> <dropped>", the 1 being the version.
type cursor struct {
	file    string // the data file that holds the committed bytes
	dropped string // the data file that this one was copied from, of no use once this cursor is committed
}

func parseCursor(b tus.Cursor) (cursor, error) {
	if len(b) == 0 {
		return cursor{}, nil
	}
	f := strings.Split(string(b), " ")
	if f[0] == "1" && (len(f) == 2 || len(f) == 3) {
		c := cursor{file: f[1]}
		_, ok := epochOf(c.file)
		if ok && len(f) == 3 {
			c.dropped = f[2]
			_, ok = epochOf(c.dropped)
			ok = ok && c.dropped != c.file
		}
		if ok {
			return c, nil
		}
	}
	return cursor{}, fmt.Errorf("%w: the cursor %.80q is not this driver's", tus.ErrCorrupt, b)
}

func (c cursor) format() tus.Cursor {
	s := "1 " + c.file
	if c.dropped != "" {
		s += " " + c.dropped
	}
	return tus.Cursor(s)
}
