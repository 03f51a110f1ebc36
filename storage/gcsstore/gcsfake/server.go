package gcsfake

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"cloud.google.com/go/storage"
	"google.golang.org/api/option"
)

// Options change how a Server behaves. Nil and zero mean the default.
type Options struct {
	// Discard has the server keep sizes and checksums, but no bytes: objects read as zeros.
	Discard bool
	// WriteRate has it answer 429 to a second write of one object within a second, as the real one may
	// (https://cloud.google.com/storage/quotas, "Maximum rate of writes to the same object name").
	WriteRate bool
	// PageSize is the longest page of a list. Default 1000, Google's.
	PageSize int
	// Plan says what is to go wrong with a call. It is asked for every call and must be safe for concurrent use. Default nothing.
	Plan func(Call) Fault
	// Now is the clock. Default time.Now.
	Now func() time.Time
}

// A Server is a Google Cloud Storage of its own. It is an http.Handler, safe for concurrent use.
type Server struct {
	opt Options
	mux *http.ServeMux

	mu       sync.Mutex
	buckets  map[string]map[string]*object
	sessions map[string]*session
	last     int64 // the newest generation
	written  map[string]time.Time
	counts   map[string]int
	replaced []string
}

// New returns a server with the named buckets, all empty.
func New(opt *Options, buckets ...string) *Server {
	s := &Server{
		buckets: map[string]map[string]*object{}, sessions: map[string]*session{},
		written: map[string]time.Time{}, counts: map[string]int{},
	}
	if opt != nil {
		s.opt = *opt
	}
	if s.opt.Now == nil {
		s.opt.Now = time.Now
	}
	if s.opt.PageSize <= 0 {
		s.opt.PageSize = 1000
	}
	for _, b := range buckets {
		s.buckets[b] = map[string]*object{}
	}
	s.mux = s.routes()
	return s
}

// routes names the calls as Google's documentation of the JSON API does; those of the XML API by what they are billed as.
func (s *Server) routes() *http.ServeMux {
	m := http.NewServeMux()
	const b, o = "/storage/v1/b/{bucket}", "/storage/v1/b/{bucket}/o/{object}"
	for pattern, c := range map[string]struct {
		name string
		do   func(*http.Request) (*answer, error)
	}{
		"POST /storage/v1/b":     {"buckets.insert", s.insertBucket},
		"GET " + b:               {"buckets.get", s.getBucket},
		"GET " + b + "/o":        {"objects.list", s.list},
		"GET " + o:               {"objects.get", s.get},
		"PATCH " + o:             {"objects.patch", s.patch},
		"DELETE " + o:            {"objects.delete", s.delete},
		"POST " + o + "/compose": {"objects.compose", s.compose},
		"POST " + o + "/rewriteTo/b/{bucket2}/o/{object2}": {"objects.rewrite", s.rewrite},
		"POST /upload/storage/v1/b/{bucket}/o":             {"objects.insert", s.insert},
		"PUT /upload/storage/v1/b/{bucket}/o":              {"objects.insert", s.insert},
		"DELETE /upload/storage/v1/b/{bucket}/o":           {"sessions.delete", s.dropSession},
		"GET /{bucket}/{object...}":                        {"objects.get", s.getXML},
		"GET /download/storage/v1/b/{bucket}/o/{object}":   {"objects.get", s.get},
	} {
		m.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, c.name, c.do) })
	}
	return m
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mux.ServeHTTP(w, r)
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request, name string, do func(*http.Request) (*answer, error)) {
	call := s.identify(r, name)
	s.count(call)
	fault := NoFault
	if s.opt.Plan != nil {
		fault = s.opt.Plan(call)
	}
	switch fault {
	case LoseRequest:
		panic(http.ErrAbortHandler)
	case Unavailable:
		fail(http.StatusServiceUnavailable, "backendError", "the fake was told to").write(w, r)
		return
	}
	a, err := do(r)
	if fault == LoseAnswer {
		panic(http.ErrAbortHandler)
	}
	if err != nil {
		e, ok := errors.AsType[*apiError](err)
		if !ok {
			e = fail(http.StatusInternalServerError, "internalError", "%v", err)
		}
		e.write(w, r)
		return
	}
	a.write(w, r)
}

// An answer is what a call that went well says: JSON, or an object's bytes.
type answer struct {
	status int // 200 where it is not set
	header http.Header
	json   any
	body   *reader
}

func (a *answer) write(w http.ResponseWriter, r *http.Request) {
	for k, v := range a.header {
		w.Header()[k] = v
	}
	status := max(a.status, http.StatusOK)
	switch {
	case a.body != nil:
		w.Header().Set("Content-Length", fmt.Sprint(a.body.left))
		w.WriteHeader(status)
		if r.Method != http.MethodHead {
			_, _ = a.body.WriteTo(w)
		}
	case a.json != nil:
		w.Header().Set("Content-Type", "application/json; charset=UTF-8")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(a.json)
	default:
		w.WriteHeader(status)
	}
}

// A Listener is a Server that listens.
type Listener struct {
	URL string

	srv  *http.Server
	done chan struct{}
}

// Listen serves on a free port of 127.0.0.1, or on addr where it is not empty, until Close.
func (s *Server) Listen(ctx context.Context, addr string) (*Listener, error) {
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("gcsfake: listen: %w", err)
	}
	n := &Listener{URL: "http://" + l.Addr().String(), srv: &http.Server{Handler: s, ReadHeaderTimeout: time.Minute}, done: make(chan struct{})}
	go func() {
		defer close(n.done)
		_ = n.srv.Serve(l) // it ends by Close
	}()
	return n, nil
}

// Close ends the listening and all requests under way.
func (n *Listener) Close() {
	_ = n.srv.Close()
	<-n.done
}

// Client returns an official client of the server.
func (n *Listener) Client(ctx context.Context, opts ...option.ClientOption) (*storage.Client, error) {
	hc := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}}
	c, err := storage.NewClient(ctx, append([]option.ClientOption{
		option.WithEndpoint(n.URL + "/storage/v1/"), option.WithHTTPClient(hc),
	}, opts...)...)
	if err != nil {
		return nil, fmt.Errorf("gcsfake: new client: %w", err)
	}
	return c, nil
}

// apiError is an error in the form of https://cloud.google.com/storage/docs/json_api/v1/status-codes.
type apiError struct {
	status          int
	reason, message string
}

func fail(status int, reason, format string, args ...any) *apiError {
	return &apiError{status, reason, fmt.Sprintf(format, args...)}
}

func (e *apiError) Error() string { return e.message }

func (e *apiError) write(w http.ResponseWriter, r *http.Request) {
	if !strings.HasPrefix(r.URL.Path, "/storage/") && !strings.HasPrefix(r.URL.Path, "/upload/") && !strings.HasPrefix(r.URL.Path, "/download/") {
		w.Header().Set("Content-Type", "application/xml; charset=UTF-8")
		w.WriteHeader(e.status)
		_, _ = fmt.Fprintf(w, "<?xml version='1.0' encoding='UTF-8'?><Error><Code>%s</Code><Message>%s</Message></Error>", e.reason, e.message)
		return
	}
	if e.status == http.StatusNotModified {
		w.WriteHeader(e.status)
		return
	}
	detail := map[string]string{"domain": "global", "reason": e.reason, "message": e.message}
	(&answer{status: e.status, json: map[string]any{"error": map[string]any{
		"code": e.status, "message": e.message, "errors": []any{detail},
	}}}).write(w, r)
}

func query(r *http.Request) url.Values { return r.URL.Query() }
