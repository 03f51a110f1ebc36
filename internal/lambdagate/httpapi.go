package lambdagate

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"
)

// Quotas of API Gateway for HTTP APIs, https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html, which are the same
// for REST APIs, but for the timeout: https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html.
const (
	maxGatewayBody    = 10 << 20
	maxGatewayHeaders = 10_240
	httpAPITimeout    = 30 * time.Second
	restAPITimeout    = 29 * time.Second
)

// HTTPAPI is an HTTP API (API Gateway v2) with the route $default, payload format 2.0 and no CORS of its own.
func HTTPAPI(f *Function, opt *DoorOptions) http.Handler {
	d := newDoor(f, opt, httpAPI{})
	d.opt.Stage = or(d.opt.Stage, "$default")
	d.opt.Timeout = min(or(d.opt.Timeout, httpAPITimeout), httpAPITimeout) // not to be increased
	d.domain = or(d.opt.Domain, apiID+".execute-api."+region+".amazonaws.com")
	return d
}

type httpAPI struct{}

// inStage returns a request's path as the client sent it, and whether it leads to the stage.
func (d *door) inStage(r *http.Request) (path string, ok bool) {
	path = r.URL.EscapedPath()
	if d.opt.Stage == "$default" || d.opt.Domain != "" {
		return path, true
	}
	rest, ok := strings.CutPrefix(path, "/"+d.opt.Stage)
	return path, ok && (rest == "" || rest[0] == '/')
}

// check: 431 was reported of API Gateway at https://backbencher.dev/solved-431-status-code-with-request-header-fields-too-large; the words
// are unverified.
func (httpAPI) check(d *door, r *http.Request) *refusal {
	if headerBytes(r) > maxGatewayHeaders {
		return &refusal{status: http.StatusRequestHeaderFieldsTooLarge, body: `{"message":"Request Header Fields Too Large"}`}
	}
	if _, ok := d.inStage(r); !ok {
		return &refusal{status: http.StatusNotFound, body: `{"message":"Not Found"}`}
	}
	return nil
}

// tooLargeHTTP: 413 is documented, its words are unverified.
var tooLargeHTTP = &refusal{status: http.StatusRequestEntityTooLarge, body: `{"message":"Request Entity Too Large"}`}

func (httpAPI) bodyLimit() (int64, *refusal) { return maxGatewayBody, tooLargeHTTP }

// event: rawPath contains a stage that has a name, and at a custom domain name too, where the client does not send it (the latter is
// unverified). "HTTP APIs translate incoming X-Forwarded-* headers into a standard Forwarded header" and "API Gateway adds the Content-type
// header to your request if there is no payload and the Content-Length is 0":
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-known-issues.html. Which content type is unverified. Samples of
// events show that x-forwarded-for, -port and -proto are there all the same.
func (httpAPI) event(d *door, q *request) any {
	path, _ := d.inStage(q.Request)
	if d.opt.Stage != "$default" && d.opt.Domain != "" {
		path = "/" + d.opt.Stage + path
	}
	e := newEvent2(d, q, path, account)
	if forwarded := translated(q.Header); forwarded != "" {
		e.Headers["forwarded"] = forwarded + ",by=3.3.3.3;for=" + q.ip + ";host=" + d.domain + ";proto=https"
		delete(e.Headers, "x-forwarded-host")
	}
	if len(q.body) == 0 && q.Header.Get("Content-Length") == "0" && e.Headers["content-type"] == "" {
		e.Headers["content-type"] = "application/octet-stream"
	}
	return e
}

// translated makes Forwarded of what a client sent, if anything.
func translated(h http.Header) string {
	all := h.Values("Forwarded")
	var pairs []string
	for _, p := range [][2]string{{"for", "X-Forwarded-For"}, {"host", "X-Forwarded-Host"}, {"proto", "X-Forwarded-Proto"}} {
		if v := h.Get(p[1]); v != "" {
			pairs = append(pairs, p[0]+"="+v)
		}
	}
	if len(pairs) > 0 {
		all = append(all, strings.Join(pairs, ";"))
	}
	return strings.Join(all, ",")
}

func (httpAPI) answer(_ *door, q *request, payload []byte) *answer {
	a := read2(payload, "text/plain;charset=utf-8") // unverified
	if a != nil {
		a.header.Set("Apigw-Requestid", q.id)
	}
	return a
}

// failed: an invocation that fails or answers nonsense is a 500,
// https://repost.aws/knowledge-center/api-gateway-internal-server-error; one that takes longer than 30 s a 503,
// https://repost.aws/knowledge-center/api-gateway-5xx-error. That throttling is a 503 is unverified.
func (httpAPI) failed(err error) *refusal {
	switch {
	case errors.Is(err, ErrTooLarge):
		return tooLargeHTTP
	case errors.Is(err, ErrThrottled), errors.Is(err, context.DeadlineExceeded):
		return &refusal{status: http.StatusServiceUnavailable, body: `{"message":"Service Unavailable"}`}
	}
	return &refusal{status: http.StatusInternalServerError, body: `{"message":"Internal Server Error"}`}
}
