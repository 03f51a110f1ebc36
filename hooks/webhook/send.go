package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

const (
	// maxReply is the largest answer: metadata can be half of it, and nothing else is large.
	maxReply = 1 << 20
	// firstPause is the longest pause before the second attempt; it doubles from there on.
	firstPause = 200 * time.Millisecond
)

// A sender sends messages. It is safe for concurrent use and remembers nothing but connections.
type sender struct {
	client      *http.Client
	address     string
	source      string
	header      http.Header
	forward     []string
	keys        [][]byte
	timeout     time.Duration
	attempts    int
	maxMetadata int
}

// A failure is an attempt that came to nothing.
type failure struct {
	err   error
	again bool          // another attempt may do better
	after time.Duration // what the receiver asks to wait before it
}

// send sends a message until the receiver has it, and returns its reply: to an event one from 200 to 299, to a question whatever
// is not to be tried again.
func (s *sender) send(ctx context.Context, hook, id string, d Data) (reply, error) {
	m := Message{
		SpecVersion: "1.0", ID: id, Source: s.source, Type: TypePrefix + hook, Time: time.Now().UTC(),
		DataContentType: "application/json", Data: d,
	}
	if d.Upload != nil {
		m.Subject = d.Upload.ID
	}
	body, err := json.Marshal(m)
	if err != nil {
		return reply{}, fmt.Errorf("webhook: encode %s: %w", hook, err)
	}
	told := names[hook] != 0
	for n := 1; ; n++ {
		r, f := s.attempt(ctx, id, body)
		if f == nil && told && (r.status < 200 || r.status > 299) {
			f = &failure{err: r.unexpected()}
		}
		if f == nil {
			return r, nil
		}
		if !f.again || n == s.attempts || !pause(ctx, f.after, firstPause<<(n-1), s.timeout) {
			return reply{}, fmt.Errorf("webhook: send %s: attempt %d of %d: %w", hook, n, s.attempts, f.err)
		}
	}
}

// attempt sends the message once. Its signature is made anew, as its time is part of it.
func (s *sender) attempt(ctx context.Context, id string, body []byte) (reply, *failure) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.address, bytes.NewReader(body))
	if err != nil {
		return reply{}, &failure{err: bare(err)}
	}
	for name, values := range s.header {
		req.Header[http.CanonicalHeaderKey(name)] = values
	}
	req.Header.Set("Content-Type", contentType)
	req.Header.Set("Accept", "application/json")
	if req.Header.Get("User-Agent") == "" {
		req.Header.Set("User-Agent", "fileloft")
	}
	timestamp := strconv.FormatInt(time.Now().Unix(), 10)
	req.Header.Set(headerID, webhookID(id))
	req.Header.Set(headerTimestamp, timestamp)
	if len(s.keys) > 0 {
		req.Header.Set(headerSignature, sign(s.keys, webhookID(id), timestamp, body))
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return reply{}, &failure{err: bare(err), again: true}
	}
	defer resp.Body.Close()
	r := reply{status: resp.StatusCode, contentType: resp.Header.Get("Content-Type")}
	if r.body, err = io.ReadAll(io.LimitReader(resp.Body, maxReply+1)); err != nil {
		return r, &failure{err: fmt.Errorf("read the answer: %w", bare(err)), again: true}
	}
	switch {
	case len(r.body) > maxReply:
		return r, &failure{err: fmt.Errorf("answered %d with more than %d bytes", r.status, maxReply)}
	case r.status >= 500, r.status == http.StatusTooManyRequests, r.status == http.StatusRequestTimeout:
		return r, &failure{err: r.unexpected(), again: true, after: retryAfter(resp.Header)}
	case r.status >= 300 && r.status < 400:
		return r, &failure{err: fmt.Errorf("answered %d, and redirects are not followed", r.status)}
	}
	return r, nil
}

// bare takes the address out of an error: it may have a key in its query, and errors go to the log.
func bare(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}

// retryAfter reads a Retry-After in either form, 0 if there is none.
func retryAfter(h http.Header) time.Duration {
	v := h.Get("Retry-After")
	if n, err := strconv.ParseUint(v, 10, 31); err == nil {
		return time.Duration(n) * time.Second
	}
	if t, err := http.ParseTime(v); err == nil {
		return max(time.Until(t), 0)
	}
	return 0
}

// pause waits before the next attempt: as long as the receiver asks, and at least a random time up to backoff. It returns false,
// at once, where ctx ends before that, and where the receiver asks for more than longest: somebody else can do better
// than wait, the client by its own retries, or Sweep.
func pause(ctx context.Context, asked, backoff, longest time.Duration) bool {
	wait := max(asked, backoff/2+rand.N(backoff/2+1))
	if end, ok := ctx.Deadline(); asked > longest || ok && time.Until(end) <= wait {
		return false
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
