package azurehost

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Kestrel's limits for a request, which Program.cs of the host leaves at their defaults (KestrelServerLimits: MaxRequestLineSize,
// MaxRequestHeadersTotalSize, MaxRequestHeaderCount). The front end may have smaller ones (unverified).
const (
	maxLine    = 8 << 10
	maxHeaders = 32 << 10
	maxHeader  = 100
)

// hostVersion is told to the worker.
const hostVersion = "4.1041.0"

// ServeHTTP is the front end and one of the hosts behind it. The scheme that the client used is the one of r.
func (a *App) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.requests.Add(1)
	if status := tooLarge(r); status != 0 {
		w.WriteHeader(status)
		return
	}
	if a.opt.Consumption {
		if w = a.cors(w, r); w == nil {
			return
		}
	}
	f := a.find(r.Method, r.URL.Path)
	switch {
	case f == nil || reserved(r.URL.Path):
		w.WriteHeader(http.StatusNotFound)
		return
	case !f.authorized():
		unauthorized(w)
		return
	case r.ContentLength > a.maxBody:
		w.WriteHeader(http.StatusRequestEntityTooLarge) // Kestrel's, with no body and none of the handler's headers
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), a.opt.Timeout)
	defer cancel()
	in := a.pick()
	in.busy.Add(1)
	defer in.busy.Add(-1)
	a.forward(w, r.WithContext(ctx), in)
}

func tooLarge(r *http.Request) (status int) {
	n, count := 0, 0
	for name, values := range r.Header {
		for _, v := range values {
			n += len(name) + len(": ") + len(v) + len("\r\n")
			count++
		}
	}
	switch {
	case len(r.Method)+len(r.RequestURI)+len("  HTTP/1.1\r\n") > maxLine:
		return http.StatusRequestURITooLong
	case n > maxHeaders || count > maxHeader:
		return http.StatusRequestHeaderFieldsTooLarge
	}
	return 0
}

// forward sends the request to the worker and its answer to the client.
func (a *App) forward(w http.ResponseWriter, r *http.Request, in *instance) {
	body := &streamBody{Reader: http.MaxBytesReader(nil, r.Body, a.maxBody)}
	defer body.end(w)
	chunked := r.ContentLength < 0
	if chunked && !a.opt.DropChunked && a.host.CustomHandler.EnableForwardingHTTPRequest && !a.host.CustomHandler.EnableProxyingHTTPRequest {
		// HttpRequestExtensions.ToHttpRequestMessage copies the header Transfer-Encoding, but a body only where there is a Content-Length;
		// HttpClient refuses such a message: "'Transfer-Encoding: chunked' header can not be used when content object is not specified".
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	out := a.request(r, in, body)
	resp, err := a.send(r.Context(), in, out, body)
	if err != nil {
		a.fail(w, r.Context(), body, err)
		return
	}
	defer resp.Body.Close()
	h := w.Header()
	for name, values := range resp.Header {
		if !hopByHop[name] {
			h[name] = values
		}
	}
	h.Set("Server", "Kestrel")
	if body.read.Load() && !body.ended.Load() {
		h.Set("Connection", "close")                         // nobody wants the rest
		_ = http.NewResponseController(w).EnableFullDuplex() // and the answer does not wait for it: Kestrel's does not
	}
	w.WriteHeader(resp.StatusCode)
	flush := http.NewResponseController(w)
	b := make([]byte, 32<<10)
	for {
		n, err := resp.Body.Read(b)
		if n > 0 {
			if _, err := w.Write(b[:n]); err != nil {
				return
			}
			_ = flush.Flush()
		}
		switch {
		case errors.Is(err, io.EOF):
			return
		case err != nil:
			panic(http.ErrAbortHandler) // the answer had begun
		}
	}
}

// fail answers for a worker that did not: HttpForwarder.cs of YARP, ReportErrorAsync and HandleRequestBodyFailure.
func (a *App) fail(w http.ResponseWriter, ctx context.Context, body *streamBody, err error) {
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		w.WriteHeader(http.StatusRequestEntityTooLarge)
	case errors.Is(ctx.Err(), context.Canceled): // by the client, who is gone
		panic(http.ErrAbortHandler)
	case body.broken.Load(): // by the client too
		w.WriteHeader(http.StatusBadRequest)
	default:
		a.failed.Add(1)
		w.WriteHeader(http.StatusBadGateway)
	}
}

// retries are the pauses of RetryProxyHandler.cs: 50 ms, doubled up to 250, ten attempts in all.
var retries = []time.Duration{50 * ms, 100 * ms, 200 * ms, 250 * ms, 250 * ms, 250 * ms, 250 * ms, 250 * ms, 250 * ms}

const ms = time.Millisecond

// send sends out, again and again where the worker cannot be reached. A body that has been begun cannot be sent again
// (StreamCopyHttpContent.cs); a request without one is, also where the worker may have acted on it.
func (a *App) send(ctx context.Context, in *instance, out *http.Request, body *streamBody) (*http.Response, error) {
	for i := 0; ; i++ {
		if err := in.wait(ctx); err != nil {
			return nil, err
		}
		resp, err := a.transport.RoundTrip(out)
		if err == nil || i == len(retries) || body.read.Load() || ctx.Err() != nil {
			return resp, err
		}
		select {
		case <-time.After(retries[i]):
		case <-ctx.Done():
			return nil, err
		}
	}
}

// hopByHop are the headers that RequestUtilities.cs of YARP leaves out in both directions. Trailer is not among them, but HttpClient sends no
// trailers of requests.
var hopByHop = map[string]bool{
	"Connection": true, "Transfer-Encoding": true, "Keep-Alive": true, "Upgrade": true, "Proxy-Connection": true, "Proxy-Authenticate": true,
	"Proxy-Authorization": true, "Upgrade-Insecure-Requests": true, "Te": true, "Alt-Svc": true, "Http2-Settings": true,
}

// request makes the worker's request. YARP's default transforms take Host and Forwarded away and set X-Forwarded-For, -Host and -Proto to what the
// host saw, whatever the client sent; what it saw is the front end's word: AppServiceHeaderFixupMiddleware.cs.
func (a *App) request(r *http.Request, in *instance, body *streamBody) *http.Request {
	u, err := url.Parse(in.newURL(tidied(r.URL)))
	if err != nil {
		u = &url.URL{Scheme: "http", Host: net.JoinHostPort("127.0.0.1", in.port), Path: r.URL.Path}
	}
	u.RawQuery = r.URL.RawQuery
	h := http.Header{}
	for name, values := range r.Header {
		if !hopByHop[name] && name != "Trailer" {
			h[name] = values
		}
	}
	h.Del("Forwarded")
	h.Del("X-Forwarded-Prefix") // the host has no base path
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
		h.Set("X-Arr-Ssl", "2048|256|CN=Example|CN=*.azurewebsites.net")
	}
	ip, _, _ := net.SplitHostPort(r.RemoteAddr)
	h.Set("X-Forwarded-Proto", scheme)
	h.Set("X-Forwarded-Host", r.Host)
	h.Set("X-Forwarded-For", ip)
	h.Set("Disguised-Host", r.Host)
	h.Set("Was-Default-Hostname", r.Host)
	h.Set("X-Original-Url", r.URL.RequestURI())
	h.Set("Client-Ip", r.RemoteAddr)
	h.Set("Max-Forwards", "10")
	id := newID()
	h.Set("X-Azure-Functions-Invocationid", id)
	h.Set("X-Azure-Functions-Hostversion", hostVersion)
	h.Set("X-Ms-Invocation-Id", id)
	if h["User-Agent"] == nil {
		h["User-Agent"] = nil // Go would add its own
	}
	out := (&http.Request{
		Method: r.Method, URL: u, Host: u.Host, Header: h, ContentLength: r.ContentLength, Body: body,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, // else nobody waits for 100 Continue
	}).WithContext(r.Context())
	switch {
	case r.ContentLength < 0 && a.opt.DropChunked:
		// Neither a length nor a body: Go sends no Content-Length for what it is told not to measure.
		out.Body, out.TransferEncoding = io.NopCloser(struct{ io.Reader }{strings.NewReader("")}), []string{"identity"}
	case r.ContentLength == 0:
		out.Body = nil // HttpClient and Go's both send Content-Length: 0 with the methods that want a body
	}
	return out
}

// tidied is the escaped path without dot segments, which Kestrel takes out.
func tidied(u *url.URL) string {
	path := u.EscapedPath()
	if !strings.Contains(path, "/.") {
		return path
	}
	return (&url.URL{Path: "/"}).ResolveReference(&url.URL{Path: u.Path, RawPath: u.RawPath}).EscapedPath()
}
