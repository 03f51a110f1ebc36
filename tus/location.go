package tus

import (
	"net/url"
	"strings"
)

// location returns the absolute URL of an upload.
func (x *exchange) location(id ID) string { return x.origin() + x.h.opt.BasePath + string(id) }

// origin returns the scheme, host and path prefix under which clients reach BasePath: from the configuration, else
// from the platform, else from a trusted proxy, else from the request itself.
func (x *exchange) origin() string {
	o := &x.h.opt
	if o.BaseURL != "" {
		return o.BaseURL
	}
	if o.Origin != nil {
		if s := o.Origin(x.r); s != "" {
			return strings.TrimSuffix(s, "/")
		}
	}
	scheme, host, prefix := "http", x.r.Host, ""
	if x.r.TLS != nil {
		scheme = "https"
	}
	if o.BehindProxy {
		scheme, host, prefix = forwarded(x.r.Header, scheme, host)
	}
	return scheme + "://" + host + prefix
}

// parseConcat reads Upload-Concat: "partial", or "final;" and the URLs of the parts, separated by spaces.
func parseConcat(x *exchange, c *Concat) error {
	values := x.r.Header.Values("Upload-Concat")
	if len(values) == 0 || !x.h.opt.EnableConcatenation {
		return nil
	}
	v := values[0]
	if len(values) == 1 && v == "partial" {
		c.Role = Partial
		return nil
	}
	list, ok := strings.CutPrefix(v, "final;")
	urls := strings.Fields(list)
	switch {
	case len(values) > 1 || !ok:
		return refuse(codeBadConcat, `Upload-Concat is "partial", or "final;" and a list of URLs`)
	case len(urls) == 0:
		return refuse(codeBadConcat, "the final upload in Upload-Concat has no parts")
	case len(urls) > x.h.opt.MaxParts:
		return refuse(codeBadConcat, "the final upload in Upload-Concat has more parts than this server joins")
	}
	c.Role, c.Header = Final, v
	for _, s := range urls {
		id, ok := x.partID(s)
		if !ok {
			return refuse(codeBadConcat, "a URL in Upload-Concat is not an upload of this server")
		}
		c.Parts = append(c.Parts, id)
	}
	return nil
}

// partID finds the upload that a URL names: absolute or relative to the collection, with or without the path prefix that a
// proxy takes away. The host is not looked at, since one server may be known by several; ids are unguessable.
func (x *exchange) partID(s string) (ID, bool) {
	u, err := url.Parse(s)
	if err != nil || u.RawQuery != "" || u.Fragment != "" || u.Opaque != "" || u.Scheme != "" && u.Scheme != "http" && u.Scheme != "https" {
		return "", false
	}
	base := x.h.opt.BasePath
	path := u.Path
	if u.Host == "" && !strings.HasPrefix(path, "/") {
		path = base + path
	}
	name, ok := strings.CutPrefix(path, base)
	if !ok {
		o, err := url.Parse(x.origin())
		if err != nil {
			return "", false
		}
		if name, ok = strings.CutPrefix(path, o.Path+base); !ok {
			return "", false
		}
	}
	id := ID(strings.TrimSuffix(name, "/"))
	return id, id.Validate() == nil
}
