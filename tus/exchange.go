package tus

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

// A dialect is one protocol over HTTP: it parses requests into calls of the engine and renders what comes back. Only
// dialects know header names. tus 1.0.0 is one; a second may act on the same uploads.
type dialect interface {
	options(x *exchange)
	create(x *exchange) error
	head(x *exchange, id ID) error
	append(x *exchange, id ID) error
	terminate(x *exchange, id ID) error
	// fault renders an error's own headers; the exchange writes the rest.
	fault(x *exchange, f *fault)
}

// An exchange is one request and its answer.
type exchange struct {
	h       *Handler
	w       http.ResponseWriter
	r       *http.Request
	id      string // request id
	method  string
	dialect dialect
	began   bool        // the header is written
	cut     atomic.Bool // the body was not read to its end
}

// serve routes the request.
func (x *exchange) serve() {
	x.method = x.r.Method
	if o := x.r.Header.Get("X-HTTP-Method-Override"); o != "" {
		x.method = strings.ToUpper(o)
	}
	x.dialect = tus1{}
	x.h.cors.apply(x)
	if err := x.route(); err != nil {
		x.fail(err)
	}
}

// route finds what the path names and does the method to it.
func (x *exchange) route() error {
	name, ok := x.name()
	if !ok {
		return faultNotFound
	}
	if x.method == http.MethodOptions {
		x.dialect.options(x)
		return nil
	}
	if x.method != http.MethodGet {
		if err := checkVersion(x); err != nil {
			return err
		}
	}
	if name == "" {
		return x.collection()
	}
	id := ID(name)
	if id.Validate() != nil {
		return refuse(codeBadID, "that is not an upload's address")
	}
	return x.upload(id)
}

// name returns the path behind BasePath, without a trailing slash; "" for the collection.
func (x *exchange) name() (string, bool) {
	base := x.h.opt.BasePath
	p := x.r.URL.Path
	if p == strings.TrimSuffix(base, "/") {
		return "", true
	}
	name, ok := strings.CutPrefix(p, base)
	return strings.TrimSuffix(name, "/"), ok
}

func (x *exchange) collection() error {
	if x.method != http.MethodPost {
		return x.notAllowed("OPTIONS, POST")
	}
	if x.h.opt.DisableCreation {
		return refuse(codeNotFound, "uploads cannot be created here")
	}
	return x.dialect.create(x)
}

func (x *exchange) upload(id ID) error {
	o := &x.h.opt
	switch x.method {
	case http.MethodHead:
		return x.dialect.head(x, id)
	case http.MethodPatch:
		return x.dialect.append(x, id)
	case http.MethodGet:
		if o.EnableDownload {
			return x.download(id)
		}
	case http.MethodDelete:
		if !o.DisableTermination {
			return x.dialect.terminate(x, id)
		}
		return refuse(codeNotFound, "uploads cannot be terminated here")
	}
	allow := "OPTIONS, HEAD, PATCH"
	if o.EnableDownload {
		allow += ", GET"
	}
	if !o.DisableTermination {
		allow += ", DELETE"
	}
	return x.notAllowed(allow)
}

func (x *exchange) notAllowed(allow string) error {
	x.w.Header().Set("Allow", allow)
	return refuse(codeMethod, "the method does not go with this address")
}

// fail answers with an error. Its inside goes to the log, its meaning to the client.
func (x *exchange) fail(err error) {
	f := asFault(err)
	if x.dialect == nil {
		x.dialect = tus1{}
	}
	st := status[f.code]
	if f.reject != nil && f.reject.Status >= 400 && f.reject.Status <= 599 {
		st = f.reject.Status
	}
	log := x.h.opt.Log
	gone := x.r.Context().Err() != nil && errors.Is(err, context.Canceled) // the client is: nobody has failed
	switch {
	case st >= 500 && !gone:
		log.ErrorContext(x.r.Context(), "tus: request failed", "request_id", x.id, "method", x.method, "path", x.r.URL.Path, "status", st, "error", err)
	default:
		log.DebugContext(x.r.Context(), "tus: request refused", "request_id", x.id, "method", x.method, "path", x.r.URL.Path, "status", st, "error", err)
	}
	if x.began {
		return // too late for an answer; net/http ends the connection when the handler has written too little
	}
	hd := x.w.Header()
	hd.Set("Content-Type", "text/plain; charset=utf-8")
	hd.Set("X-Content-Type-Options", "nosniff")
	hd.Set("Cache-Control", "no-store")
	x.dialect.fault(x, f)
	body := string(f.code) + ": " + f.text + "\n"
	if f.reject != nil {
		body = rejection(f.reject, hd)
	}
	x.answer(st, body)
}

// rejection puts a hook's headers into an answer and returns its body.
func rejection(r *Rejection, hd http.Header) string {
	for k, v := range r.Header {
		hd[http.CanonicalHeaderKey(k)] = v
	}
	if r.Body == "" {
		return string(codeRejected) + ": the server does not want this\n"
	}
	return r.Body
}

// answer writes the response.
func (x *exchange) answer(status int, body string) {
	x.began = true
	if x.cut.Load() && x.r.ProtoMajor == 1 {
		x.w.Header().Set("Connection", "close") // its deadline is over, and it may still hold bytes of the body
		closeInStages(x.w)
	}
	x.w.WriteHeader(status)
	if body != "" && x.method != http.MethodHead {
		_, _ = x.w.Write([]byte(body)) // a client that has gone needs no answer
	}
}

// closeInStages makes net/http close the connection as RFC 9112, section 9.6, asks of a server that does not read a body to its end:
// its own side first, the whole only half a second later. Closed at once, with bytes of the body unread, the connection is reset, and
// a client that is still sending loses the answer to that. net/http does so by itself only where it knows how much it left unread;
// here it fails to read, the deadline being over. It can be told by way of MaxBytesReader.
func closeInStages(w http.ResponseWriter) {
	for {
		u, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			break
		}
		w = u.Unwrap()
	}
	_, _ = http.MaxBytesReader(w, io.NopCloser(strings.NewReader("x")), 0).Read(make([]byte, 1))
}

// readDeadline returns a function that bounds reads of the request's body, or nil where the server cannot do that.
func (x *exchange) readDeadline() func(time.Time) {
	rc := http.NewResponseController(x.w)
	if rc.SetReadDeadline(time.Time{}) != nil {
		return nil
	}
	return func(t time.Time) {
		if t.Equal(past) {
			x.cut.Store(true)
		}
		_ = rc.SetReadDeadline(t) // worked before, so it works
	}
}
