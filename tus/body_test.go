package tus

import (
	"bytes"
	"io"
	"sync"
	"testing"
	"time"
)

// A body's deadline once hit the next request on the same connection, when the reading of the body was ended
// at the moment in which it ended by itself. It takes many tries to meet that moment.
func TestTheDeadlineOfABodyThatEndedIsTakenBack(t *testing.T) {
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 600 {
				if d := lastDeadline(t); !d.IsZero() {
					t.Errorf("the deadline is left at %v", d)
					return
				}
			}
		})
	}
	wg.Wait()
}

// lastDeadline reads a body to its end, stops the pump, and returns the deadline that was set last.
func lastDeadline(t *testing.T) time.Time {
	var mu sync.Mutex
	var last time.Time
	b := &body{src: bytes.NewReader([]byte("x")), size: 1, deadline: func(d time.Time) {
		mu.Lock()
		defer mu.Unlock()
		last = d
	}}
	p := startPump(t.Context(), b, time.Hour)
	for c := range p.full {
		if c.err == io.EOF {
			break
		}
		p.free <- c.buf
	}
	p.stop()
	time.Sleep(10 * time.Microsecond) // for what comes late
	mu.Lock()
	defer mu.Unlock()
	return last
}
