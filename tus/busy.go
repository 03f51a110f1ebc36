package tus

import (
	"context"
	"sync"
	"time"
)

// busy knows which uploads this process is writing to, so that a newer request can end an older one at once, as a
// client does whose connection died half-open. It is a courtesy: what is right is decided by epochs, and a process
// that knows nothing is as correct as one that remembers.
type busy struct {
	mu      sync.Mutex
	writers map[ID]*writer
}

// A writer is one request that is writing.
type writer struct {
	interrupt context.CancelCauseFunc
	left      chan struct{} // closed when it has gone
}

// enter makes the caller the writer of id, after interrupting the one before it and waiting until that has gone.
// The returned context ends when a newer request interrupts this one. patience bounds the wait.
func (b *busy) enter(ctx context.Context, id ID, patience time.Duration) (context.Context, func(), error) {
	ctx, cancel := context.WithCancelCause(ctx)
	impatient := time.AfterFunc(patience, func() { cancel(faultLocked) })
	w := &writer{interrupt: cancel, left: make(chan struct{})}
	for {
		b.mu.Lock()
		if b.writers == nil {
			b.writers = map[ID]*writer{}
		}
		older := b.writers[id]
		if older == nil {
			b.writers[id] = w
			b.mu.Unlock()
			if !impatient.Stop() { // it has just fired
				b.leave(id, w)
				return nil, nil, faultLocked
			}
			return ctx, func() { b.leave(id, w) }, nil
		}
		b.mu.Unlock()
		older.interrupt(errNewer)
		select {
		case <-older.left:
		case <-ctx.Done():
			impatient.Stop()
			cancel(nil)
			return nil, nil, context.Cause(ctx)
		}
	}
}

func (b *busy) leave(id ID, w *writer) {
	b.mu.Lock()
	delete(b.writers, id)
	b.mu.Unlock()
	w.interrupt(nil)
	close(w.left)
}

// interrupt ends the writer of id, if there is one, without waiting.
func (b *busy) interrupt(id ID, cause error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if w := b.writers[id]; w != nil {
		w.interrupt(cause)
	}
}

// drain interrupts all writers and waits for them until ctx ends.
func (b *busy) drain(ctx context.Context) error {
	b.mu.Lock()
	ws := make([]*writer, 0, len(b.writers))
	for _, w := range b.writers {
		w.interrupt(errDraining)
		ws = append(ws, w)
	}
	b.mu.Unlock()
	for _, w := range ws {
		select {
		case <-w.left:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
