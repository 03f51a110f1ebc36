package gcsstore

import (
	"context"
	"io"
	"math/bits"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
)

const (
	firstSegment = 16 << 10 // what a client that has sent nothing costs
	maxSegment   = 256 << 10
	allowance    = maxSegment - firstSegment // the segments below 256 KiB: anybody may have these, whatever others hold
)

// A budget is what the buffers of all bodies may hold together. Segments are used again: fresh ones would have to be
// cleared first, and the garbage of a busy second would be as large as the budget.
type budget struct {
	*semaphore.Weighted
	free [segmentSizes]sync.Pool // of *[]byte
}

const segmentSizes = 5 // from firstSegment to maxSegment

func newBudget(n int64) *budget { return &budget{Weighted: semaphore.NewWeighted(n)} }

func (m *budget) segment(size int64) []byte {
	if p, ok := m.free[kind(size)].Get().(*[]byte); ok {
		return (*p)[:0]
	}
	return make([]byte, 0, size)
}

func kind(size int64) int { return bits.Len64(uint64(size/firstSegment)) - 1 }

// A buffer grows with what has arrived, in segments that double up to 256 KiB and are never copied. They
// come out of the Store's budget, but for the small ones at the beginning.
type buffer struct {
	memory *budget
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
	b.data = append(b.data, b.memory.segment(size))
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

// release gives the memory back. Nobody may read it any more: it is the next body's.
func (b *buffer) release() {
	for _, d := range b.data {
		b.memory.free[kind(int64(cap(d)))].Put(&d)
	}
	b.memory.Release(b.held)
	b.held, b.data, b.n = 0, nil, 0
}
