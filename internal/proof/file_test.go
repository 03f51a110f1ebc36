package proof

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
)

// A kind is what a client does with its file.
type kind int

const (
	plain   kind = iota // POST, then PATCHes
	withIt              // the first bytes with the POST
	later               // the length with the last PATCH
	joined              // in parts, at the same time, and then a final upload of them
	deleted             // half of it, then DELETE
)

var kinds = map[kind]string{plain: "plain", withIt: "creation-with-upload", later: "deferred length", joined: "concatenation", deleted: "deleted midway"}

// A file is what one client brings in.
type file struct {
	n    int // its number, which is in its metadata
	kind kind
	size int64
	key  [32]byte // of its bytes
}

// plan makes the files of a load: of 20, one is large, four are of some MiB, five of some hundred KiB, ten are small. Large ones come early, so that the
// end does not wait for one.
func plan(seed uint64, n int, can func(kind) bool) []*file {
	r := rand.New(rand.NewPCG(seed, 1))
	var files []*file
	for i := range n {
		f := &file{n: i, kind: kind(r.IntN(len(kinds)))}
		if !can(f.kind) {
			f.kind = plain
		}
		switch i % 20 {
		case 2:
			f.size = 24<<20 + r.Int64N(40<<20)
		case 1, 6, 11, 16:
			f.size = 4<<20 + r.Int64N(8<<20)
		case 4: // where a part of S3 ends
			f.size = 5<<20 - 1 + r.Int64N(3)
		case 0, 5, 9, 14:
			f.size = 64<<10 + r.Int64N(1<<20)
		case 7:
			f.size = r.Int64N(2)
		default:
			f.size = 1 + r.Int64N(32<<10)
		}
		binary.LittleEndian.PutUint64(f.key[:], seed)
		binary.LittleEndian.PutUint64(f.key[8:], uint64(i))
		files = append(files, f)
	}
	return files
}

// stride is the most that one PATCH brings of n bytes of a file. A few files come in a hundred or so, in the long form: stores that keep a piece for each
// join pieces on the way.
func stride(file int, n int64) int64 {
	if long && file%20 == 3 {
		return max(n/48, 1)
	}
	return max(n/3, 64<<10)
}

// bytes makes the file's bytes, the same each time.
func (f *file) bytes() []byte {
	b := make([]byte, f.size)
	_, _ = rand.NewChaCha8(f.key).Read(b)
	return b
}

func (f *file) String() string {
	return fmt.Sprintf("file %d (%s, %d bytes)", f.n, kinds[f.kind], f.size)
}

// A piece says which bytes of which file an upload is of.
type piece struct {
	file     int
	from, to int64
}

const metadataName = "piece"

// metadata is what an upload's record says of what it is of.
func (p piece) metadata() string {
	return metadataName + " " + base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "%d %d %d", p.file, p.from, p.to))
}

// pieceOf reads it.
func pieceOf(metadata string) (p piece, err error) {
	name, value, _ := strings.Cut(metadata, " ")
	b, err := base64.StdEncoding.DecodeString(value)
	if name != metadataName || err != nil {
		return p, fmt.Errorf("metadata %q are not of this load", metadata)
	}
	for i, s := range strings.Fields(string(b)) {
		v, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return p, err
		}
		switch i {
		case 0:
			p.file = int(v)
		case 1:
			p.from = v
		case 2:
			p.to = v
		}
	}
	return p, nil
}
