package proof

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"
)

// A request is one that a client sends to an endpoint of its choice.
type request struct {
	method  string
	id      string // "": to the collection
	body    []byte
	headers []string
	short   bool  // the body ends too early:
	end     int64 // here,
	ending  error // with this; nil: it falls silent
	keep    bool  // the answer's body is wanted
}

// An answer is a response, read.
type answer struct {
	method string
	status int
	header http.Header
	body   []byte
}

// transient tells that whoever answered asks for another try, or was not the server.
func (a *answer) transient() bool {
	return a.status == http.StatusLocked || a.status == http.StatusRequestTimeout || a.status == http.StatusTooManyRequests || a.status >= 500
}

func (a *answer) String() string {
	return fmt.Sprintf("%d %s, Upload-Offset %q, %.200q", a.status, http.StatusText(a.status), a.header.Get("Upload-Offset"), a.body)
}

// ask sends a request through chance's replica. The client's patience with one request is chance's too: from a moment to half a minute.
func (u *upload) ask(ctx context.Context, r *rand.Rand, rq *request) (*answer, error) {
	ends := u.setup.fleet.endpoints()
	patience := 4*time.Second + time.Duration(r.IntN(16))*time.Second
	switch r.IntN(40) {
	case 0:
		patience = time.Duration(r.IntN(200)) * time.Millisecond
	case 1:
		patience = 40 * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, patience/max(1, u.haste))
	defer cancel()
	var b io.Reader = bytes.NewReader(rq.body)
	if rq.short {
		b = &broken{ctx: ctx, left: rq.body[:rq.end], err: rq.ending}
	}
	req, err := http.NewRequestWithContext(ctx, rq.method, ends[r.IntN(len(ends))]+rq.id, b)
	if err != nil {
		return nil, err
	}
	req.ContentLength = int64(len(rq.body))
	if req.ContentLength == 0 {
		req.Body = http.NoBody
	}
	req.Header.Set("Tus-Resumable", "1.0.0")
	for i := 0; i < len(rq.headers); i += 2 {
		req.Header.Set(rq.headers[i], rq.headers[i+1])
	}
	u.tally.add("requests", 1)
	resp, err := u.client.Do(req)
	if err != nil {
		u.tally.add("requests without an answer", 1)
		u.note(err.Error())
		return nil, err
	}
	defer resp.Body.Close()
	a := &answer{method: rq.method, status: resp.StatusCode, header: resp.Header}
	most := int64(4 << 10)
	if rq.keep {
		most = int64(len(u.data)) + 1
	}
	a.body, err = io.ReadAll(io.LimitReader(resp.Body, most))
	u.tally.add(fmt.Sprintf("answers %dxx", a.status/100), 1)
	if a.transient() {
		u.mu.Lock()
		u.told = a.String()
		u.mu.Unlock()
	}
	if err != nil && (rq.keep || a.status >= 300) { // an error, whatever it was about
		return nil, err
	}
	return a, nil
}

// A broken body ends before it should.
type broken struct {
	ctx  context.Context
	left []byte
	err  error // nil: it falls silent, until the client gives up
}

func (b *broken) Read(p []byte) (int, error) {
	if len(b.left) == 0 {
		if b.err == nil {
			<-b.ctx.Done()
			return 0, b.ctx.Err()
		}
		return 0, b.err
	}
	n := copy(p, b.left)
	b.left = b.left[n:]
	return n, nil
}

// note keeps what went wrong last, for the report of one that is stuck.
func (u *upload) note(what string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.log = append(u.log, what)
	u.log = u.log[max(0, len(u.log)-4):]
}

func (u *upload) last() string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return fmt.Sprintf("answered %s; not answered: %s", u.told, strings.Join(u.log, " | "))
}
