package lambdagate

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// DoorOptions are a gateway's configuration. The zero value is fine.
type DoorOptions struct {
	// Stage is the API's stage. Default: $default for an HTTP API, prod for a REST API. Others have none.
	Stage string
	// Domain is a custom domain name. Its root is mapped to the stage, so that URLs do not carry the stage. Default: the name
	// that the service gives.
	Domain string
	// Timeout is the integration's. Default and most for an HTTP API 30 s; default 29 s for a REST API; others have none.
	Timeout time.Duration
	// MultiValue is the target group's attribute lambda.multi_value_headers.enabled of a load balancer.
	MultiValue bool
}

// A door is one of the four services in front of a function. Its handler stands for the public name and TLS too: the function is
// told that it was called by https at the service's own name, and where an answer's Location says so, it is turned into the URL
// that the client in fact used.
type door struct {
	f      *Function
	opt    DoorOptions
	domain string // what the service is called at
	kind   service
}

// A service is what the four have different.
type service interface {
	// check refuses a request before its body is read.
	check(d *door, r *http.Request) *refusal
	// bodyLimit is the largest body, and the answer to a larger one.
	bodyLimit() (int64, *refusal)
	event(d *door, q *request) any
	// answer reads what the function returned. nil: it is malformed.
	answer(d *door, q *request, payload []byte) *answer
	// failed says what a client is told of an invocation that gave no answer.
	failed(err error) *refusal
}

// A request is one that is there as a whole: only then a function is started.
type request struct {
	*http.Request
	body  []byte
	id    string
	trace string
	ip    string
	time  time.Time
}

// An answer is a function's, ready to be sent.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// A refusal is an answer of the service itself.
type refusal struct {
	status int
	kind   string // x-amzn-ErrorType
	body   string
	plain  string // its content type, where it is not JSON
}

func newDoor(f *Function, opt *DoorOptions, kind service) *door {
	d := &door{f: f, kind: kind}
	if opt != nil {
		d.opt = *opt
	}
	return d
}

func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if no := d.kind.check(d, r); no != nil {
		no.write(w)
		return
	}
	limit, large := d.kind.bodyLimit()
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		large.write(w)
		return
	case err != nil:
		panic(http.ErrAbortHandler) // the client is gone, and no function is started
	}
	ip, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		ip = r.RemoteAddr
	}
	q := &request{Request: r, body: body, id: uuid(), trace: traceID(), ip: ip, time: time.Now()}
	a, err := d.invoke(q)
	if err != nil {
		d.kind.failed(err).write(w)
		return
	}
	d.send(w, q, a)
}

// errMalformed is for answers that the service cannot make HTTP of.
var errMalformed = errors.New("lambdagate: malformed answer of the function")

func (d *door) invoke(q *request) (*answer, error) {
	var event bytes.Buffer
	enc := json.NewEncoder(&event)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(d.kind.event(d, q)); err != nil {
		return nil, fmt.Errorf("lambdagate: event: %w", err)
	}
	ctx := context.WithoutCancel(q.Context()) // a client that goes away stops no invocation
	if d.opt.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d.opt.Timeout)
		defer cancel()
	}
	payload, err := d.f.Invoke(ctx, bytes.TrimSuffix(event.Bytes(), []byte("\n")))
	if err != nil {
		return nil, err
	}
	if a := d.kind.answer(d, q, payload); a != nil {
		return a, nil
	}
	return nil, errMalformed
}

func (d *door) send(w http.ResponseWriter, q *request, a *answer) {
	h := w.Header()
	for key, values := range a.header {
		switch key {
		case "Connection", "Keep-Alive", "Transfer-Encoding", "Upgrade", "Trailer": // the connection is the service's
			continue
		case "Content-Length":
			if q.Method != http.MethodHead {
				continue
			}
		case "Location":
			values = []string{d.reached(q, values[0])}
		}
		h[key] = values
	}
	w.WriteHeader(a.status)
	if q.Method != http.MethodHead {
		_, _ = w.Write(a.body) // to a client that is gone, or under a status that has none
	}
}

// reached turns a URL at the service's name into one at the address where the client reached this handler.
func (d *door) reached(q *request, location string) string {
	rest, ok := strings.CutPrefix(location, "https://"+d.domain)
	if !ok || rest != "" && rest[0] != '/' {
		return location
	}
	scheme := "http://"
	if q.TLS != nil {
		scheme = "https://"
	}
	return scheme + q.Host + rest
}

func (n *refusal) write(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Type", or(n.plain, "application/json"))
	if n.kind != "" {
		h.Set("X-Amzn-Errortype", n.kind)
	}
	w.WriteHeader(n.status)
	_, _ = io.WriteString(w, n.body)
}

// isText says which bodies travel as they are at HTTP APIs, Function URLs and load balancers; all others, and those of no type,
// in base64: https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html, which says the same of a
// body with a Content-Encoding. For HTTP APIs and Function URLs the list is observed, not documented (unverified).
func isText(h http.Header) bool {
	t, _, _ := strings.Cut(h.Get("Content-Type"), ";")
	t = strings.ToLower(strings.TrimSpace(t))
	if h.Get("Content-Encoding") != "" {
		return false
	}
	return strings.HasPrefix(t, "text/") || t == "application/json" || t == "application/xml" || t == "application/javascript"
}

// encoded returns a body as an event carries it.
func encoded(body []byte, text bool) (s string, base64d bool) {
	if text || len(body) == 0 {
		return string(body), false
	}
	return base64.StdEncoding.EncodeToString(body), true
}

// decoded returns the bytes of an answer's body.
func decoded(s string, base64d bool) ([]byte, bool) {
	if !base64d {
		return []byte(s), true
	}
	b, err := base64.StdEncoding.DecodeString(s)
	return b, err == nil
}

// headerBytes is the size of a request's line and headers, as the quotas of API Gateway count it: "total combined size of request line
// and header values".
func headerBytes(r *http.Request) int {
	n := len(r.Method) + len(" ") + len(r.RequestURI) + len(" HTTP/1.1") + len(r.Host)
	for _, values := range r.Header {
		for _, v := range values {
			n += len(v)
		}
	}
	return n
}

// appended is a client's X-Forwarded-For with its own address at the end.
func (q *request) appended() string {
	return strings.Join(append(q.Header.Values("X-Forwarded-For"), q.ip), ", ")
}

// forwardedHeaders are the headers with those that each service sets. Host is at the service's name.
func (q *request) forwardedHeaders(domain string) http.Header {
	h := q.Header.Clone()
	for _, hop := range []string{"Connection", "Keep-Alive", "Transfer-Encoding", "Te", "Trailer", "Upgrade", "Expect", "Proxy-Connection"} {
		h.Del(hop)
	}
	h.Set("Host", domain)
	h.Set("X-Forwarded-For", q.appended())
	h.Set("X-Forwarded-Port", "443")
	h.Set("X-Forwarded-Proto", "https")
	h.Set("X-Amzn-Trace-Id", q.trace)
	return h
}
