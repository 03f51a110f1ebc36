package s3store

import (
	"context"
	"io"
	"time"

	"golang.org/x/sync/semaphore"
)

const (
	firstSegment = 16 << 10 // what a client that has sent nothing costs
	maxSegment   = 256 << 10
	allowance    = maxSegment - firstSegment // the segments below 256 KiB: anybody may have these, whatever others hold
)

// A buffer grows with what has arrived, in segments that double up to 256 KiB and are never copied. They
// come out of the Store's budget, but for the small ones at the beginning.
type buffer struct {
	memory *semaphore.Weighted
	data   [][]byte
	n      int64
	held   int64
	hungry bool // waited in vain, and does not wait again before there was some
}

// ready makes space for at least one byte. False: there was no memory to be had in time, and what is there should be
// stored first.
func (b *buffer) ready(ctx context.Context, wait time.Duration) bool {
	k := len(b.data)
	if k > 0 && len(b.data[k-1]) < cap(b.data[k-1]) {
		return true
	}
	size := int64(firstSegment)
	if k > 0 {
		size = int64(min(2*cap(b.data[k-1]), maxSegment))
	}
	if b.n+size > allowance {
		if b.hungry = !b.acquire(ctx, size, wait); b.hungry {
			return false
		}
		b.held += size
	}
	b.data = append(b.data, make([]byte, 0, size))
	return true
}

func (b *buffer) acquire(ctx context.Context, size int64, wait time.Duration) bool {
	if b.memory.TryAcquire(size) {
		return true
	}
	if b.hungry {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	return b.memory.Acquire(ctx, size) == nil
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
	*b = buffer{memory: b.memory, hungry: b.hungry}
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
