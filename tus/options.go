package tus

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Options configure a [Handler]. Nil and zero mean the default; NewHandler checks them once.
type Options struct {
	// BasePath is the path that requests carry and that Locations are made with. Default "/files/".
	BasePath string
	// BaseURL is the public origin for Location, "https://uploads.example.com". Default: what Origin or the request says.
	BaseURL string
	// Origin finds the public origin (and, after it, the path before BasePath) in a request, where the platform knows
	// better than the Host header. "" falls through to the request's own Host.
	Origin func(*http.Request) string
	// BehindProxy trusts Forwarded (RFC 7239) and X-Forwarded-Proto, -Host, -Port and -Prefix for Location.
	BehindProxy bool

	MaxSize     int64 // largest upload in bytes. 0: no limit but the storage's, where it is a [Limiter]
	MaxChunk    int64 // largest request body in bytes, 413 above. 0: no limit
	MaxMetadata int   // largest Upload-Metadata in bytes. Default 8 KiB
	MaxParts    int   // most partial uploads in one final one. Default 1000

	// The extensions on by default, and their switches.
	DisableCreation           bool
	DisableCreationWithUpload bool
	DisableDeferLength        bool
	DisableChecksum           bool
	DisableTermination        bool
	// The extensions off by default, and theirs.
	EnableExpiration    bool
	EnableConcatenation bool
	EnableDownload      bool
	// DisableUnfinishedConcat refuses final uploads whose parts are not all complete.
	DisableUnfinishedConcat bool
	// CleanupPartials terminates the partial uploads of a final upload that is in place.
	CleanupPartials bool
	// NoTrailers says that the platform does not hand trailers over: checksum-trailer is not advertised.
	NoTrailers bool
	// NeedsLength says that the platform loses a body that comes without a Content-Length. A request that is about bytes and has neither is
	// answered 411: taken for an empty one it would be a success of nothing, again and again.
	NeedsLength bool

	// ExpireAfter is how long an unfinished upload lives from its last progress on. Default 24 h. Counts only
	// with EnableExpiration.
	ExpireAfter time.Duration
	// ExpireFinished lets finished uploads expire too, at the time that they would have had unfinished.
	ExpireFinished bool
	// SHA256 keeps a SHA-256 in the rolling digest beside the crc32c.
	SHA256 bool

	// LeaseTTL is how long a lease outlives its holder's last sign of life. It must be well below what clients wait
	// for in their retries: tus-js-client gives up after about 9 s. Default 6 s.
	LeaseTTL time.Duration
	// LockTimeout is how long a request waits for a busy upload before 423. Default 20 s.
	LockTimeout time.Duration
	// IdleTimeout is how long the body of a request may stand still. Default 60 s.
	IdleTimeout time.Duration
	// StoreTimeout is how long storing bytes that were already read, or completing an upload, may take.
	// Default 10 min.
	StoreTimeout time.Duration
	// A body is committed at least every CheckpointBytes (default 64 MiB) and CheckpointEvery (default 5 s) while
	// it arrives.
	CheckpointBytes int64
	CheckpointEvery time.Duration

	CORS  *CORS // nil: the default policy, any origin without credentials
	Hooks Hooks
	Log   *slog.Logger     // default: slog.Default()
	Now   func() time.Time // default: time.Now
}

// CORS is the policy for browsers. The lists add to the built-in ones, which name every header of the protocol.
type CORS struct {
	Disable          bool
	AllowOrigins     []string // exact, or with '*' in the host, or "*" alone. Default: "*"
	AllowCredentials bool     // refuses to go with "*"
	AllowHeaders     []string
	ExposeHeaders    []string
	MaxAge           time.Duration // default 24 h; negative: not sent
}

// withDefaults returns a checked copy.
func (o *Options) withDefaults() (Options, error) {
	var c Options
	if o != nil {
		c = *o
	}
	set(&c.BasePath, "/files/")
	if !strings.HasPrefix(c.BasePath, "/") {
		return c, fmt.Errorf("tus: BasePath %q must begin with a slash", c.BasePath)
	}
	if !strings.HasSuffix(c.BasePath, "/") {
		c.BasePath += "/"
	}
	if c.BaseURL != "" {
		u, err := url.Parse(c.BaseURL)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
			return c, fmt.Errorf("tus: BaseURL %q must look like https://uploads.example.com", c.BaseURL)
		}
		c.BaseURL = strings.TrimSuffix(c.BaseURL, "/")
	}
	if err := c.notNegative(); err != nil {
		return c, err
	}
	set(&c.MaxMetadata, 8<<10)
	set(&c.MaxParts, 1000)
	set(&c.ExpireAfter, 24*time.Hour)
	set(&c.LeaseTTL, 6*time.Second)
	set(&c.LockTimeout, 20*time.Second)
	set(&c.IdleTimeout, 60*time.Second)
	set(&c.StoreTimeout, 10*time.Minute)
	set(&c.CheckpointBytes, 64<<20)
	set(&c.CheckpointEvery, 5*time.Second)
	if c.CORS == nil {
		c.CORS = &CORS{}
	}
	if c.Hooks.Events == 0 {
		c.Hooks.Events = Created | Finished | Terminated
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.CleanupPartials && !c.EnableConcatenation {
		return c, errors.New("tus: CleanupPartials needs EnableConcatenation")
	}
	return c, nil
}

// notNegative checks the numbers.
func (c *Options) notNegative() error {
	for _, n := range []struct {
		name  string
		value int64
	}{
		{"MaxSize", c.MaxSize},
		{"MaxChunk", c.MaxChunk},
		{"MaxMetadata", int64(c.MaxMetadata)},
		{"MaxParts", int64(c.MaxParts)},
		{"ExpireAfter", int64(c.ExpireAfter)},
		{"LeaseTTL", int64(c.LeaseTTL)},
		{"LockTimeout", int64(c.LockTimeout)},
		{"IdleTimeout", int64(c.IdleTimeout)},
		{"StoreTimeout", int64(c.StoreTimeout)},
		{"CheckpointBytes", c.CheckpointBytes},
		{"CheckpointEvery", int64(c.CheckpointEvery)},
	} {
		if n.value < 0 {
			return fmt.Errorf("tus: %s must not be negative", n.name)
		}
	}
	return nil
}

func set[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}
