package tus

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"
)

// busy knows which uploads this process is writing to, so that a newer request can end an older one at once, as a
// client does whose connection died half-open. It is a courtesy: what is right is decided by epochs, and a process
// that knows nothing is as correct as one that remembers.
//
// The requests for one upload stand in line. The first is at work; it is told as soon as there is another behind it.
type busy struct {
	mu    sync.Mutex
	lines map[ID][]*turn
}

// A turn is one request's time as the only writer of an upload in this process.
type turn struct {
	ctx    context.Context         // ends when the request must end
	wanted context.Context         // ends with errNewer when a newer request waits behind this one, and with ctx
	end    context.CancelCauseFunc // of ctx
	yield  context.CancelCauseFunc // of wanted
	first  chan struct{}           // closed when it is this one's turn
	left   chan struct{}           // closed when it has gone
}

// enter waits for the caller's turn to write to id, and lets whoever is at work know. patience bounds the wait. The caller leaves
// with the returned function.
func (b *busy) enter(ctx context.Context, id ID, patience time.Duration) (*turn, func(), error) {
	t := &turn{first: make(chan struct{}), left: make(chan struct{})}
	t.ctx, t.end = context.WithCancelCause(ctx)
	t.wanted, t.yield = context.WithCancelCause(t.ctx)
	leave := func() { b.leave(id, t) }
	b.join(id, t)
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-t.first:
		return t, leave, nil
	case <-timer.C:
		leave()
		return nil, nil, faultLocked
	case <-t.ctx.Done():
		err := context.Cause(t.ctx)
		leave()
		return nil, nil, err
	}
}

func (b *busy) join(id ID, t *turn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.lines == nil {
		b.lines = map[ID][]*turn{}
	}
	line := append(b.lines[id], t)
	b.lines[id] = line
	begin(line)
}

// begin lets the first of a line work and tells it whether others wait.
func begin(line []*turn) {
	t := line[0]
	select {
	case <-t.first:
	default:
		close(t.first)
	}
	if len(line) > 1 {
		t.yield(errNewer)
	}
}

func (b *busy) leave(id ID, t *turn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	line := b.lines[id]
	i := slices.Index(line, t)
	if line = slices.Delete(line, i, i+1); len(line) == 0 {
		delete(b.lines, id)
	} else {
		b.lines[id] = line
		begin(line)
	}
	t.yield(nil)
	t.end(nil)
	close(t.left)
}

// interrupt ends the writer of id, if there is one, without waiting.
func (b *busy) interrupt(id ID, cause error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if line := b.lines[id]; len(line) > 0 {
		line[0].end(cause)
	}
}

// drain ends all requests, those that wait too, and waits until they have left or ctx ends.
func (b *busy) drain(ctx context.Context) error {
	b.mu.Lock()
	all := slices.Concat(slices.Collect(maps.Values(b.lines))...)
	b.mu.Unlock()
	for _, t := range all {
		t.end(errDraining)
	}
	for _, t := range all {
		select {
		case <-t.left:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
