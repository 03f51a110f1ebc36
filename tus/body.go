package tus

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// Reasons for a body to end before its end.
var (
	errNewer    = errors.New("tus: a newer request for the same upload has come in")
	errDraining = errors.New("tus: the server is shutting down")
	errStalled  = errors.New("tus: the body stood still for too long")
	errOverlong = errors.New("tus: the body is longer than what the upload still takes")
	errLost     = errors.New("tus: the lease could not be kept")
)

// A body is what a request brings to be appended.
type body struct {
	src   io.Reader
	size  int64 // in bytes, or Unknown
	limit int64 // largest size that is taken, for a body of unknown size; 0: any
	// sum gives the checksum that the client announced, nil for none. Called when src has ended: it may be in a trailer.
	sum     func() (*checksum, error)
	trailed bool // sum is known only after the body
	// deadline makes a Read of src that lasts beyond t fail; the zero time takes that back. May be nil.
	deadline func(t time.Time)
}

// pumpBuffer is how much of a body is read at once. Two of them are in use per request: one is filled from the
// connection while the other is stored.
const pumpBuffer = 256 << 10

var pumpBuffers = sync.Pool{New: func() any { b := make([]byte, pumpBuffer); return &b }}

// past is the deadline of a Read that is to end now.
var past = time.Unix(1, 0)

// A pump reads a body in a goroutine of its own, so that whoever stores the bytes can notice that none are
// coming. It is started by startPump and joined by stop, before the response ends.
type pump struct {
	full chan pumped // closed after the last
	free chan *[]byte
	quit context.CancelFunc
	done chan struct{}
	last atomic.Int64 // when bytes came last, in nanoseconds since 1970

	mu      sync.Mutex
	cut     bool // the body was cut off: its deadline is in the past, and stays there
	over    bool // reading has ended: the connection may belong to the next request, hands off its deadline
	setRead func(time.Time)
}

type pumped struct {
	buf *[]byte
	b   []byte
	err error
}

// startPump begins to read. When ctx ends, reading stops with ctx's cause; what has arrived stays to be taken.
func startPump(ctx context.Context, b *body, idle time.Duration) *pump {
	ctx, quit := context.WithCancel(ctx)
	p := &pump{full: make(chan pumped, 1), free: make(chan *[]byte, 2), quit: quit, done: make(chan struct{}), setRead: b.deadline}
	p.last.Store(time.Now().UnixNano())
	size := int64(pumpBuffer)
	if b.size != Unknown {
		size = min(size, max(b.size, 1))
	}
	for range 2 {
		p.free <- getBuffer(size)
		if b.size != Unknown && b.size <= size {
			break // one buffer takes it all
		}
	}
	go p.run(ctx, b.src, idle)
	return p
}

// getBuffer lends a pooled buffer, or makes one of a small body's size.
func getBuffer(size int64) *[]byte {
	if size < pumpBuffer/4 {
		b := make([]byte, size)
		return &b
	}
	return pumpBuffers.Get().(*[]byte)
}

func putBuffer(b *[]byte) {
	if len(*b) == pumpBuffer {
		pumpBuffers.Put(b)
	}
}

func (p *pump) run(ctx context.Context, src io.Reader, idle time.Duration) {
	defer close(p.done)
	defer close(p.full)
	defer p.end(false)
	unblock := context.AfterFunc(ctx, p.cutOff)
	defer unblock()
	for {
		var buf *[]byte
		select {
		case buf = <-p.free:
		case <-ctx.Done():
		}
		if ctx.Err() != nil { // asked for itself: of two that are ready, select takes any
			p.full <- pumped{err: context.Cause(ctx)}
			return
		}
		p.allow(idle)
		n, err := src.Read(*buf)
		if n > 0 {
			p.last.Store(time.Now().UnixNano())
		}
		if err != nil {
			p.end(errors.Is(err, io.EOF))
			err = p.reason(ctx, err, idle)
		}
		p.full <- pumped{buf: buf, b: (*buf)[:n], err: err}
		if err != nil {
			return
		}
	}
}

// reason says why a body ended: a deadline that passed is either ours, from cutOff, or the client's silence. The silence may have ended ctx
// too: net/http does so over HTTP/1 when it cannot read on.
func (p *pump) reason(ctx context.Context, err error, idle time.Duration) error {
	var t interface{ Timeout() bool }
	late := errors.As(err, &t) && t.Timeout()
	canceled := errors.Is(context.Cause(ctx), context.Canceled)
	switch {
	case errors.Is(err, io.EOF):
		return io.EOF
	case ctx.Err() == nil && late, canceled && late && p.silence() >= idle:
		return errStalled
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	return err
}

// allow gives the next Read so long.
func (p *pump) allow(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.cut && p.setRead != nil {
		p.setRead(time.Now().Add(d))
	}
}

// end deals with the limit once no Read will follow. Behind a complete body it is taken away: it would hit the
// connection's next request. Behind another it is moved into the past, or net/http would wait for the rest of the body
// before it answers.
func (p *pump) end(complete bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over {
		return
	}
	p.over = true
	switch {
	case p.setRead == nil || p.cut:
	case complete:
		p.setRead(zeroTime)
	default:
		p.setRead(past)
	}
}

// silence returns for how long no bytes have come.
func (p *pump) silence() time.Duration { return time.Since(time.Unix(0, p.last.Load())) }

// cutOff makes a blocked Read return. It runs in a goroutine of its own and may come late.
func (p *pump) cutOff() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.over && p.setRead != nil {
		p.cut = true
		p.setRead(past)
	}
}

// stop ends the reading and waits for the goroutine.
func (p *pump) stop() {
	p.quit()
	for c := range p.full {
		if c.buf != nil {
			putBuffer(c.buf)
		}
	}
	<-p.done
	for {
		select {
		case b := <-p.free:
			putBuffer(b)
		default:
			return
		}
	}
}
