package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/aws/aws-lambda-go/events"
	"github.com/awslabs/aws-lambda-go-api-proxy/core"
)

// octets is the type of bodies that are stored.
const octets = "application/offset+octet-stream"

// request makes the request that the client sent out of an event.
func (e *event) request(ctx context.Context, d door, base string) (*http.Request, error) {
	r, err := e.adapted(d)
	if err != nil {
		return nil, err
	}
	e.putHeaders(r)
	body, err := e.body(r.Header.Get("Content-Type") == octets)
	if err != nil {
		return nil, err
	}
	path, origin := e.place(d, base)
	r.URL = &url.URL{Scheme: "https", Host: r.Host, Path: path, RawQuery: r.URL.RawQuery}
	r.RequestURI = r.URL.RequestURI()
	if d != balancer { // gateways take nothing but TLS; a load balancer says what it took
		r.TLS = new(tls.ConnectionState)
	}
	r.ContentLength, r.Body = int64(len(body)), http.NoBody
	if len(body) > 0 {
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	return r.WithContext(context.WithValue(ctx, originKey{}, origin)), nil
}

// adapted has the adapter make a request. Path and body are left out: both need more care.
func (e *event) adapted(d door) (*http.Request, error) {
	switch c := &e.RequestContext; d {
	case payload2:
		in := events.APIGatewayV2HTTPRequest{RawPath: "/", RawQueryString: e.RawQueryString, Cookies: e.Cookies, Headers: e.Headers}
		in.RequestContext.HTTP.Method, in.RequestContext.HTTP.SourceIP = c.HTTP.Method, c.HTTP.SourceIP
		return new(core.RequestAccessorV2).EventToRequest(in)
	case balancer:
		return new(core.RequestAccessorALB).EventToRequest(events.ALBTargetGroupRequest{
			HTTPMethod: e.HTTPMethod, Path: "/", Headers: e.Headers, MultiValueHeaders: e.MultiValueHeaders,
			QueryStringParameters: e.QueryStringParameters, MultiValueQueryStringParameters: e.MultiValueQueryStringParameters,
		})
	default:
		in := events.APIGatewayProxyRequest{
			HTTPMethod: e.HTTPMethod, Path: "/", Headers: e.Headers, MultiValueHeaders: e.MultiValueHeaders,
			QueryStringParameters: e.QueryStringParameters, MultiValueQueryStringParameters: e.MultiValueQueryStringParameters,
		}
		in.RequestContext.Identity.SourceIP = c.Identity.SourceIP
		return new(core.RequestAccessor).EventToRequest(in)
	}
}

// putHeaders puts the headers back as they came: the adapter splits those of payload 2.0 at commas, and keeps the Host among them.
func (e *event) putHeaders(r *http.Request) {
	if e.MultiValueHeaders == nil {
		for name, value := range e.Headers {
			r.Header.Set(name, value)
		}
	}
	r.Host = e.RequestContext.DomainName
	if r.Host == "" {
		r.Host = r.Header.Get("Host")
	}
	r.Header.Del("Host")
	if id := e.RequestContext.RequestID; id != "" && r.Header.Get("X-Request-Id") == "" {
		r.Header.Set("X-Request-Id", id) // the one that the gateway's own log has
	}
}

// place returns the path as the handler knows it, below base, and the public origin: scheme, host, and what of the path the
// platform adds in front, which is the stage, or the base path mapping of a custom domain.
func (e *event) place(d door, base string) (path, origin string) {
	c := &e.RequestContext
	switch d {
	case payload2:
		path, origin = unescaped(e.RawPath), "https://"+c.DomainName
		// On a custom domain the mapping's part of the path is not in the event, and must be configured (FILELOFT_BASE_URL).
		if rest, ok := below(path, c.Stage); ok && (isDefaultDomain(c.DomainName) || !strings.HasPrefix(path, base)) {
			path = rest
			if isDefaultDomain(c.DomainName) {
				origin += "/" + c.Stage
			}
		}
	case payload1:
		path = unescaped(e.Path)
		if proxy := "/" + strings.TrimPrefix(e.PathParameters["proxy"], "/"); !strings.HasPrefix(path, base) && strings.HasPrefix(proxy+"/", base) {
			if strings.HasSuffix(path, "/") && !strings.HasSuffix(proxy, "/") {
				proxy += "/"
			}
			path = proxy // on a custom domain the path begins with the mapping
		}
		origin = "https://" + c.DomainName
		if front, ok := strings.CutSuffix(unescaped(c.Path), path); ok {
			origin += front
		}
	default:
		return unescaped(e.Path), e.balancerOrigin()
	}
	if c.DomainName == "" { // a test from the console
		origin = ""
	}
	return path, origin
}

// below takes the stage away from the front of a path. The default stage is not in it.
func below(path, stage string) (string, bool) {
	if stage == "" || stage == "$default" {
		return path, false
	}
	rest, ok := strings.CutPrefix(path, "/"+stage)
	return rest, ok && strings.HasPrefix(rest, "/")
}

// isDefaultDomain reports whether a name is one that the platform gives to every API.
func isDefaultDomain(name string) bool {
	return strings.Contains(name, ".execute-api.") || strings.Contains(name, ".lambda-url.")
}

// balancerOrigin reads what a load balancer says about the request: it sets these headers itself.
func (e *event) balancerOrigin() string {
	get := func(name string) string {
		for k, v := range e.MultiValueHeaders {
			if strings.EqualFold(k, name) && len(v) > 0 {
				return v[len(v)-1]
			}
		}
		for k, v := range e.Headers {
			if strings.EqualFold(k, name) {
				return v
			}
		}
		return ""
	}
	scheme, host := get("X-Forwarded-Proto"), get("Host")
	if host == "" || scheme != "http" && scheme != "https" {
		return ""
	}
	return scheme + "://" + host
}

// unescaped undoes the escapes that some doors leave in a path. What has none that are right stays as it is.
func unescaped(path string) string {
	if p, err := url.PathUnescape(path); err == nil {
		return p
	}
	return path
}

type originKey struct{}

// origin is what the event says about where the client reaches the function.
func origin(r *http.Request) string {
	s, _ := r.Context().Value(originKey{}).(string)
	return s
}

// originUnlessProxied leaves the word to a proxy of the user's own where there was one. Not every header of such a proxy is a sign of
// it: X-Forwarded-Proto and -Port are the platform's as well.
func originUnlessProxied(r *http.Request) string {
	for _, name := range []string{"Forwarded", "X-Forwarded-Host", "X-Forwarded-Prefix"} {
		if r.Header.Get(name) != "" {
			return ""
		}
	}
	return origin(r)
}
