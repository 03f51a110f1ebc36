package faults

import (
	"context"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"time"
)

// idleFor is below what servers wait before they close a connection that nobody uses (Azurite's 5 s): a request that meets with that
// would fail, and no fault be counted.
const idleFor = 2 * time.Second

// patience is how long a body waits for a server that does not answer an expectation of 100-continue.
const patience = 10 * time.Second

func (p *Proxy) transport() *http.Transport {
	t := &http.Transport{
		DisableCompression: true, MaxIdleConnsPerHost: 256, IdleConnTimeout: idleFor, ExpectContinueTimeout: patience,
		Protocols: new(http.Protocols),
	}
	t.Protocols.SetHTTP1(p.opt.Service != byGRPC)
	t.Protocols.SetUnencryptedHTTP2(p.opt.Service == byGRPC)
	return t
}

// ofConnections are the headers that are for one connection only, and not signed.
var ofConnections = []string{"Connection", "Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade"}

// passed returns the headers that are passed on.
func passed(h http.Header) http.Header {
	out := maps.Clone(h)
	for _, list := range h["Connection"] {
		for name := range strings.SplitSeq(list, ",") {
			out.Del(strings.TrimSpace(name))
		}
	}
	for _, name := range ofConnections {
		out.Del(name)
	}
	return out
}

// send passes the request on, with a body.
func (x *exchange) send(ctx context.Context, t *http.Transport, body io.ReadCloser) (*http.Response, error) {
	u := *x.r.URL
	u.Scheme, u.Host = x.p.target.Scheme, x.p.target.Host
	h := passed(x.r.Header)
	h["User-Agent"] = x.r.Header["User-Agent"] // none of ours
	if x.r.Header.Get("Te") == "trailers" {    // gRPC asks for it
		h.Set("Te", "trailers")
	}
	if x.r.ContentLength == 0 {
		body = http.NoBody
	}
	out := &http.Request{
		Method: x.r.Method, URL: &u, Host: x.r.Host, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, // without these no 100 is awaited
		Header: h, Body: body, ContentLength: x.r.ContentLength,
		Trailer: x.r.Trailer, // the same map: it is filled when the body ends
	}
	resp, err := t.RoundTrip(out.WithContext(ctx))
	if err == nil {
		x.status = resp.StatusCode
	}
	return resp, err
}

// sendCut passes on what cutBody lets through. The connection to the server is reset then, or of HTTP/2 the stream.
func (x *exchange) sendCut(ctx context.Context, body *cutBody) (*http.Response, error) {
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) {
		if c, ok := info.Conn.(*net.TCPConn); ok && x.p.opt.Service != byGRPC {
			body.atEnd = func() { _ = c.SetLinger(0) } // the transport closes it after a body that fails
		}
	}})
	return x.send(ctx, x.p.through, body)
}

// discard reads an answer to its end.
func (x *exchange) discard(resp *http.Response, err error) error {
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

// relay gives the answer to the client. What breaks off is broken off there too.
func (x *exchange) relay(resp *http.Response, err error) {
	if err != nil {
		x.reset()
	}
	defer resp.Body.Close()
	announced := x.head(resp)
	if err := x.copy(resp.Body); err != nil {
		x.reset()
	}
	prefix := ""
	if len(resp.Trailer) != announced { // the end brought others
		prefix = http.TrailerPrefix
	}
	for name, values := range resp.Trailer {
		x.w.Header()[prefix+name] = values
	}
}

// head gives the answer's status and headers to the client. It returns how many trailers were announced.
func (x *exchange) head(resp *http.Response) (announced int) {
	h := x.w.Header()
	maps.Copy(h, passed(resp.Header))
	for _, name := range []string{"Content-Type", "Date"} { // the server would add them
		if _, ok := resp.Header[name]; !ok {
			h[name] = nil
		}
	}
	for name := range resp.Trailer {
		h.Add("Trailer", name)
	}
	announced = len(resp.Trailer) // its map grows when the body ends
	x.w.WriteHeader(resp.StatusCode)
	if resp.ContentLength < 0 {
		_ = http.NewResponseController(x.w).Flush() // a stream's first message may be long in coming
	}
	return announced
}

// copy gives a body to the client, as it comes.
func (x *exchange) copy(body io.Reader) error {
	flush := http.NewResponseController(x.w).Flush
	for b := make([]byte, 32<<10); ; {
		n, err := body.Read(b)
		if n > 0 {
			if _, err := x.w.Write(b[:n]); err != nil {
				return err
			}
			if err := flush(); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
