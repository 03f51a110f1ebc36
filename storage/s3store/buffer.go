package s3store

import (
	"hash"

	"github.com/fileloft/fileloft/storage/intake"
)

// A buffer remembers how far its sum is: bytes are hashed while the next arrive, or while they wait for their turn.
type buffer struct {
	intake.Buffer
	hashed  int // segments that a sum has taken in, and
	partial int // bytes of the next one
}

// take empties the buffer into another, which holds its memory until it is released.
func (b *buffer) take() *buffer {
	c := &buffer{*b.Take(), b.hashed, b.partial}
	b.hashed, b.partial = 0, 0
	return c
}

// hashTo writes what h has not seen yet.
func (b *buffer) hashTo(h hash.Hash) {
	for ; b.hashed < len(b.Data); b.hashed++ {
		d := b.Data[b.hashed]
		h.Write(d[b.partial:])
		if len(d) < cap(d) {
			b.partial = len(d)
			return
		}
		b.partial = 0
	}
}

func (b *buffer) pieces() []piece {
	var ps []piece
	for _, d := range b.Data {
		if len(d) > 0 {
			ps = append(ps, piece{data: d, n: int64(len(d))})
		}
	}
	return ps
}
