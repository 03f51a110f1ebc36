package gcsfake

import (
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// quantum is what chunks but the last must be multiples of
// (https://cloud.google.com/storage/docs/performing-resumable-uploads#chunked-upload).
const quantum = 256 << 10

// A session is a resumable upload (https://cloud.google.com/storage/docs/resumable-uploads). It lives for a week.
type session struct {
	id   string
	u    *incoming
	gone bool // under the server's lock

	mu   sync.Mutex // one request at a time; over u's content too
	done *resource  // the object that it became; its bytes are not kept here, where they would outlive it
}

func (s *Server) beginSession(r *http.Request, u *incoming) (*answer, error) {
	if t := r.Header.Get("X-Upload-Content-Type"); t != "" {
		u.res.ContentType = t
	}
	if err := u.merge(r.Body); err != nil {
		return nil, fail(http.StatusBadRequest, "parseError", "Parse Error: %v", err)
	}
	u.hash(r.Header)
	s.mu.Lock()
	defer s.mu.Unlock()
	objects, err := s.bucket(u.bucket)
	if err != nil {
		return nil, err
	}
	if err := u.conds.check(objects[u.res.Name], false); err != nil {
		return nil, err
	}
	ses := &session{id: rand.Text(), u: u}
	s.sessions[ses.id] = ses
	h := http.Header{}
	h.Set("Location", fmt.Sprintf("http://%s%s?uploadType=resumable&upload_id=%s", r.Host, r.URL.EscapedPath(), ses.id))
	return &answer{header: h}, nil
}

// session finds the session that a request names: 404 where there never was one, 410 where it has ended.
func (s *Server) session(r *http.Request) (*session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ses := s.sessions[query(r).Get("upload_id")]
	switch {
	case ses == nil:
		return nil, fail(http.StatusNotFound, "notFound", "no such upload session")
	case ses.gone:
		return nil, fail(http.StatusGone, "gone", "the upload session has ended")
	}
	return ses, nil
}

// contentRange is a parsed Content-Range. Total is -1 for "*"; a query has no first.
type contentRange struct {
	query        bool
	first, total int64
}

func parseContentRange(r *http.Request) (c contentRange, err error) {
	h := r.Header.Get("Content-Range")
	if h == "" { // all of it in one request
		return contentRange{total: r.ContentLength}, nil
	}
	bad := fail(http.StatusBadRequest, "badRequest", "Failed to parse Content-Range header %q", h)
	spec, ok := strings.CutPrefix(h, "bytes ")
	span, total, ok2 := strings.Cut(spec, "/")
	if !ok || !ok2 {
		return c, bad
	}
	c.total = -1
	if total != "*" {
		if c.total, err = strconv.ParseInt(total, 10, 64); err != nil || c.total < 0 {
			return c, bad
		}
	}
	if span == "*" {
		c.query = true
		return c, nil
	}
	first, last, ok := strings.Cut(span, "-")
	n, err2 := strconv.ParseInt(last, 10, 64)
	if c.first, err = strconv.ParseInt(first, 10, 64); err != nil || err2 != nil || !ok || n < c.first || c.total >= 0 && n >= c.total {
		return c, bad
	}
	if r.ContentLength >= 0 && r.ContentLength != n-c.first+1 {
		return c, bad
	}
	return c, nil
}

// writeSession takes a chunk, or answers how much is there.
func (s *Server) writeSession(r *http.Request) (*answer, error) {
	c, err := parseContentRange(r)
	if err != nil {
		return nil, err
	}
	ses, err := s.session(r)
	if err != nil {
		return nil, err
	}
	ses.mu.Lock()
	defer ses.mu.Unlock()
	if ses.done != nil { // whoever did not hear of the end is told again
		_, _ = io.Copy(io.Discard, r.Body)
		return &answer{json: ses.done}, nil
	}
	have := ses.u.size
	if !c.query {
		if err := ses.take(r, c); err != nil {
			return nil, err
		}
		have = ses.u.size
	}
	if c.total < 0 || have != c.total {
		if c.query && c.total >= 0 && c.total < have {
			return nil, fail(http.StatusBadRequest, "invalid", "%d bytes are there already", have)
		}
		return incomplete(r, have), nil
	}
	ses.u.hash(r.Header)
	o, err := s.store(ses.u)
	if err != nil {
		s.mu.Lock()
		ses.gone, ses.u.data = true, nil
		s.mu.Unlock()
		return nil, err
	}
	res := o.res
	ses.done, ses.u.data = &res, nil
	return &answer{json: o.res}, nil
}

// take adds a chunk to what is persisted. Bytes that are there already are passed over; a chunk that begins behind them is
// refused: nothing may be missing in between.
func (ses *session) take(r *http.Request, c contentRange) error {
	have := ses.u.size
	if c.first > have {
		_, _ = io.Copy(io.Discard, r.Body)
		return fail(http.StatusBadRequest, "invalid", "the chunk begins at %d, and %d bytes are there", c.first, have)
	}
	if _, err := io.CopyN(io.Discard, r.Body, have-c.first); err != nil {
		return nil //nolint:nilerr // a chunk that is there already
	}
	if err := ses.u.read(r.Body, true, c.total); err != nil {
		return nil //nolint:nilerr // the connection broke off: what came before counts
	}
	if news := r.ContentLength - (have - c.first); ses.u.size == have && news > 0 && news < quantum {
		return fail(http.StatusBadRequest, "invalid", "The number of bytes uploaded is required to be equal or greater than %d, "+
			"except for the final request", quantum)
	}
	return nil
}

// incomplete is status 308, or 200 with a header that says so for clients that asked for that. Without a Range nothing is there.
func incomplete(r *http.Request, have int64) *answer {
	h := http.Header{}
	if have > 0 {
		h.Set("Range", fmt.Sprintf("bytes=0-%d", have-1))
	}
	if r.Header.Get("X-Guploader-No-308") == "yes" {
		h.Set("X-Http-Status-Code-Override", "308")
		return &answer{header: h}
	}
	return &answer{status: http.StatusPermanentRedirect, header: h}
}
