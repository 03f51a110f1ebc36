package app

import (
	"errors"
	"io/fs"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestEverySettingIsFullyDescribed(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range Settings() {
		if s.Flag == "" || s.Help == "" || s.Group == "" || s.Default == "" {
			t.Errorf("%+v: flag, help, group and default (or what stands for it) must all be given", s)
		}
		if _, ok := readers[s.Type]; !ok {
			t.Errorf("%s: there is no reader for type %q", s.Flag, s.Type)
		}
		if s.Type == "choice" && len(s.choices) == 0 {
			t.Errorf("%s: a choice without choices", s.Flag)
		}
		if seen[s.Env] {
			t.Errorf("%s is there twice", s.Env)
		}
		seen[s.Env] = true
		if !strings.HasSuffix(s.Help, ".") {
			t.Errorf("%s: the help is not a sentence: %q", s.Flag, s.Help)
		}
	}
}

func TestDefaults(t *testing.T) {
	got, err := Load(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := Config{
		Bind: "0.0.0.0:8080", BasePath: "/files/", TLSMode: "tls12",
		HeaderTimeout: 10 * time.Second, BodyTimeout: time.Minute, KeepAliveTimeout: 2 * time.Minute,
		ShutdownTimeout: 10 * time.Second, LockTimeout: 20 * time.Second, LeaseTTL: 6 * time.Second,
		CheckpointInterval: 2 * time.Second, CheckpointSize: 64 << 20,
		MaxMetadata: 8 << 10, MaxParts: 1000, ExpirationTTL: 24 * time.Hour, CORSMaxAge: 24 * time.Hour,
		Storage: "fs", FSSync: true, FSVerify: "auto", SweepInterval: 10 * time.Minute,
		S3PartSize: 8 << 20, S3Parallel: 4, S3Memory: 256 << 20, S3LinkTTL: 15 * time.Minute, DynamoDBTable: "fileloft",
		GCSChunkSize: 8 << 20, GCSLinkTTL: 15 * time.Minute, FirestoreDatabase: "(default)", FirestoreCollection: "fileloft",
		AzureTable: "fileloft", AzureBlockSize: 8 << 20, AzureParallel: 4, AzureMemory: 256 << 20, AzureLinkTTL: 15 * time.Minute,
		HooksSource: "/fileloft", HooksTimeout: 5 * time.Second, HooksAttempts: 3,
		LogLevel: slog.LevelInfo, LogFormat: "auto",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// values has, for every type of setting, texts that are read and texts that must stop the start.
var values = map[string]struct {
	good map[string]any
	bad  []string
}{
	"text":    {good: map[string]any{"/a b": "/a b"}},
	"address": {map[string]any{":0": ":0", "[::1]:80": "[::1]:80", "host:65535": "host:65535"}, []string{"8080", "host", "host:", "host:65536", "host:http", "::1:80"}},
	"socket":  {map[string]any{"/run/fileloft.sock": "/run/fileloft.sock", "a": "a"}, []string{strings.Repeat("s", 108), "@abstract"}},
	"mode":    {map[string]any{"0660": fs.FileMode(0o660), "777": fs.FileMode(0o777)}, []string{"0", "1777", "0o660", "888", "rw", "-1", "u=rw"}},
	"path":    {map[string]any{"/": "/", "/files": "/files", "/a/b/": "/a/b/"}, []string{"files", "//files/", "/files?x=1", "/a%20b/", "http://x/files/"}},
	"origin":  {map[string]any{"https://a.example": "https://a.example", "http://a:1/p": "http://a:1/p"}, []string{"a.example", "ftp://a", "https://", "https://a/?q=1", "https://a/#f", "https://u:p@a/"}},
	"switch": {
		map[string]any{"true": true, "1": true, "YES": true, "on": true, "false": false, "0": false, "no": false, "Off": false},
		[]string{"2", "y", "enabled", " true"},
	},
	"size": {
		map[string]any{"1": int64(1), "64KiB": int64(65536), "64KB": int64(64000), "64kib": int64(65536), "64 KiB": int64(65536), "4096B": int64(4096)},
		[]string{"0", "-1", "10G", "1.5MiB", "KiB", "0x10", "9223372036854775808", "9007199254740992KiB", "1 2", "+1", "10GiBB"},
	},
	"count": {map[string]any{"1": int64(1), "100000": int64(100000)}, []string{"0", "100001", "-1", "1.0", "many", "1k"}},
	"duration": {
		map[string]any{"30": 30 * time.Second, "1m30s": 90 * time.Second, "1s": time.Second},
		[]string{"-1", "-1s", "1d", "soon", "30 s", "4294967296"},
	},
	"list": {map[string]any{"A": []string{"A"}, "A, B": []string{"A", "B"}}, []string{",", "A,,B", "A B", "A,"}},
	"origins": {
		map[string]any{"*": []string{"*"}, "https://a.example,https://*.company.example": []string{"https://a.example", "https://*.company.example"}},
		[]string{"a.example", "https://a.example/", "https://a.example/path", "https://a.example https://b.example", "https://a.example?x"},
	},
	"words":     {map[string]any{"created": []string{"created"}, "finished, pre-create": []string{"finished", "pre-create"}}, []string{"finish", "created,,finished", "Created", "*"}},
	"endpoint":  {map[string]any{"http://127.0.0.1:1/x?y=z": "http://127.0.0.1:1/x?y=z"}, []string{"hooks.example.com", "ftp://a", "https://", "https://u:p@a/", "http://a b/"}},
	"reference": {map[string]any{"https://a.example/": "https://a.example/", "urn:x": "urn:x"}, []string{":", "%zz"}},
	"names":     {map[string]any{"Authorization, Cookie": []string{"Authorization", "Cookie"}}, []string{"a b", "a:", "a,,b"}},
	"headers": {
		map[string]any{"Authorization=Bearer%20a%2Cb,k=v==": []string{"Authorization=Bearer%20a%2Cb", "k=v=="}},
		[]string{"Authorization", "a=%zz", "a=%0D%0Ab", "=b", "webhook-id=1", "Content-Type=a", "a b=c"},
	},
	"secrets": {
		map[string]any{"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw": []string{"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}},
		[]string{"hunter2", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_", "whsec_aGFsbG8=", "whsec_!", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw,hunter2"},
	},
	"level": {
		map[string]any{"debug": slog.LevelDebug, "WARN": slog.LevelWarn, "info,fileloft=error": slog.LevelError, "fileloft=debug,h2=off": slog.LevelDebug, "off": levelOff},
		[]string{"loud", "3", "debug,", "h2=debug"},
	},
}

func TestEachSettingReadsGoodTextAndRefusesBad(t *testing.T) {
	for _, s := range Settings() {
		v := values[s.Type]
		if s.Type == "choice" {
			v.good, v.bad = map[string]any{}, []string{"nosuch", s.choices[0] + "x", swapCase(s.choices[0])}
			for _, c := range s.choices {
				v.good[c] = c
			}
		}
		if len(v.good) == 0 {
			t.Errorf("%s: type %s has no examples in this test", s.Flag, s.Type)
		}
		for text, want := range v.good {
			if n, ok := want.(int64); ok && !s.within(n) {
				v.bad = append(v.bad, text)
				continue
			}
			var c Config
			field := reflect.ValueOf(&c).Elem().Field(s.index)
			if err := s.ParseFlag(field, text); err != nil {
				t.Errorf("--%s=%s: %v", s.Flag, text, err)
			} else if d := cmp.Diff(want, field.Interface()); d != "" {
				t.Errorf("--%s=%s: %s", s.Flag, text, d)
			}
			if got, err := s.FromEnv(Env{s.Env + "=" + text}); err != nil || got != text {
				t.Errorf("%s=%s: %q, %v", s.Env, text, got, err)
			}
		}
		for _, text := range v.bad {
			_, err := Load(Env{s.Env + "=" + text}, nil)
			var bad *BadValueError
			if !errors.As(err, &bad) || !strings.HasPrefix(err.Error(), s.Env+": ") || bad.Accepts == "" || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s=%s: want one sentence that begins with the variable and says what is accepted, got %v", s.Env, text, err)
			}
			if s.secret && len(text) > len("whsec_") && strings.Contains(err.Error(), text) {
				t.Errorf("the error repeats what may be a secret: %v", err)
			}
		}
	}
}

func swapCase(s string) string {
	if up := strings.ToUpper(s); up != s {
		return up
	}
	return strings.ToLower(s)
}

func TestDurationsBelowTheirMinimumAreRefused(t *testing.T) {
	for _, text := range []string{"0", "0s", "999ms"} {
		if _, err := Load(Env{"FILELOFT_LEASE_TTL=" + text}, nil); err == nil || !strings.Contains(err.Error(), "at least 1s") {
			t.Errorf("%s: %v", text, err)
		}
	}
	if c, err := Load(Env{"FILELOFT_LOCK_TIMEOUT=0", "FILELOFT_SWEEP_INTERVAL=0"}, nil); err != nil || c.LockTimeout != 0 || c.SweepInterval != 0 {
		t.Errorf("zero has a meaning for these two: %v %v", c, err)
	}
}

func TestAVariableSetToNothingCountsAsNotSet(t *testing.T) {
	c, err := Load(Env{"FILELOFT_MAX_SIZE=", "FILELOFT_BIND="}, nil)
	if err != nil || c.MaxSize != 0 || c.Bind != "0.0.0.0:8080" {
		t.Errorf("%+v %v", c, err)
	}
}

func TestTheStateBelongsToTheStorageUnlessChosen(t *testing.T) {
	for want, env := range map[string]Env{
		"sqlite":    nil,
		"dynamodb":  {"FILELOFT_STORAGE=s3", "FILELOFT_S3_BUCKET=b"},
		"firestore": {"FILELOFT_STORAGE=gcs", "FILELOFT_GCS_BUCKET=b"},
		"table":     {"FILELOFT_STORAGE=azure", "FILELOFT_AZURE_CONTAINER=ups", "FILELOFT_AZURE_ACCOUNT=acc"},
		"memory":    {"FILELOFT_STORAGE=s3", "FILELOFT_S3_BUCKET=b", "FILELOFT_STATE=memory"},
	} {
		if c, err := Load(env, nil); err != nil || c.StateName() != want {
			t.Errorf("%v: %s, %v", env, c.StateName(), err)
		}
	}
}

func TestPresetsStandInForDefaultsAndNotForVariables(t *testing.T) {
	presets := map[string]string{"storage": "s3", "max-chunk": "4MiB"}
	c, err := Load(Env{"FILELOFT_S3_BUCKET=b"}, presets)
	if err != nil || c.Storage != "s3" || c.MaxChunk != 4<<20 {
		t.Errorf("%+v, %v", c, err)
	}
	c, err = Load(Env{"FILELOFT_S3_BUCKET=b", "FILELOFT_MAX_CHUNK=1MiB"}, presets)
	if err != nil || c.MaxChunk != 1<<20 {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestAFlagGivenTwiceAddsToAList(t *testing.T) {
	var c Config
	s, _ := Find("cors-allow-origin")
	field := reflect.ValueOf(&c).Elem().Field(s.index)
	for _, o := range []string{"https://a.example", "https://b.example,https://c.example"} {
		if err := s.ParseFlag(field, o); err != nil {
			t.Fatal(err)
		}
	}
	if len(c.CORSAllowOrigin) != 3 {
		t.Errorf("%q", c.CORSAllowOrigin)
	}
}

func TestRustLogIsReadWhereOursIsNotSet(t *testing.T) {
	for _, tt := range []struct {
		env    Env
		want   slog.Level
		warned bool
	}{
		{Env{"RUST_LOG=debug"}, slog.LevelDebug, false},
		{Env{"RUST_LOG=tower=warn,fileloft=trace"}, slog.LevelDebug - 4, false},
		{Env{"RUST_LOG=debug", "FILELOFT_LOG_LEVEL=error"}, slog.LevelError, false},
		{Env{"RUST_LOG=hyper::proto=info"}, slog.LevelInfo, true},
	} {
		c, err := Load(tt.env, nil)
		if err != nil || c.LogLevel != tt.want {
			t.Errorf("%v: %v %v", tt.env, c.LogLevel, err)
		}
		if got := strings.Contains(strings.Join(c.Warnings(tt.env), "\n"), "RUST_LOG"); got != tt.warned {
			t.Errorf("%v: warned %v", tt.env, got)
		}
	}
}

func TestSettingsThatCannotGoTogetherAreRefused(t *testing.T) {
	for _, tt := range []struct {
		env  Env
		want string // "" accepts
	}{
		{Env{"FILELOFT_CORS_ALLOW_CREDENTIALS=true"}, "FILELOFT_CORS_ALLOW_CREDENTIALS"},
		{Env{"FILELOFT_CORS_ALLOW_CREDENTIALS=true", "FILELOFT_CORS_ALLOW_ORIGIN=*"}, "FILELOFT_CORS_ALLOW_CREDENTIALS"},
		{Env{"FILELOFT_CORS_ALLOW_CREDENTIALS=true", "FILELOFT_DISABLE_CORS=true"}, ""},
		{Env{"FILELOFT_CORS_ALLOW_CREDENTIALS=true", "FILELOFT_CORS_ALLOW_ORIGIN=https://a.example"}, ""},
		{Env{"FILELOFT_CORS_ALLOW_ORIGIN=https://a.example,*"}, "FILELOFT_CORS_ALLOW_ORIGIN"},
		{Env{"FILELOFT_ENABLE_CLEANUP_CONCAT_PARTIALS=true"}, "FILELOFT_ENABLE_CLEANUP_CONCAT_PARTIALS"},
		{Env{"FILELOFT_ENABLE_CLEANUP_CONCAT_PARTIALS=true", "FILELOFT_ENABLE_CONCATENATION=true"}, ""},
		{Env{"FILELOFT_EXPIRE_FINISHED=true"}, "FILELOFT_EXPIRE_FINISHED"},
		{Env{"FILELOFT_TLS_CERT=a.pem"}, "FILELOFT_TLS_CERT (--tls-cert) is set, but not FILELOFT_TLS_KEY"},
		{Env{"FILELOFT_TLS_KEY=a.pem"}, "FILELOFT_TLS_KEY (--tls-key) is set, but not FILELOFT_TLS_CERT"},
		{Env{"FILELOFT_TLS_CERT=a.pem", "FILELOFT_TLS_KEY=a.pem"}, ""},
		{Env{"FILELOFT_TLS_CERT=a.pem", "FILELOFT_TLS_KEY=a.pem", "FILELOFT_UNIX_SOCKET=s"}, "FILELOFT_UNIX_SOCKET"},
		{Env{"FILELOFT_UNIX_SOCKET_MODE=600"}, "FILELOFT_UNIX_SOCKET_MODE"},
		{Env{"FILELOFT_UNIX_SOCKET_MODE=600", "FILELOFT_UNIX_SOCKET=s"}, ""},
		{Env{"FILELOFT_STATE=memory", "FILELOFT_SQLITE_FILE=x.db"}, "FILELOFT_SQLITE_FILE"},
		{Env{"FILELOFT_STORAGE=s3"}, "FILELOFT_STORAGE is s3: FILELOFT_S3_BUCKET"},
		{Env{"FILELOFT_STORAGE=s3", "FILELOFT_S3_BUCKET=b"}, ""},
		{Env{"FILELOFT_STORAGE=s3", "FILELOFT_S3_BUCKET=b", "FILELOFT_SQLITE_FILE=x.db"}, "FILELOFT_SQLITE_FILE"},
		{Env{"FILELOFT_STORAGE=s3", "FILELOFT_S3_BUCKET=b", "FILELOFT_SQLITE_FILE=x.db", "FILELOFT_STATE=sqlite"}, ""},
		{Env{"FILELOFT_S3_BUCKET=b"}, "FILELOFT_S3_BUCKET"},
		{Env{"FILELOFT_STORAGE=gcs"}, "FILELOFT_STORAGE is gcs: FILELOFT_GCS_BUCKET"},
		{Env{"FILELOFT_STORAGE=gcs", "FILELOFT_GCS_BUCKET=b"}, ""},
		{Env{"FILELOFT_GCS_BUCKET=b"}, "FILELOFT_GCS_BUCKET"},
		{Env{"FILELOFT_STORAGE=azure", "FILELOFT_AZURE_ACCOUNT=acc"}, "FILELOFT_STORAGE is azure: FILELOFT_AZURE_CONTAINER"},
		{Env{"FILELOFT_STORAGE=azure", "FILELOFT_AZURE_CONTAINER=ups"}, "FILELOFT_AZURE_ACCOUNT (--azure-account) must name"},
		{Env{"FILELOFT_STORAGE=azure", "FILELOFT_AZURE_CONTAINER=ups", "FILELOFT_AZURE_ACCOUNT=acc"}, ""},
		{Env{"FILELOFT_STORAGE=azure", "FILELOFT_AZURE_CONTAINER=ups", "AZURE_STORAGE_ACCOUNT=acc"}, ""},
		{Env{"FILELOFT_STORAGE=azure", "FILELOFT_AZURE_CONTAINER=ups", "AZURE_STORAGE_CONNECTION_STRING=x"}, ""},
		{Env{"FILELOFT_STORAGE=azure", "FILELOFT_AZURE_CONTAINER=ups", "FILELOFT_STATE=memory"}, "FILELOFT_AZURE_ACCOUNT"},
		{Env{"FILELOFT_STATE=table"}, "FILELOFT_AZURE_ACCOUNT"},
		{Env{"FILELOFT_STATE=table", "FILELOFT_AZURE_ACCOUNT=acc"}, ""},
		{Env{"FILELOFT_AZURE_CONTAINER=ups"}, "FILELOFT_AZURE_CONTAINER"},
		{Env{"FILELOFT_STATE=table", "FILELOFT_AZURE_ACCOUNT=https://acc.blob.core.windows.net"}, "FILELOFT_AZURE_ACCOUNT (--azure-account): \"https"},
		{Env{"FILELOFT_STATE=table", "FILELOFT_AZURE_ACCOUNT=acc", "FILELOFT_AZURE_TABLE=up-loads"}, "FILELOFT_AZURE_TABLE"},
		{Env{"FILELOFT_STORAGE=azure", "FILELOFT_AZURE_ACCOUNT=acc", "FILELOFT_AZURE_CONTAINER=Ups"}, "FILELOFT_AZURE_CONTAINER"},
		{Env{"FILELOFT_STORAGE=azure", "FILELOFT_AZURE_ACCOUNT=acc", "FILELOFT_AZURE_CONTAINER=a--b"}, "FILELOFT_AZURE_CONTAINER"},
		{Env{"AZURE_STORAGE_ACCOUNT=acc", "AZURE_STORAGE_CONNECTION_STRING=x"}, ""}, // for another program
		{Env{"FILELOFT_GCS_CHUNK_SIZE=300000"}, "FILELOFT_GCS_CHUNK_SIZE"},
		{Env{"FILELOFT_HOOKS_URL=http://h/"}, ""},
		{Env{"FILELOFT_HOOKS_EVENTS=finished"}, "FILELOFT_HOOKS_EVENTS is set, but FILELOFT_HOOKS_URL"},
		{Env{"FILELOFT_HOOKS_SECRET=whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}, "FILELOFT_HOOKS_SECRET is set, but FILELOFT_HOOKS_URL"},
		{Env{"FILELOFT_HOOKS_HEADERS=a=b"}, "FILELOFT_HOOKS_HEADERS is set, but FILELOFT_HOOKS_URL"},
		{Env{"FILELOFT_HOOKS_FORWARD_HEADERS=Cookie"}, "FILELOFT_HOOKS_FORWARD_HEADERS is set, but FILELOFT_HOOKS_URL"},
		{Env{"FILELOFT_HOOKS_URL=http://h/", "FILELOFT_HOOKS_FORWARD_HEADERS=Cookie"}, "FILELOFT_HOOKS_FORWARD_HEADERS (--hooks-forward-headers) needs"},
		{Env{"FILELOFT_HOOKS_URL=http://h/", "FILELOFT_HOOKS_FORWARD_HEADERS=Cookie", "FILELOFT_HOOKS_EVENTS=finished,pre-create"}, ""},
		{Env{"FILELOFT_STORAGE=s3", "FILELOFT_S3_BUCKET=b", "FILELOFT_S3_KMS_KEY=k"}, "FILELOFT_S3_KMS_KEY"},
		{Env{"FILELOFT_STORAGE=s3", "FILELOFT_S3_BUCKET=b", "FILELOFT_S3_KMS_KEY=k", "FILELOFT_S3_SSE=aws:kms"}, ""},
		{Env{"FILELOFT_STORAGE=s3", "FILELOFT_S3_BUCKET=b", "FILELOFT_CHECKPOINT_SIZE=1GiB"}, "FILELOFT_CHECKPOINT_SIZE (--checkpoint-size) is more than 64 parts"},
		{Env{"FILELOFT_STORAGE=s3", "FILELOFT_S3_BUCKET=b", "FILELOFT_CHECKPOINT_SIZE=512MiB"}, ""},
		{Env{"FILELOFT_STORAGE=s3", "FILELOFT_S3_BUCKET=b", "FILELOFT_CHECKPOINT_SIZE=1GiB", "FILELOFT_S3_PART_SIZE=16MiB"}, ""},
		{Env{"FILELOFT_CHECKPOINT_SIZE=1GiB"}, ""},
		{Env{"FILELOFT_STATE=table", "FILELOFT_AZURE_ACCOUNT=AccountName=a;AccountKey=hunter2"}, "FILELOFT_AZURE_ACCOUNT (--azure-account) holds more than a name: a connection string belongs into FILELOFT_AZURE_CONNECTION_STRING"},
		{Env{"FILELOFT_ENABLE_PPROF=on"}, "FILELOFT_ENABLE_PPROF"},
		{Env{"FILELOFT_ENABLE_PPROF=on", "FILELOFT_METRICS_BIND=127.0.0.1:0"}, ""},
		{Env{"FILELOFT_DYNAMODB_ENDPOINT=http://x"}, "FILELOFT_DYNAMODB_ENDPOINT"},
		{Env{"FILELOFT_DYNAMODB_ENDPOINT=http://x", "FILELOFT_STATE=dynamodb"}, ""},
	} {
		_, err := Load(tt.env, nil)
		if (err == nil) != (tt.want == "") || err != nil && !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%v: %v", tt.env, err)
		}
	}
}

func TestWarnings(t *testing.T) {
	has := func(env Env, want string) bool {
		t.Helper()
		c, err := Load(env, nil)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Contains(strings.Join(c.Warnings(env), "\n"), want)
	}
	if !has(Env{"FILELOFT_MAXSIZE=1"}, "FILELOFT_MAXSIZE is not a setting of this version and has no effect: did you mean FILELOFT_MAX_SIZE?") {
		t.Error("a misspelt variable passes in silence")
	}
	if !has(Env{"FILELOFT_QUITE_ANOTHER_THING=1"}, "FILELOFT_QUITE_ANOTHER_THING is not") || has(Env{"FILELOFT_QUITE_ANOTHER_THING=1"}, "did you mean") {
		t.Error("an unknown variable wants a warning without a guess")
	}
	if has(Env{"FILELOFT_TOKEN_KEY=hunter2"}, "hunter2") {
		t.Error("a warning repeats the value of an unknown variable, which may be a secret")
	}
	if !has(nil, "FILELOFT_MAX_SIZE is not set") || has(Env{"FILELOFT_MAX_SIZE=1GB"}, "FILELOFT_MAX_SIZE") {
		t.Error("the warning about a missing limit must come without one and only then")
	}
	tls := Env{"FILELOFT_TLS_CERT=a", "FILELOFT_TLS_KEY=b"}
	if h2c := "FILELOFT_ENABLE_H2C"; !has(append(tls, h2c+"=1"), h2c) || has(tls, h2c) || has(Env{h2c + "=1"}, h2c) {
		t.Error("the warning about h2c must come with TLS and only then")
	}
	hooks := Env{"FILELOFT_HOOKS_URL=http://hooks.example.com/?geheim", "FILELOFT_HOOKS_SECRET=whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}
	if !has(hooks[:1], "HOOKS_SECRET is not set") || has(hooks, "HOOKS_SECRET") || has(nil, "HOOKS_SECRET") {
		t.Error("the warning about hooks without a signature must come with hooks and only then")
	}
	if !has(hooks, "HOOKS_URL is not https") || has(hooks, "geheim") ||
		has(Env{"FILELOFT_HOOKS_URL=https://hooks.example.com/"}, "not https") || has(Env{"FILELOFT_HOOKS_URL=http://[::1]:80/"}, "not https") {
		t.Error("the warning about hooks in the clear must come for http to other machines and only then")
	}
	pprof := Env{"FILELOFT_ENABLE_PPROF=1", "FILELOFT_METRICS_BIND=:9090"}
	if !has(pprof, "FILELOFT_ENABLE_PPROF") || has(append(pprof, "FILELOFT_METRICS_BIND=127.0.0.1:9090"), "FILELOFT_ENABLE_PPROF") {
		t.Error("profiles for everybody want a warning, and others do not")
	}
	grpc := Env{"OTEL_EXPORTER_OTLP_PROTOCOL=grpc"}
	if has(grpc, "OTEL_") || !has(append(grpc, "FILELOFT_ENABLE_TRACES=1"), "OTEL_EXPORTER_OTLP_PROTOCOL") {
		t.Error("a protocol that is not spoken wants a warning where traces are sent")
	}
	if !has(Env{"FILELOFT_STATE=memory"}, "forgotten") {
		t.Error("memory as state passes in silence")
	}
}
