package webhook

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/fileloft/fileloft/tus"
)

// Options configure the hooks. Nil and zero mean the default; New checks them once.
type Options struct {
	// Hooks are the names of those that the receiver wants: created, progress, finished, terminated, which are told, and
	// access, pre-create, pre-finish, pre-terminate, which are asked. Default: created, finished, terminated.
	Hooks []string
	// Secrets sign each message, every one of them with a signature of its own, so that a receiver may go from one to the
	// next: "whsec_" and 24 to 64 bytes in base64. Without any, messages are not signed.
	Secrets []string
	// Source is the CloudEvents source of every message, a URI reference that names the service, the same in all of its
	// processes. Default "/fileloft".
	Source string
	// Header goes along with every message, such as an Authorization that the receiver wants.
	Header http.Header
	// Forward names the request headers that access and pre-create show to the receiver, such as Authorization and Cookie.
	// Default: none.
	Forward []string
	// MaxMetadata is the largest Upload-Metadata, in bytes, that pre-create may make. Default 8 KiB.
	MaxMetadata int
	// Timeout is how long one attempt may take, and all attempts to deliver an event together. Default 5 s.
	Timeout time.Duration
	// Attempts is how often a message is sent before the hook fails, the first time included. Default 3.
	Attempts int
	// Transport sends the requests. Default: one that uses no proxy, no matter what the environment says, and verifies
	// certificates. Redirects are followed with none.
	Transport http.RoundTripper
}

// names has the kinds of event behind the names of the hooks that are told; the others are asked.
var names = map[string]tus.Events{
	"created": tus.Created, "progress": tus.Progress, "finished": tus.Finished, "terminated": tus.Terminated,
	access: 0, preCreate: 0, preFinish: 0, preTerminate: 0,
}

const (
	access       = "access"
	preCreate    = "pre-create"
	preFinish    = "pre-finish"
	preTerminate = "pre-terminate"
)

// New returns hooks that tell and ask the receiver at address, an http or https URL. Nothing is sent yet. The errors do
// not repeat the address, nor anything else that may be secret.
func New(address string, opt *Options) (tus.Hooks, error) {
	var o Options
	if opt != nil {
		o = *opt
	}
	s, err := newSender(address, &o)
	if err != nil {
		return tus.Hooks{}, err
	}
	if len(o.Hooks) == 0 {
		o.Hooks = []string{"created", "finished", "terminated"}
	}
	var h tus.Hooks
	for _, name := range o.Hooks {
		kind, known := names[name]
		if !known {
			return tus.Hooks{}, fmt.Errorf("webhook: there is no hook %q", name)
		}
		h.Events |= kind
		switch name {
		case access:
			h.Access = s.access
		case preCreate:
			h.PreCreate = s.preCreate
		case preFinish:
			h.PreFinish = func(ctx context.Context, u tus.Upload) error { return s.askAbout(ctx, preFinish, u) }
		case preTerminate:
			h.PreTerminate = func(ctx context.Context, u tus.Upload) error { return s.askAbout(ctx, preTerminate, u) }
		default:
			h.Event = s.event
		}
	}
	return h, nil
}

func newSender(address string, o *Options) (*sender, error) {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return nil, errors.New("webhook: the receiver's address is not an http or https URL")
	case u.User != nil:
		return nil, errors.New("webhook: the receiver's address has a user in it; a header is the place for credentials")
	case o.Timeout < 0 || o.Attempts < 0 || o.MaxMetadata < 0:
		return nil, errors.New("webhook: Timeout, Attempts and MaxMetadata must not be negative")
	}
	u.Fragment, u.RawFragment = "", ""
	s := &sender{
		address: u.String(), source: o.Source, header: o.Header.Clone(), timeout: o.Timeout, attempts: o.Attempts,
		maxMetadata: o.MaxMetadata,
	}
	set(&s.source, "/fileloft")
	set(&s.timeout, 5*time.Second)
	set(&s.attempts, 3)
	set(&s.maxMetadata, 8<<10)
	if _, err := url.Parse(s.source); err != nil {
		return nil, errors.New("webhook: Source is not a URI reference")
	}
	if s.keys, err = keysOf(o.Secrets); err != nil {
		return nil, err
	}
	for name, values := range s.header {
		if !token(name) || reserved(name) || slices.ContainsFunc(values, func(v string) bool { return !plain(v) }) {
			return nil, fmt.Errorf("webhook: header %q cannot be sent along", name)
		}
	}
	for _, name := range o.Forward {
		if !token(name) {
			return nil, fmt.Errorf("webhook: %q is not the name of a header", name)
		}
		s.forward = append(s.forward, http.CanonicalHeaderKey(name))
	}
	transport := o.Transport
	if transport == nil {
		transport = newTransport()
	}
	s.client = &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return s, nil
}

// newTransport returns http.DefaultTransport's settings without its proxy and its patience.
func newTransport() http.RoundTripper {
	return &http.Transport{
		Proxy:                  nil,
		ForceAttemptHTTP2:      true,
		DisableCompression:     true, // what is read is what was sent: a small answer cannot grow
		MaxIdleConnsPerHost:    16,
		IdleConnTimeout:        30 * time.Second,
		TLSHandshakeTimeout:    5 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
	}
}

// reserved are headers that belong to the message and to HTTP itself.
func reserved(name string) bool {
	switch name = strings.ToLower(name); name {
	case "content-type", "content-length", "content-encoding", "host", "connection", "transfer-encoding", "te", "trailer",
		"upgrade", "keep-alive", "expect":
		return true
	}
	return strings.HasPrefix(name, "webhook-") || strings.HasPrefix(name, "ce-") || strings.HasPrefix(name, "proxy-")
}

// event tells the receiver. Its answer but for the status does not matter.
func (s *sender) event(ctx context.Context, e tus.Event) error {
	// What fails is owed and delivered later: a receiver that hangs costs one attempt's time, not that of all.
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	_, err := s.send(ctx, e.Kind.String(), e.ID, Data{Upload: describe(&e.Upload)})
	return err
}

// ask sends a question and returns what the receiver says. Every question has an id of its own: one that a receiver takes for
// a repeat and waves through would be a question not asked.
func (s *sender) ask(ctx context.Context, hook string, d Data) (*Answer, error) {
	reply, err := s.send(ctx, hook, rand.Text(), d)
	if err != nil {
		// Never a Rejection, which is the receiver's word and final.
		return nil, fmt.Errorf("%w: %w", tus.ErrUnavailable, err)
	}
	a, err := parseAnswer(reply)
	if err != nil {
		return nil, fmt.Errorf("webhook: understand the answer to %s: %w", hook, err)
	}
	if a.Reject != nil {
		return nil, a.Reject.rejection()
	}
	if hook != preCreate && a.changes() {
		return nil, fmt.Errorf("webhook: understand the answer to %s: only pre-create can change an upload", hook)
	}
	return a, nil
}

func (s *sender) askAbout(ctx context.Context, hook string, u tus.Upload) error {
	_, err := s.ask(ctx, hook, Data{Upload: describe(&u)})
	return err
}

func (s *sender) access(ctx context.Context, a *tus.Access) error {
	d := Data{Action: string(a.Action), Headers: s.show(a.Header)}
	if a.ID != "" {
		u, err := a.Upload(ctx)
		switch {
		case err == nil:
			d.Upload = describe(&u)
		case errors.Is(err, tus.ErrNotFound): // who may not know whether it exists is not told by the order of answers
			d.Upload = &Upload{ID: string(a.ID)}
		default:
			return err
		}
	}
	_, err := s.ask(ctx, access, d)
	return err
}

func (s *sender) preCreate(ctx context.Context, c *tus.Creation) error {
	u := describe(&tus.Upload{ID: c.ID, Key: c.Key, Length: c.Length, Metadata: c.Metadata, Concat: c.Concat})
	a, err := s.ask(ctx, preCreate, Data{Upload: u, Headers: s.show(c.Header)})
	if err != nil {
		return err
	}
	return a.apply(c, s.maxMetadata)
}

// show picks the headers that are forwarded.
func (s *sender) show(h http.Header) http.Header {
	shown := http.Header{}
	for _, name := range s.forward {
		if v := h.Values(name); len(v) > 0 {
			shown[name] = v
		}
	}
	return shown
}

func set[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}
