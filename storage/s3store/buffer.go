package s3store

import (
	"context"
	"io"
	"time"

	"golang.org/x/sync/semaphore"
)

const (
	firstSegment = 16 << 10 // outside the budget: what a client that has sent nothing costs
	maxSegment   = 256 << 10
)

// A buffer grows with what has arrived, in segments that double up to 256 KiB and are never copied. All but the first
// come out of the Store's budget.
type buffer struct {
	memory *semaphore.Weighted
	data   [][]byte
	n      int64
	held   int64
}

// ready makes space for at least one byte. False: there was no memory to be had in time, and what is there should be
// stored first.
func (b *buffer) ready(ctx context.Context, wait time.Duration) bool {
	k := len(b.data)
	if k > 0 && len(b.data[k-1]) < cap(b.data[k-1]) {
		return true
	}
	if k == 0 {
		b.data = append(b.data, make([]byte, 0, firstSegment))
		return true
	}
	size := int64(min(2*cap(b.data[k-1]), maxSegment))
	if !b.memory.TryAcquire(size) {
		ctx, cancel := context.WithTimeout(ctx, wait)
		defer cancel()
		if b.memory.Acquire(ctx, size) != nil {
			return false
		}
	}
	b.held += size
	b.data = append(b.data, make([]byte, 0, size))
	return true
}

// readFrom calls r.Read once, for at most room bytes, into the space that ready made.
func (b *buffer) readFrom(r io.Reader, room int64) error {
	last := &b.data[len(b.data)-1]
	have := len(*last)
	n, err := r.Read((*last)[have:min(int64(cap(*last)), int64(have)+room)])
	*last = (*last)[:have+n]
	b.n += int64(n)
	return err
}

// take empties the buffer into chunks that hold its memory until they are released.
func (b *buffer) take() *buffer {
	c := *b
	*b = buffer{memory: b.memory}
	return &c
}

func (b *buffer) release() {
	b.memory.Release(b.held)
	b.held, b.data = 0, nil
}

func (b *buffer) free() { b.release() }

func (b *buffer) pieces() []piece {
	var ps []piece
	for _, d := range b.data {
		if len(d) > 0 {
			ps = append(ps, piece{data: d, n: int64(len(d))})
		}
	}
	return ps
}
