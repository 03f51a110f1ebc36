package intake

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"
)

func TestInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		for n, ok := range map[int64]bool{0: true, Slowest: true, Slowest + 4: false, 10 * Slowest: false} {
			if err := InTime(ctx, n); (err == nil) != ok || err != nil && !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%d bytes: %v", n, err)
			}
		}
		time.Sleep(time.Second / 2)
		if InTime(ctx, Slowest) == nil || InTime(t.Context(), 1<<40) != nil {
			t.Error("half a second is taken for a second, or no deadline for one")
		}
	})
}

// What is read comes out as it was, in segments that double, and all memory goes back.
func TestABufferKeepsWhatWasRead(t *testing.T) {
	const size = 3<<20 + 5
	body := make([]byte, size)
	for i := range body {
		body[i] = byte(i * 7 >> 3)
	}
	m := NewBudget(4 << 20)
	b := m.Buffer()
	r := iotest.HalfReader(bytes.NewReader(body))
	for err := error(nil); err != io.EOF; {
		if !b.Ready(t.Context(), 0) {
			t.Fatalf("no memory at %d", b.N)
		}
		if err = b.ReadOnce(r, size); err != nil && err != io.EOF {
			t.Fatal(err)
		}
	}
	c := b.Take()
	if b.N != 0 || c.N != size || !bytes.Equal(bytes.Join(c.Data, nil), body) {
		t.Errorf("%d bytes are left, %d come out", b.N, c.N)
	}
	if cap(c.Data[0]) != firstSegment || cap(c.Data[len(c.Data)-1]) != MaxSegment {
		t.Errorf("segments of %d to %d", cap(c.Data[0]), cap(c.Data[len(c.Data)-1]))
	}
	c.Release()
	c.Release() // for those who return by many ways
	if !m.TryAcquire(4 << 20) {
		t.Error("memory was not given back")
	}
}

// Where others hold all the memory there is, a body still gets its first 240 KiB, waits once for more, and not again before there is
// hope.
func TestABodyWithoutMemoryIsToldSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewBudget(MaxSegment)
		if !m.TryAcquire(MaxSegment) {
			t.Fatal("the budget is not what it should be")
		}
		b, start := m.Buffer(), time.Now()
		for b.Ready(t.Context(), time.Second) {
			if err := b.ReadOnce(zeros{}, 1<<20); err != nil {
				t.Fatal(err)
			}
		}
		if b.N != allowance || time.Since(start) != time.Second {
			t.Errorf("%d bytes in %s", b.N, time.Since(start))
		}
		if b.Ready(t.Context(), time.Second) || time.Since(start) != time.Second {
			t.Error("it waited again")
		}
		b.Hope()
		if b.Ready(t.Context(), time.Second) || time.Since(start) != 2*time.Second {
			t.Error("it did not wait again, though there was hope")
		}
		m.Release(MaxSegment)
		if !b.Ready(t.Context(), time.Second) {
			t.Error("there is memory, and it gets none")
		}
		if err := b.ReadOnce(zeros{}, 3); err != nil || b.N != allowance+3 {
			t.Errorf("%d bytes with room for three more, %v", b.N, err)
		}
	})
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
