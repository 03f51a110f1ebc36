package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fileloft/fileloft/internal/app"
)

// badText has one text that no setting of a type can be.
var badText = map[string]string{
	"address": "8080", "path": "files", "origin": "uploads.example.com", "switch": "maybe", "size": "10G",
	"socket": "@abstract", "mode": "rw", "count": "many", "duration": "1 day", "list": "a,,b", "origins": "a.example", "choice": "nosuch", "level": "loud",
	"words": "nosuch", "endpoint": "hooks.example.com", "secrets": "hunter2", "names": "a b", "headers": "hunter2", "reference": ":",
}

// hidden are the types of settings that may hold a secret: no error repeats what was given.
var hidden = map[string]bool{"endpoint": true, "secrets": true, "headers": true}

// runs are the ways to run the program: within this process, which takes no time, and not under -short as a process, too.
func runs() map[string]func(t *testing.T, env []string, args ...string) result {
	if testing.Short() {
		return map[string]func(t *testing.T, env []string, args ...string) result{"inside": inside}
	}
	return map[string]func(t *testing.T, env []string, args ...string) result{"inside": inside, "binary": run1}
}

// TestBadValuesStopTheStart goes through all settings, as variable and as flag.
func TestBadValuesStopTheStart(t *testing.T) {
	t.Parallel()
	for _, s := range app.Settings() {
		bad, ok := badText[s.Type]
		if !ok {
			if s.Type != "text" {
				t.Errorf("%s: no bad text for type %s in this test", s.Flag, s.Type)
			}
			continue
		}
		t.Run(s.Flag, func(t *testing.T) {
			t.Parallel()
			check := func(name string, r result) {
				t.Helper()
				if r.status != 2 || r.stdout != "" {
					t.Errorf("%s: exit status %d, stdout %q", name, r.status, r.stdout)
				}
				shown := bad
				if hidden[s.Type] {
					shown = "***"
				}
				if strings.Count(r.stderr, "\n") != 1 || !strings.HasPrefix(r.stderr, "fileloft: "+name+": \""+shown+"\" cannot be used, want ") {
					t.Errorf("want one line that names %s and what it accepts, got %q", name, r.stderr)
				}
			}
			for _, run := range runs() {
				check(s.Env, run(t, []string{s.Env + "=" + bad}))
			}
			check("--"+s.Flag, inside(t, nil, "--"+s.Flag+"="+bad))
		})
	}
}

// goodText has one text for each setting that differs from its default.
var goodText = map[string]string{
	"bind": "127.0.0.1:0", "base-path": "/up", "base-url": "https://uploads.example.com", "data-dir": "d", "sqlite-file": "x.db",
	"unix-socket": "s", "unix-socket-mode": "0660", "tls-cert": "a.pem", "tls-key": "b.pem", "tls-mode": "tls13", "metrics-bind": "127.0.0.1:0",
	"storage": "fs", "state": "memory", "fs-verify": "on", "log-format": "text", "log-level": "error",
	"cors-allow-origin": "https://*.example.com",
	"s3-bucket":         "b", "s3-prefix": "up/", "s3-endpoint": "http://127.0.0.1:1", "s3-region": "eu-west-1", "s3-part-size": "16MiB",
	"s3-memory": "1GiB", "s3-sse": "aws:kms", "s3-kms-key": "k", "s3-storage-class": "STANDARD_IA", "s3-tagging": "a=b",
	"gcs-bucket": "b", "gcs-prefix": "up/", "gcs-endpoint": "http://127.0.0.1:1", "gcs-storage-class": "NEARLINE", "gcs-chunk-size": "1MiB",
	"firestore-project": "p", "firestore-database": "d", "firestore-collection": "c",
	"azure-container": "ups", "azure-prefix": "up/", "azure-table": "uploads", "azure-connection-string": "x", "azure-account": "acc",
	"azure-access-tier": "Cool", "azure-memory": "64MiB",
	"dynamodb-table": "uploads", "dynamodb-endpoint": "http://127.0.0.1:1",
	"hooks-url": "http://127.0.0.1:1/", "hooks-events": "finished,pre-create", "hooks-secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
	"hooks-headers": "aeg-sas-key=a%2Cb==", "hooks-forward-headers": "Authorization, Cookie", "hooks-source": "urn:x",
}

var goodByType = map[string]string{"switch": "on", "size": "64KiB", "count": "7", "duration": "1m30s", "list": "X-A, X-B"}

// needs are the settings that another cannot do without.
var needs = map[string][]string{
	"enable-cleanup-concat-partials": {"FILELOFT_ENABLE_CONCATENATION=1"},
	"expire-finished":                {"FILELOFT_ENABLE_EXPIRATION=1"},
	"cors-allow-credentials":         {"FILELOFT_CORS_ALLOW_ORIGIN=https://a.example"},
	"unix-socket-mode":               {"FILELOFT_UNIX_SOCKET=s"},
	"tls-cert":                       {"FILELOFT_TLS_KEY=b.pem"},
	"tls-key":                        {"FILELOFT_TLS_CERT=a.pem"},
	"enable-pprof":                   {"FILELOFT_METRICS_BIND=127.0.0.1:0"},
	"s3-bucket":                      {"FILELOFT_STORAGE=s3"},
	"s3-kms-key":                     {"FILELOFT_STORAGE=s3", "FILELOFT_S3_BUCKET=b", "FILELOFT_S3_SSE=aws:kms"},
	"dynamodb-endpoint":              {"FILELOFT_STATE=dynamodb"},
	"hooks-events":                   {"FILELOFT_HOOKS_URL=http://127.0.0.1:1/"},
	"hooks-secret":                   {"FILELOFT_HOOKS_URL=http://127.0.0.1:1/"},
	"hooks-headers":                  {"FILELOFT_HOOKS_URL=http://127.0.0.1:1/"},
	"hooks-forward-headers":          {"FILELOFT_HOOKS_URL=http://127.0.0.1:1/", "FILELOFT_HOOKS_EVENTS=access"},
	"gcs-bucket":                     {"FILELOFT_STORAGE=gcs"},
	"azure-container":                {"FILELOFT_STORAGE=azure", "FILELOFT_AZURE_ACCOUNT=acc"},
}

// remote are settings whose stores cannot be opened and swept here: parsing them must do.
func remote(flag string) bool {
	return strings.HasPrefix(flag, "s3-") || strings.HasPrefix(flag, "dynamodb-") ||
		strings.HasPrefix(flag, "gcs-") || strings.HasPrefix(flag, "firestore-") ||
		strings.HasPrefix(flag, "azure-")
}

// TestGoodValuesAreTaken goes through all settings, as variable and as flag, with the sweep command: it reads the
// same settings, opens the stores and ends. Under -short they are only read.
func TestGoodValuesAreTaken(t *testing.T) {
	t.Parallel()
	for _, s := range app.Settings() {
		good := goodText[s.Flag]
		if good == "" {
			good = goodByType[s.Type]
		}
		if good == "" {
			t.Errorf("%s: no good text in this test", s.Flag)
			continue
		}
		t.Run(s.Flag, func(t *testing.T) {
			t.Parallel()
			env := append([]string{"FILELOFT_DATA_DIR=" + t.TempDir(), "FILELOFT_FS_SYNC=off"}, needs[s.Flag]...)
			if remote(s.Flag) || testing.Short() {
				for _, args := range [][]string{{"serve", "--" + s.Flag + "=" + good}, {"serve"}} {
					e := env
					if len(args) == 1 {
						e = append(env, s.Env+"="+good)
					}
					if _, err := parse(args, e, io.Discard, io.Discard); err != nil {
						t.Errorf("%v %v: %v", e, args, err)
					}
				}
				if !testing.Short() { // with a state in memory there is nothing to make, and nobody is asked
					r := run1(t, append([]string{"FILELOFT_STATE=memory", s.Env + "=" + good}, needs[s.Flag]...), "state", "init")
					if r.status == 2 {
						t.Errorf("%s=%s: %+v", s.Env, good, r)
					}
				}
				return
			}
			if s.Flag == "data-dir" || s.Flag == "sqlite-file" { // relative: not to this process's directory
				good = filepath.Join(t.TempDir(), good)
			}
			check := func(name string, r result) {
				t.Helper()
				if r.status != 0 || !strings.HasPrefix(r.stdout, "expired 0,") {
					t.Errorf("%s=%s: exit status %d, %q %q", name, good, r.status, r.stdout, r.stderr)
				}
			}
			check(s.Env, run1(t, append(env, s.Env+"="+good), "sweep"))
			check("--"+s.Flag, inside(t, env, "sweep", "--"+s.Flag+"="+good))
		})
	}
}

func TestSettingsThatCannotGoTogetherStopTheStart(t *testing.T) {
	t.Parallel()
	r := run1(t, []string{"FILELOFT_CORS_ALLOW_CREDENTIALS=true"})
	if r.status != 2 || !strings.HasPrefix(r.stderr, "fileloft: FILELOFT_CORS_ALLOW_CREDENTIALS") || strings.Count(r.stderr, "\n") != 1 {
		t.Errorf("%+v", r)
	}
}

// Programs without a command line read the environment by another way: it must lead to the same place.
func TestTheCommandLineReadsTheEnvironmentAsLoadDoes(t *testing.T) {
	t.Parallel()
	envs := []app.Env{nil, {"RUST_LOG=warn"}}
	for _, s := range app.Settings() {
		good := goodText[s.Flag]
		if good == "" {
			good = goodByType[s.Type]
		}
		envs = append(envs, append(app.Env{s.Env + "=" + good}, needs[s.Flag]...))
	}
	for _, env := range envs {
		want, err := app.Load(env, nil)
		if err != nil {
			t.Fatal(err)
		}
		var c cli
		if _, err := c.parse(nil, env, io.Discard, io.Discard); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, c.Serve.Config); d != "" {
			t.Errorf("%v: %s", env, d)
		}
	}
}

func TestFlagsWinOverTheEnvironment(t *testing.T) {
	t.Parallel()
	cmd := command(t, []string{"FILELOFT_DATA_DIR=env", "FILELOFT_MAX_SIZE=not a size"}, "--data-dir=flag", "--max-size=1GB", "--no-such-flag")
	if err := cmd.Run(); err == nil || cmd.ProcessState.ExitCode() != 2 {
		t.Errorf("an unknown flag passes: %v", err)
	}
	cmd = command(t, []string{"FILELOFT_DATA_DIR=env", "FILELOFT_MAX_SIZE=not a size"}, "sweep", "--data-dir=flag", "--max-size=1GB")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if _, err := os.Stat(filepath.Join(cmd.Dir, "flag", "fileloft.db")); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(cmd.Dir, "env")); err == nil {
		t.Error("the variable's directory was made although the flag names another")
	}
}

func TestHelpAndVersion(t *testing.T) {
	t.Parallel()
	if r := run1(t, nil, "--help"); r.status != 0 || !strings.Contains(r.stdout, "serve") || !strings.Contains(r.stdout, "sweep") {
		t.Errorf("%+v", r)
	}
	// The one flag that is given must not keep a bad variable from showing, nor a bad variable keep help from showing.
	r := run1(t, []string{"FILELOFT_MAX_SIZE=bad"}, "serve", "--help")
	if r.status != 0 {
		t.Errorf("help with a bad variable: %+v", r)
	}
	for _, s := range app.Settings() {
		if !strings.Contains(r.stdout, "--"+s.Flag) || !strings.Contains(r.stdout, "$"+s.Env) {
			t.Errorf("help does not name --%s and %s", s.Flag, s.Env)
		}
	}
	if r := run1(t, []string{"FILELOFT_MAX_SIZE=bad"}, "version"); r.status != 0 || r.stdout != "fileloft v1.2.3-test\n" {
		t.Errorf("%+v", r)
	}
	if r := run1(t, nil, "upload-everything"); r.status != 2 || strings.Count(r.stderr, "\n") != 1 {
		t.Errorf("%+v", r)
	}
}
