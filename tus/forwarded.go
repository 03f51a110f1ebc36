package tus

import (
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// forwarded reads what a proxy says about the request that it got: Forwarded (RFC 7239) first, then the older
// X-Forwarded headers. Of a list the first entry counts: the proxy nearest to the client. What does not look like a
// scheme, host, port or path is passed over.
func forwarded(hd http.Header, scheme, host string) (outScheme, outHost, prefix string) {
	pairs := forwardedPairs(hd.Get("Forwarded"))
	for _, proto := range []string{pairs["proto"], first(hd.Get("X-Forwarded-Proto"))} {
		if proto = strings.ToLower(proto); proto == "http" || proto == "https" {
			scheme = proto
			break
		}
	}
	switch h := first(hd.Get("X-Forwarded-Host")); {
	case validHost(pairs["host"]):
		host = pairs["host"]
	case validHost(h):
		host = withPort(h, first(hd.Get("X-Forwarded-Port")), scheme)
	default:
		host = withPort(host, first(hd.Get("X-Forwarded-Port")), scheme)
	}
	prefix = strings.TrimSuffix(first(hd.Get("X-Forwarded-Prefix")), "/")
	if u, err := url.Parse(prefix); err != nil || !strings.HasPrefix(prefix, "/") || strings.HasPrefix(prefix, "//") || u.Path != prefix {
		prefix = ""
	}
	return scheme, host, prefix
}

// withPort adds a port to a host that has none, unless it is the scheme's own.
func withPort(host, port, scheme string) string {
	n, err := strconv.ParseUint(port, 10, 16)
	standard := scheme == "http" && n == 80 || scheme == "https" && n == 443
	if err != nil || n == 0 || standard || strings.LastIndexByte(host, ':') > strings.LastIndexByte(host, ']') {
		return host
	}
	return net.JoinHostPort(strings.Trim(host, "[]"), strconv.FormatUint(n, 10))
}

func first(list string) string {
	v, _, _ := strings.Cut(list, ",")
	return strings.TrimSpace(v)
}

// forwardedPairs reads the first element of a Forwarded header (RFC 7239, section 4): pairs of a token and a value, which is a token
// or a quoted string, in which separators stand for themselves. Names are in lower case. From where it is malformed on, nothing
// is read.
func forwardedPairs(s string) map[string]string {
	pairs := map[string]string{}
	for {
		name, rest, ok := strings.Cut(strings.TrimLeft(s, " \t"), "=")
		if !ok || strings.ContainsAny(name, `,;" `) {
			return pairs
		}
		value, rest, ok := tokenOrQuoted(rest)
		if !ok {
			return pairs
		}
		pairs[strings.ToLower(name)] = value
		rest = strings.TrimLeft(rest, " \t")
		if s, ok = strings.CutPrefix(rest, ";"); !ok {
			return pairs
		}
	}
}

// tokenOrQuoted reads a value and returns what follows it. A colon and brackets may stand without quotes: proxies send them so.
func tokenOrQuoted(s string) (value, rest string, ok bool) {
	if !strings.HasPrefix(s, `"`) {
		end := strings.IndexAny(s, ",; \t\"")
		if end < 0 {
			end = len(s)
		}
		return s[:end], s[end:], true
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			return b.String(), s[i+1:], true
		case c == '\\' && i+1 < len(s):
			i++
			b.WriteByte(s[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", "", false
}

func validHost(s string) bool {
	u, err := url.Parse("http://" + s + "/")
	return s != "" && err == nil && u.Host == s && u.User == nil
}
