package prototest

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fileloft/fileloft/tus"
)

// Variables says options by the settings of a real binary, as NAME=value. A row whose options have no setting is skipped;
// functions among them have none either, which Caps.Functions says.
func Variables(t testing.TB, o *tus.Options) []string {
	t.Helper()
	if o.DisableUnfinishedConcat {
		t.Skip("no setting refuses unfinished concatenation")
	}
	var v variables
	v.text("BASE_URL", o.BaseURL)
	v.on("BEHIND_PROXY", o.BehindProxy)
	v.number("MAX_SIZE", o.MaxSize)
	v.number("MAX_CHUNK", o.MaxChunk)
	v.number("MAX_METADATA", int64(o.MaxMetadata))
	v.number("MAX_PARTS", int64(o.MaxParts))
	v.on("DISABLE_CREATION", o.DisableCreation)
	v.on("DISABLE_CREATION_WITH_UPLOAD", o.DisableCreationWithUpload)
	v.on("DISABLE_DEFER_LENGTH", o.DisableDeferLength)
	v.on("DISABLE_CHECKSUM", o.DisableChecksum)
	v.on("DISABLE_TERMINATION", o.DisableTermination)
	v.on("ENABLE_EXPIRATION", o.EnableExpiration)
	v.on("ENABLE_CONCATENATION", o.EnableConcatenation)
	v.on("ENABLE_DOWNLOAD", o.EnableDownload)
	v.on("ENABLE_CLEANUP_CONCAT_PARTIALS", o.CleanupPartials)
	v.duration("EXPIRATION_TTL", o.ExpireAfter)
	v.on("EXPIRE_FINISHED", o.ExpireFinished)
	v.on("SHA256", o.SHA256)
	v.duration("LEASE_TTL", o.LeaseTTL)
	v.duration("LOCK_TIMEOUT", o.LockTimeout)
	v.duration("BODY_TIMEOUT", o.IdleTimeout)
	v.number("CHECKPOINT_SIZE", o.CheckpointBytes)
	v.duration("CHECKPOINT_INTERVAL", o.CheckpointEvery)
	if o.CORS != nil {
		v.cors(o.CORS)
	}
	return v
}

// variables are environment settings. What is zero is left out: zero is the default in options, but not in every setting.
type variables []string

func (v *variables) text(name, value string) {
	if value != "" {
		*v = append(*v, "FILELOFT_"+name+"="+value)
	}
}

func (v *variables) number(name string, n int64) {
	if n != 0 {
		v.text(name, strconv.FormatInt(n, 10))
	}
}

func (v *variables) duration(name string, d time.Duration) {
	if d != 0 {
		v.text(name, d.String())
	}
}

func (v *variables) on(name string, yes bool) {
	if yes {
		v.text(name, "true")
	}
}

func (v *variables) cors(c *tus.CORS) {
	v.on("DISABLE_CORS", c.Disable)
	v.text("CORS_ALLOW_ORIGIN", strings.Join(c.AllowOrigins, ","))
	v.on("CORS_ALLOW_CREDENTIALS", c.AllowCredentials)
	v.text("CORS_ALLOW_HEADERS", strings.Join(c.AllowHeaders, ","))
	v.text("CORS_EXPOSE_HEADERS", strings.Join(c.ExposeHeaders, ","))
	if c.MaxAge < 0 {
		v.text("CORS_MAX_AGE", "0")
	} else {
		v.duration("CORS_MAX_AGE", c.MaxAge)
	}
}
