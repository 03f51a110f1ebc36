package app

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/fileloft/fileloft/hooks/webhook"
	"github.com/fileloft/fileloft/tus"
)

// hooks makes the hooks that the settings ask for; none where there is no address.
func (c Config) hooks() (tus.Hooks, error) {
	if c.HooksURL == "" {
		return tus.Hooks{}, nil
	}
	header, _ := headersOf(c.HooksHeaders) // read before
	return webhook.New(c.HooksURL, &webhook.Options{
		Hooks: c.HooksEvents, Secrets: c.HooksSecret, Source: c.HooksSource, Header: header, Forward: c.HooksForwardHeaders,
		MaxMetadata: int(c.MaxMetadata), Timeout: c.HooksTimeout, Attempts: int(c.HooksAttempts),
	})
}

// checkHooks finds settings of hooks that nobody would be told of.
func (c Config) checkHooks() error {
	if c.HooksURL == "" {
		for name, list := range map[string][]string{
			"SECRET": c.HooksSecret, "EVENTS": c.HooksEvents, "HEADERS": c.HooksHeaders, "FORWARD_HEADERS": c.HooksForwardHeaders,
		} {
			if len(list) > 0 {
				return fmt.Errorf("%sHOOKS_%s is set, but %sHOOKS_URL (--hooks-url) does not say where to send anything", Prefix, name, Prefix)
			}
		}
		return nil
	}
	if len(c.HooksForwardHeaders) > 0 && !slices.Contains(c.HooksEvents, "access") && !slices.Contains(c.HooksEvents, "pre-create") {
		return fmt.Errorf("%sHOOKS_FORWARD_HEADERS (--hooks-forward-headers) needs access or pre-create in %sHOOKS_EVENTS: "+
			"no other hook belongs to one request", Prefix, Prefix)
	}
	return nil
}

// hookWarnings finds hooks that others could forge or read.
func (c Config) hookWarnings() []string {
	if c.HooksURL == "" {
		return nil
	}
	var list []string
	if len(c.HooksSecret) == 0 {
		list = append(list, Prefix+"HOOKS_SECRET is not set: the receiver cannot tell who sends the hooks")
	}
	if u, err := url.Parse(c.HooksURL); err == nil && u.Scheme == "http" && !local(u.Hostname()) {
		list = append(list, Prefix+"HOOKS_URL is not https: metadata and forwarded headers can be read on their way")
	}
	return list
}

func local(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// fits asks package webhook, whose rules these are.
func fits(o webhook.Options) bool {
	_, err := webhook.New("http://localhost/", &o)
	return err == nil
}

func readEndpoint(_ Setting, text string) (any, bool) {
	_, err := webhook.New(text, nil)
	return text, err == nil
}

func readReference(_ Setting, text string) (any, bool) {
	return text, fits(webhook.Options{Source: text})
}

func readSecrets(s Setting, text string) (any, bool) {
	v, ok := readList(s, text)
	return v, ok && fits(webhook.Options{Secrets: v.([]string)})
}

func readWords(s Setting, text string) (any, bool) {
	v, ok := readList(s, text)
	return v, ok && !slices.ContainsFunc(v.([]string), func(word string) bool { return !slices.Contains(s.choices, word) })
}

func readHeaderNames(s Setting, text string) (any, bool) {
	v, ok := readList(s, text)
	return v, ok && fits(webhook.Options{Forward: v.([]string)})
}

func readHeaders(s Setting, text string) (any, bool) {
	v, ok := readList(s, text)
	if !ok {
		return nil, false
	}
	h, ok := headersOf(v.([]string))
	return v, ok && fits(webhook.Options{Header: h})
}

// headersOf reads NAME=VALUE as OpenTelemetry writes headers into variables: with the value percent-encoded, so that it may
// have commas.
func headersOf(list []string) (http.Header, bool) {
	h := http.Header{}
	for _, item := range list {
		name, encoded, ok := strings.Cut(item, "=")
		value, err := url.PathUnescape(encoded)
		if !ok || err != nil {
			return nil, false
		}
		h.Add(name, value)
	}
	return h, true
}
