package faults

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"time"
)

// inMemory is how much of a body that is held is kept in memory.
const inMemory = 256 << 10

// A heldBody is a body that was read to its end.
type heldBody struct {
	start []byte
	rest  *os.File // nil where there is no more
	size  int64    // of the rest
}

// hold reads a body to its end.
func hold(from io.Reader) (*heldBody, error) {
	var start bytes.Buffer
	n, err := io.CopyN(&start, from, inMemory)
	b := &heldBody{start: start.Bytes()}
	if n == inMemory {
		err = b.spill(from)
	}
	if err != nil && err != io.EOF {
		_ = b.Close()
		return nil, err
	}
	return b, nil
}

func (b *heldBody) spill(from io.Reader) (err error) {
	if b.rest, err = os.CreateTemp("", "fileloft-faults-*"); err != nil {
		return err
	}
	b.size, err = io.Copy(b.rest, from)
	return err
}

// open returns the whole body. One that is still read, by a transport that was answered early, is not in the way of the next.
func (b *heldBody) open() io.ReadCloser {
	if b.rest == nil {
		return io.NopCloser(bytes.NewReader(b.start))
	}
	return io.NopCloser(io.MultiReader(bytes.NewReader(b.start), io.NewSectionReader(b.rest, 0, b.size)))
}

func (b *heldBody) Close() error {
	if b.rest == nil {
		return nil
	}
	return errors.Join(b.rest.Close(), os.Remove(b.rest.Name()))
}

// errCut is the end of a cutBody.
var errCut = errors.New("faults: the body is cut off here")

// grace is what whoever reads a cutBody has before the reset, which may take from it what it has not yet read.
const grace = 50 * time.Millisecond

// sizeUnknown is the most that a cutBody lets through of a body whose size it does not know.
const sizeUnknown = 64 << 10

// A cutBody is a body that breaks off before its end: its last byte never comes.
type cutBody struct {
	rng   *rand.Rand
	size  int64  // of the whole; -1 where it is not known
	atEnd func() // may be nil

	r    *bufio.Reader
	c    io.Closer
	left int64
}

func (b *cutBody) from(r io.ReadCloser) {
	b.r, b.c = bufio.NewReader(r), r
	n := b.size
	if n < 0 {
		n = sizeUnknown
	}
	b.left = b.rng.Int64N(max(n, 1)) // 0 to n-1
}

// empty says whether there is nothing to cut off.
func (b *cutBody) empty() bool {
	_, err := b.r.Peek(1)
	return err != nil
}

func (b *cutBody) Read(p []byte) (int, error) {
	next, err := b.r.Peek(2) // as far as it comes: one byte is always held back
	if b.left == 0 || err != nil || len(next) < 2 {
		time.Sleep(grace)
		if b.atEnd != nil {
			b.atEnd()
		}
		return 0, errCut
	}
	k := min(int64(len(p)), int64(b.r.Buffered()-1), b.left)
	n, err := b.r.Read(p[:k])
	b.left -= int64(n)
	return n, err
}

func (b *cutBody) Close() error { return b.c.Close() }
