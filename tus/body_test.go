package tus

import (
	"bytes"
	"context"
	"io"
	"sync"
	"testing"
	"time"
)

// A body's deadline once hit the next request on the same connection, when the reading of the body was ended
// at the moment in which it ended by itself.
func TestTheDeadlineOfABodyThatEndedIsTakenBack(t *testing.T) {
	for range 3000 {
		var mu sync.Mutex
		var last time.Time
		b := &body{src: bytes.NewReader([]byte("x")), size: 1, deadline: func(d time.Time) {
			mu.Lock()
			defer mu.Unlock()
			last = d
		}}
		ctx, cancel := context.WithCancel(t.Context())
		p := startPump(ctx, b, time.Hour)
		for c := range p.full {
			if c.err == io.EOF {
				break
			}
			p.free <- c.buf
		}
		go cancel() // the request ends, or a newer one interrupts it
		p.stop()
		cancel()
		mu.Lock()
		if !last.IsZero() {
			t.Fatalf("the deadline is %v", last)
		}
		mu.Unlock()
	}
}
