package azurestore

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/fileloft/fileloft/tus"
)

// zeros is a body that takes no memory.
type zeros struct{ left int64 }

func (z *zeros) Read(p []byte) (int, error) {
	if z.left == 0 {
		return 0, errEnd
	}
	n := min(int64(len(p)), z.left)
	clear(p[:n])
	z.left -= n
	return int(n), nil
}

var errEnd = errors.New("the client went away")

// Where the time is short a body is cut off while there is time to send what was read: that counts, and the rest is not begun.
func TestABodyIsCutOffWhileWhatWasReadCanBeSent(t *testing.T) {
	const mib = 1 << 20
	for _, tt := range []struct {
		name   string
		block  int64
		time   time.Duration
		from   int64 // at least so much counts
		to     int64 // and at most so much
		blocks bool
	}{
		{"there is time for some", 8 * mib, time.Second, mib, 2 * mib, true},
		{"there is time for a few blocks", 2 * mib, 2 * time.Second, 2 * mib, 16 << 30, true},
		{"there is no time", 8 * mib, 2 * time.Millisecond, 0, 0, false},
	} {
		s, w := nowhere(t, Options{BlockSize: tt.block}, empty)
		p := newUpload(t, s, tus.Unknown)
		ctx, cancel := context.WithTimeout(t.Context(), tt.time)
		r, err := s.Append(ctx, p.next(16<<20), &zeros{left: 16 << 30})
		end, _ := ctx.Deadline()
		spare := time.Until(end)
		cancel()
		if r.N < tt.from || r.N > tt.to || !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, errSlots) {
			t.Errorf("%s: %d bytes count, %v", tt.name, r.N, err)
		}
		if tt.blocks && spare < 50*time.Millisecond {
			t.Errorf("%s: it came back with %s left", tt.name, spare)
		}
		if n := w.take()["PutBlock"]; n > 0 != tt.blocks {
			t.Errorf("%s: %d blocks", tt.name, n)
		}
	}
}

// A client that sends, and then nothing until there is hardly any time left: what it sent is not begun to be stored.
func TestWhatWouldComeTooLateIsNotSent(t *testing.T) {
	s, w := nowhere(t, Options{BlockSize: 8 << 20}, empty)
	p := newUpload(t, s, tus.Unknown)
	ctx, cancel := context.WithTimeout(t.Context(), 600*time.Millisecond)
	defer cancel()
	slow := readerFunc(func(b []byte) (int, error) {
		time.Sleep(555 * time.Millisecond)
		return copy(b, strings.Repeat("x", 16<<10)), errEnd
	})
	r, err := s.Append(ctx, p.next(2<<20), &twoStep{strings.NewReader(strings.Repeat("x", 256<<10)), slow})
	if r.N != 0 || !errors.Is(err, context.DeadlineExceeded) || len(w.take()) > 0 {
		t.Errorf("%d bytes count, %v", r.N, err)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }

type twoStep struct {
	first *strings.Reader
	then  readerFunc
}

func (r *twoStep) Read(b []byte) (int, error) {
	if r.first.Len() > 0 {
		return r.first.Read(b)
	}
	return r.then(b)
}
