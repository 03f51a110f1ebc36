package app

import (
	"cmp"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Prefix begins the name of every variable of ours.
const Prefix = "FILELOFT_"

// Env is an environment as a list of NAME=value. It is passed in, so that tests need not change their own process.
type Env []string

// OSEnv returns the environment of this process. It is the only place that looks at it.
func OSEnv() Env { return os.Environ() }

// Lookup returns the value of a variable. One that is set to nothing counts as not set: that is what container tools
// make of a variable that was left out.
func (e Env) Lookup(name string) (value string, ok bool) {
	for _, entry := range slices.Backward(e) {
		if k, v, _ := strings.Cut(entry, "="); k == name {
			return v, v != ""
		}
	}
	return "", false
}

// A Setting describes one field of [Config].
type Setting struct {
	Flag    string // without the dashes
	Env     string
	Default string // as text, or what happens where it is not set
	Help    string
	Group   string
	Type    string // how the text is read: a key of readers

	preset   string // the default that is parsed, if any
	min, max int64
	choices  []string
	also     string
	secret   bool
	index    int // of the field
}

// Settings lists all settings in the order of Config.
func Settings() []Setting { return slices.Clone(settings()) }

// settings reads the tags once: a command line asks for each of its flags several times.
var settings = sync.OnceValue(func() []Setting {
	t := reflect.TypeFor[Config]()
	list := make([]Setting, t.NumField())
	for i := range list {
		tag := t.Field(i).Tag
		s := Setting{
			Flag: tag.Get("name"), Default: tag.Get("default"), Help: tag.Get("help"),
			Group: strings.TrimSuffix(tag.Get("group"), ":"), Type: tag.Get("type"),
			preset: tag.Get("default"), also: tag.Get("also"), secret: tag.Get("secret") != "", index: i,
		}
		s.Env = Prefix + strings.ToUpper(strings.ReplaceAll(s.Flag, "-", "_"))
		s.min, _ = strconv.ParseInt(tag.Get("min"), 10, 64)
		s.max, _ = strconv.ParseInt(tag.Get("max"), 10, 64)
		if c := tag.Get("choices"); c != "" {
			s.choices = strings.Split(c, ",")
		}
		if s.Default == "" {
			s.Default = tag.Get("unset")
		}
		list[i] = s
	}
	return list
})

// IsSwitch says that the flag may stand without a value.
func (s Setting) IsSwitch() bool { return s.Type == "switch" }

// Find returns the setting of a flag.
func Find(flag string) (Setting, bool) {
	list := settings()
	i := slices.IndexFunc(list, func(s Setting) bool { return s.Flag == flag })
	if i < 0 {
		return Setting{}, false
	}
	return list[i], true
}

// ParseFlag reads the text of a flag into field, which is the field of a Config that the flag belongs to.
// Errors: *BadValueError.
func (s Setting) ParseFlag(field reflect.Value, text string) error {
	return s.set(field, "--"+s.Flag, text)
}

// FromEnv returns the text that the environment has for the setting, "" if none. It checks the text, so that an
// error can name the variable.
// Errors: *BadValueError.
func (s Setting) FromEnv(env Env) (string, error) {
	if text, ok := env.Lookup(s.Env); ok {
		return text, s.try(s.Env, text)
	}
	// A foreign variable was set for another program: what does not fit is left alone, and Warnings says so.
	if text, ok := env.Lookup(s.also); ok && s.try(s.also, text) == nil {
		return text, nil
	}
	return "", nil
}

// Load makes a Config from the environment alone, for programs without a command line, and checks it. Presets are
// the program's own defaults, by flag.
func Load(env Env, presets map[string]string) (Config, error) {
	var c Config
	fields := reflect.ValueOf(&c).Elem()
	for _, s := range Settings() {
		text, err := s.FromEnv(env)
		if err != nil {
			return Config{}, err
		}
		text = cmp.Or(text, presets[s.Flag], s.preset)
		if text == "" {
			continue
		}
		if err := s.set(fields.Field(s.index), s.Env, text); err != nil {
			return Config{}, err
		}
	}
	return c, c.Check()
}

// Check finds settings that cannot go together.
func (c Config) Check() error {
	anyOrigin := len(c.CORSAllowOrigin) == 0 || slices.Contains(c.CORSAllowOrigin, "*")
	switch {
	case anyOrigin && len(c.CORSAllowOrigin) > 1:
		return fmt.Errorf("%sCORS_ALLOW_ORIGIN (--cors-allow-origin): * stands for every origin and goes alone", Prefix)
	case c.CORSAllowCredentials && !c.DisableCORS && anyOrigin:
		return fmt.Errorf("%sCORS_ALLOW_CREDENTIALS (--cors-allow-credentials) needs a list of origins in "+
			"%sCORS_ALLOW_ORIGIN: with * any page could act for a logged-in user", Prefix, Prefix)
	case c.CleanupConcatPartials && !c.EnableConcatenation:
		return fmt.Errorf("%sENABLE_CLEANUP_CONCAT_PARTIALS (--enable-cleanup-concat-partials) needs "+
			"%sENABLE_CONCATENATION=true", Prefix, Prefix)
	case c.ExpireFinished && !c.EnableExpiration:
		return fmt.Errorf("%sEXPIRE_FINISHED (--expire-finished) needs %sENABLE_EXPIRATION=true", Prefix, Prefix)
	}
	return cmp.Or(c.checkListening(), c.checkHooks(), c.checkStores())
}

// checkListening finds listeners that cannot be.
func (c Config) checkListening() error {
	switch {
	case c.TLSCert == "" && c.TLSKey != "":
		return fmt.Errorf("%sTLS_KEY (--tls-key) is set, but not %sTLS_CERT: TLS needs both", Prefix, Prefix)
	case c.TLSCert != "" && c.TLSKey == "":
		return fmt.Errorf("%sTLS_CERT (--tls-cert) is set, but not %sTLS_KEY: TLS needs both", Prefix, Prefix)
	case c.UnixSocket != "" && c.TLSCert != "":
		return fmt.Errorf("%sUNIX_SOCKET (--unix-socket) and %sTLS_CERT: a Unix socket is served without TLS", Prefix, Prefix)
	case c.UnixSocketMode != 0 && c.UnixSocket == "":
		return fmt.Errorf("%sUNIX_SOCKET_MODE (--unix-socket-mode) needs %sUNIX_SOCKET", Prefix, Prefix)
	case c.EnablePprof && c.MetricsBind == "":
		return fmt.Errorf("%sENABLE_PPROF (--enable-pprof) needs %sMETRICS_BIND, the address to serve profiles on", Prefix, Prefix)
	}
	return nil
}

// StateName is the state that counts: the one that was chosen, or the one that belongs to the storage.
func (c Config) StateName() string {
	switch {
	case c.State != "":
		return c.State
	case c.Storage == "s3":
		return "dynamodb"
	case c.Storage == "gcs":
		return "firestore"
	case c.Storage == "azure":
		return "table"
	}
	return "sqlite"
}

// roundParts is how many parts of S3 may fit between two checkpoints. A lease claims a number for each: with so many, some thirty
// kills of one upload stay within the numbers that are kept for gaps.
const roundParts = 64

// checkStores finds settings of a store that is not the chosen one, which somebody meant to choose, and what a store
// cannot do without.
func (c Config) checkStores() error {
	switch {
	case c.SQLiteFile != "" && c.StateName() != "sqlite":
		return fmt.Errorf("%sSQLITE_FILE (--sqlite-file) is set, but %sSTATE is %s: leave one of them out",
			Prefix, Prefix, c.StateName())
	case c.Storage == "s3" && c.S3Bucket == "":
		return fmt.Errorf("%sSTORAGE is s3: %sS3_BUCKET (--s3-bucket) must name the bucket", Prefix, Prefix)
	case c.Storage != "s3" && c.S3Bucket != "":
		return fmt.Errorf("%sS3_BUCKET (--s3-bucket) is set, but %sSTORAGE is %s: set it to s3", Prefix, Prefix, c.Storage)
	case c.Storage == "gcs" && c.GCSBucket == "":
		return fmt.Errorf("%sSTORAGE is gcs: %sGCS_BUCKET (--gcs-bucket) must name the bucket", Prefix, Prefix)
	case c.Storage != "gcs" && c.GCSBucket != "":
		return fmt.Errorf("%sGCS_BUCKET (--gcs-bucket) is set, but %sSTORAGE is %s: set it to gcs", Prefix, Prefix, c.Storage)
	case c.GCSChunkSize%(256<<10) != 0:
		return fmt.Errorf("%sGCS_CHUNK_SIZE (--gcs-chunk-size) must be a multiple of 256 KiB", Prefix)
	case c.Storage == "s3" && c.CheckpointSize/roundParts > c.S3PartSize:
		return fmt.Errorf("%sCHECKPOINT_SIZE (--checkpoint-size) is more than %d parts of %sS3_PART_SIZE: a process that is killed leaves the numbers "+
			"of so many parts unused, and S3 has 10,000 for an upload", Prefix, roundParts, Prefix)
	case c.S3KMSKey != "" && !strings.HasPrefix(c.S3SSE, "aws:kms"):
		return fmt.Errorf("%sS3_KMS_KEY (--s3-kms-key) needs %sS3_SSE=aws:kms or aws:kms:dsse", Prefix, Prefix)
	case c.DynamoDBEndpoint != "" && c.StateName() != "dynamodb":
		return fmt.Errorf("%sDYNAMODB_ENDPOINT (--dynamodb-endpoint) is set, but %sSTATE is %s: leave one of them out",
			Prefix, Prefix, c.StateName())
	}
	return c.checkAzure()
}
