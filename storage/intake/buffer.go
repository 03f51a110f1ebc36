package intake

import (
	"context"
	"io"
	"math/bits"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
)

// MaxSegment is how long a segment of a [Buffer] may be.
const MaxSegment = 256 << 10

const (
	firstSegment = 16 << 10                  // what a client that has sent nothing costs
	segmentSizes = 5                         // from firstSegment to MaxSegment
	allowance    = MaxSegment - firstSegment // the segments below 256 KiB: anybody may have these, whatever others hold
)

// A Budget is what the buffers of all bodies may hold together. Segments are used again: fresh ones would have to be
// cleared first, and the garbage of a busy second would be as large as the budget. It is safe for concurrent use.
type Budget struct {
	*semaphore.Weighted
	free [segmentSizes]sync.Pool // of *[]byte
}

// NewBudget returns a Budget of n bytes.
func NewBudget(n int64) *Budget { return &Budget{Weighted: semaphore.NewWeighted(n)} }

// Buffer returns an empty buffer that takes its memory out of the budget.
func (m *Budget) Buffer() Buffer { return Buffer{memory: m} }

func (m *Budget) segment(size int64) []byte {
	if p, ok := m.free[kind(size)].Get().(*[]byte); ok {
		return (*p)[:0]
	}
	return make([]byte, 0, size)
}

func kind(size int64) int { return bits.Len64(uint64(size/firstSegment)) - 1 }

// A Buffer grows with what has arrived, in segments that double up to 256 KiB and are never copied. They
// come out of a budget, but for the small ones at the beginning. One goroutine uses it at a time.
type Buffer struct {
	Data [][]byte // the segments, to be read only
	N    int64    // bytes in them

	memory *Budget
	held   int64
	hungry bool // waited in vain, and does not wait again before there was some
}

// Ready makes space for at least one byte. False: there was no memory to be had in time, and what is there should be
// stored first.
func (b *Buffer) Ready(ctx context.Context, wait time.Duration) bool {
	k := len(b.Data)
	if k > 0 && len(b.Data[k-1]) < cap(b.Data[k-1]) {
		return true
	}
	size := int64(firstSegment)
	if k > 0 {
		size = int64(min(2*cap(b.Data[k-1]), MaxSegment))
	}
	if b.N+size > allowance {
		if b.hungry = !b.acquire(ctx, size, wait); b.hungry {
			return false
		}
		b.held += size
	}
	b.Data = append(b.Data, b.memory.segment(size))
	return true
}

func (b *Buffer) acquire(ctx context.Context, size int64, wait time.Duration) bool {
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

// Hope has the next Ready wait for memory again, also where the last one waited in vain: some was given back.
func (b *Buffer) Hope() { b.hungry = false }

// ReadOnce calls r.Read once, for at most room bytes, into the space that Ready made.
func (b *Buffer) ReadOnce(r io.Reader, room int64) error {
	last := &b.Data[len(b.Data)-1]
	have := len(*last)
	n, err := r.Read((*last)[have:min(int64(cap(*last)), int64(have)+room)])
	*last = (*last)[:have+n]
	b.N += int64(n)
	return err
}

// Take empties the buffer into another, which holds its memory until it is released.
func (b *Buffer) Take() *Buffer {
	c := *b
	*b = Buffer{memory: b.memory, hungry: b.hungry}
	return &c
}

// Release empties the buffer and gives the memory back. Nobody may read it any more: it is the next body's.
func (b *Buffer) Release() {
	for _, d := range b.Data {
		b.memory.free[kind(int64(cap(d)))].Put(&d)
	}
	b.memory.Release(b.held)
	b.held, b.Data, b.N = 0, nil, 0
}
