package azurehost

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// A streamBody is a request's body on its way to the worker. The worker may answer before all has been read.
type streamBody struct {
	io.Reader
	read   atomic.Bool // something was
	ended  atomic.Bool // with all bytes, or an error
	broken atomic.Bool // with an error

	mu   sync.Mutex // held while somebody reads
	over bool
}

var errOver = errors.New("azurehost: the request is answered")

func (b *streamBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.over {
		return 0, errOver
	}
	b.read.Store(true)
	n, err := b.Reader.Read(p)
	if err != nil {
		b.broken.Store(!errors.Is(err, io.EOF))
		b.ended.Store(true)
	}
	return n, err
}

// Close is for the server to do, not for each attempt to send the body.
func (b *streamBody) Close() error { return nil }

// lingering is how long the rest of a body is read that nobody wants any more, so that its client comes to read the answer. Kestrel does so for
// five seconds.
const lingering = time.Second

// end takes the body from the transport, which may still be at it, before the request is over.
func (b *streamBody) end(w http.ResponseWriter) {
	if b.ended.Load() || !b.read.Load() { // of one that waits for 100 Continue nothing is there
		return
	}
	_ = http.NewResponseController(w).Flush()
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(lingering))
	b.mu.Lock()
	defer b.mu.Unlock()
	b.over = true
	_, _ = io.Copy(io.Discard, b.Reader)
}
