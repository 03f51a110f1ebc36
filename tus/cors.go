package tus

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"
)

// The headers that browsers must be allowed to send and to read: those of tus 1.0.0, those of the IETF draft, and a few
// that clients commonly add.
const (
	corsAllowHeaders = "Authorization, Content-Type, Origin, Tus-Resumable, Upload-Checksum, Upload-Concat, Upload-Defer-Length, " +
		"Upload-Length, Upload-Metadata, Upload-Offset, Upload-Complete, Upload-Incomplete, Upload-Draft-Interop-Version, " +
		"Content-Digest, Repr-Digest, Want-Repr-Digest, X-HTTP-Method-Override, X-Requested-With, X-Request-ID"
	corsExposeHeaders = "Location, Tus-Checksum-Algorithm, Tus-Extension, Tus-Max-Size, Tus-Resumable, Tus-Version, Upload-Concat, " +
		"Upload-Defer-Length, Upload-Expires, Upload-Length, Upload-Metadata, Upload-Offset, Upload-Complete, Upload-Incomplete, " +
		"Upload-Limit, Upload-Draft-Interop-Version, Repr-Digest, Retry-After, X-Request-ID"
)

// A corsPolicy is CORS, checked and rendered.
type corsPolicy struct {
	off         bool
	any         bool
	origins     []string
	credentials bool
	methods     string
	allow       string
	expose      string
	maxAge      string
}

func newCORS(c *CORS, download bool) (*corsPolicy, error) {
	p := &corsPolicy{
		off: c.Disable, origins: c.AllowOrigins, credentials: c.AllowCredentials,
		methods: "POST, HEAD, PATCH, DELETE, OPTIONS",
		allow:   strings.Join(append([]string{corsAllowHeaders}, c.AllowHeaders...), ", "),
		expose:  strings.Join(append([]string{corsExposeHeaders}, c.ExposeHeaders...), ", "),
	}
	if download {
		p.methods = "GET, " + p.methods
	}
	switch {
	case c.MaxAge == 0:
		p.maxAge = "86400"
	case c.MaxAge > 0:
		p.maxAge = strconv.FormatInt(int64(c.MaxAge/time.Second), 10)
	}
	if len(p.origins) == 0 {
		p.origins = []string{"*"}
	}
	for _, o := range p.origins {
		if o == "*" {
			p.any = true
			continue
		}
		u, err := url.Parse(strings.ReplaceAll(o, "*", "x"))
		if err != nil || u.Scheme == "" || u.Host == "" || u.Path != "" || u.RawQuery != "" || strings.ContainsAny(o, `[]?\`) {
			return nil, fmt.Errorf("tus: CORS origin %q must look like https://app.example.com or https://*.example.com, or be *", o)
		}
	}
	if p.any && p.credentials && !p.off {
		return nil, errors.New("tus: CORS credentials cannot go with the origin *: name the origins")
	}
	return p, nil
}

// allows reports whether a page from origin may use the service.
func (p *corsPolicy) allows(origin string) bool {
	if p.any {
		return true
	}
	if strings.ContainsAny(origin, "#?@\\ ") {
		return false // no browser sends these, and a '*' must not take them in
	}
	for _, o := range p.origins {
		// A '*' stands for any run of characters without a slash, so it cannot leave the host.
		if ok, err := path.Match(o, origin); ok && err == nil {
			return true
		}
	}
	return false
}

// apply puts the policy's headers into the answer, whatever it will be.
func (p *corsPolicy) apply(x *exchange) {
	if p.off {
		return
	}
	hd := x.w.Header()
	if !p.any {
		hd.Add("Vary", "Origin")
	}
	origin := x.r.Header.Get("Origin")
	if origin == "" || !p.allows(origin) {
		return
	}
	if p.any {
		origin = "*"
	}
	hd.Set("Access-Control-Allow-Origin", origin)
	if p.credentials {
		hd.Set("Access-Control-Allow-Credentials", "true")
	}
	if x.method != http.MethodOptions {
		hd.Set("Access-Control-Expose-Headers", p.expose)
		return
	}
	hd.Set("Access-Control-Allow-Methods", p.methods)
	hd.Set("Access-Control-Allow-Headers", p.allow)
	if p.maxAge != "" {
		hd.Set("Access-Control-Max-Age", p.maxAge)
	}
}
