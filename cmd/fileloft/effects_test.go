package main

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The settings of the protocol, each seen from outside. One process serves many: what they do does not meet.

const location = "Location"

// expect checks the status of an answer and pairs of a header's name and value.
func expect(t *testing.T, resp *http.Response, status int, header ...string) {
	t.Helper()
	if resp.StatusCode != status {
		t.Errorf("%s, want %d", resp.Status, status)
	}
	for i := 0; i < len(header); i += 2 {
		if got := resp.Header.Get(header[i]); got != header[i+1] {
			t.Errorf("%s: %q, want %q", header[i], got, header[i+1])
		}
	}
}

func extensions(s *server, base string) []string {
	return strings.Split(s.request(http.MethodOptions, base, nil).Header.Get("Tus-Extension"), ",")
}

func TestSettingsThatTakeAway(t *testing.T) {
	t.Parallel()
	s := serve(t, command(t, []string{
		"FILELOFT_DATA_DIR=d", "FILELOFT_BASE_PATH=/up/", "FILELOFT_BASE_URL=https://public.example/pre", "FILELOFT_BEHIND_PROXY=yes",
		"FILELOFT_MAX_SIZE=1MiB", "FILELOFT_MAX_CHUNK=64KiB", "FILELOFT_MAX_METADATA=100", "FILELOFT_DISABLE_CREATION_WITH_UPLOAD=1",
		"FILELOFT_DISABLE_DEFER_LENGTH=on", "FILELOFT_DISABLE_CHECKSUM=true", "FILELOFT_DISABLE_TERMINATION=yes", "FILELOFT_DISABLE_CORS=TRUE",
	}))
	post := func(header ...string) *http.Response { return s.request(http.MethodPost, "/up/", nil, header...) }
	path := func() string {
		return strings.TrimPrefix(post("Upload-Length", "100000").Header.Get(location), "https://public.example/pre")
	}
	t.Run("FILELOFT_BASE_PATH", func(t *testing.T) {
		expect(t, s.request(http.MethodOptions, "/up/", nil), http.StatusNoContent, "Tus-Version", "1.0.0")
		expect(t, s.request(http.MethodOptions, "/files/", nil), http.StatusNotFound)
	})
	t.Run("FILELOFT_BASE_URL goes before a proxy's word", func(t *testing.T) {
		resp := post("Upload-Length", "1", "X-Forwarded-Host", "proxy.example")
		if got := resp.Header.Get(location); !strings.HasPrefix(got, "https://public.example/pre/up/") {
			t.Errorf("Location %q", got)
		}
	})
	t.Run("FILELOFT_MAX_SIZE", func(t *testing.T) {
		expect(t, s.request(http.MethodOptions, "/up/", nil), http.StatusNoContent, "Tus-Max-Size", "1048576")
		expect(t, post("Upload-Length", "1048576"), http.StatusCreated)
		expect(t, post("Upload-Length", "1048577"), http.StatusRequestEntityTooLarge)
	})
	t.Run("FILELOFT_MAX_CHUNK", func(t *testing.T) {
		p := path()
		expect(t, s.request(http.MethodPatch, p, make([]byte, 65537), "Upload-Offset", "0"), http.StatusRequestEntityTooLarge)
		expect(t, s.request(http.MethodPatch, p, make([]byte, 65536), "Upload-Offset", "0"), http.StatusNoContent, "Upload-Offset", "65536")
		if got := s.request(http.MethodOptions, "/up/", nil).Header.Get("Upload-Limit"); !strings.Contains(got, "max-append-size=65536") {
			t.Errorf("Upload-Limit %q", got)
		}
	})
	t.Run("FILELOFT_MAX_METADATA", func(t *testing.T) {
		fits := "k " + base64.StdEncoding.EncodeToString(make([]byte, 72)) // 98 characters
		expect(t, post("Upload-Length", "1", "Upload-Metadata", fits), http.StatusCreated)
		expect(t, post("Upload-Length", "1", "Upload-Metadata", fits+",ab"), http.StatusBadRequest)
	})
	t.Run("FILELOFT_DISABLE_CREATION_WITH_UPLOAD", func(t *testing.T) {
		resp := s.request(http.MethodPost, "/up/", []byte("hello"), "Upload-Length", "5")
		if resp.StatusCode == http.StatusCreated && resp.Header.Get("Upload-Offset") == "5" {
			t.Error("the bytes were taken")
		}
	})
	t.Run("FILELOFT_DISABLE_DEFER_LENGTH", func(t *testing.T) {
		expect(t, post("Upload-Defer-Length", "1"), http.StatusBadRequest)
	})
	t.Run("FILELOFT_DISABLE_CHECKSUM", func(t *testing.T) {
		resp := s.request(http.MethodPatch, path(), []byte("hello"), "Upload-Offset", "0", "Upload-Checksum", "sha1 AAAAAAAAAAAAAAAAAAAAAAAAAAA=")
		expect(t, resp, http.StatusNoContent)
		expect(t, s.request(http.MethodOptions, "/up/", nil), http.StatusNoContent, "Tus-Checksum-Algorithm", "")
	})
	t.Run("FILELOFT_DISABLE_TERMINATION", func(t *testing.T) {
		p := path()
		if resp := s.request(http.MethodDelete, p, nil); resp.StatusCode != http.StatusNotFound && resp.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("DELETE: %s", resp.Status)
		}
		expect(t, s.request(http.MethodHead, p, nil), http.StatusOK)
	})
	t.Run("FILELOFT_DISABLE_CORS", func(t *testing.T) {
		expect(t, s.request(http.MethodOptions, "/up/", nil, "Origin", "https://a.example"), http.StatusNoContent, "Access-Control-Allow-Origin", "", "Vary", "")
	})
	if got := extensions(s, "/up/"); !slices.Equal(got, []string{"creation"}) {
		t.Errorf("extensions %q", got)
	}
	none := serve(t, command(t, []string{"FILELOFT_DATA_DIR=d", "FILELOFT_DISABLE_CREATION=1"}))
	t.Run("FILELOFT_DISABLE_CREATION", func(t *testing.T) {
		expect(t, none.request(http.MethodPost, "/files/", nil, "Upload-Length", "1"), http.StatusNotFound)
		if got := extensions(none, "/files/"); slices.ContainsFunc(got, func(e string) bool { return strings.HasPrefix(e, "creation") }) {
			t.Errorf("extensions %q", got)
		}
	})
}

func TestSettingsThatAdd(t *testing.T) {
	t.Parallel()
	s := serve(t, command(t, []string{
		"FILELOFT_DATA_DIR=d", "FILELOFT_ENABLE_DOWNLOAD=1", "FILELOFT_ENABLE_CONCATENATION=1", "FILELOFT_MAX_PARTS=2",
		"FILELOFT_ENABLE_CLEANUP_CONCAT_PARTIALS=1", "FILELOFT_ENABLE_EXPIRATION=1", "FILELOFT_EXPIRATION_TTL=2h", "FILELOFT_SHA256=1",
	}))
	plain := serve(t, command(t, []string{"FILELOFT_DATA_DIR=d"}))
	whole := func(s *server, header ...string) string {
		resp := s.request(http.MethodPost, "/files/", []byte("hello"), append(header, "Upload-Length", "5")...)
		expect(t, resp, http.StatusCreated, "Upload-Offset", "5")
		return strings.TrimPrefix(resp.Header.Get(location), s.url)
	}
	t.Run("FILELOFT_ENABLE_DOWNLOAD", func(t *testing.T) {
		s.holds(whole(s), []byte("hello"))
		expect(t, plain.request(http.MethodGet, whole(plain), nil), http.StatusMethodNotAllowed)
	})
	t.Run("FILELOFT_ENABLE_CONCATENATION, _CLEANUP_CONCAT_PARTIALS and _MAX_PARTS", func(t *testing.T) {
		a, b := whole(s, "Upload-Concat", "partial"), whole(s, "Upload-Concat", "partial")
		expect(t, s.request(http.MethodPost, "/files/", nil, "Upload-Concat", "final;"+a+" "+b+" "+a), http.StatusBadRequest)
		resp := s.request(http.MethodPost, "/files/", nil, "Upload-Concat", "final;"+a+" "+b)
		expect(t, resp, http.StatusCreated)
		s.holds(strings.TrimPrefix(resp.Header.Get(location), s.url), []byte("hellohello"))
		within(t, func() bool { return s.request(http.MethodHead, a, nil).StatusCode == http.StatusNotFound })
		if resp := plain.request(http.MethodPost, "/files/", nil, "Upload-Concat", "final;"+a+" "+b); resp.StatusCode == http.StatusCreated {
			t.Errorf("without the setting: %s", resp.Status)
		}
	})
	t.Run("FILELOFT_ENABLE_EXPIRATION and _EXPIRATION_TTL", func(t *testing.T) {
		resp := s.request(http.MethodPost, "/files/", nil, "Upload-Length", "5")
		at, err := http.ParseTime(resp.Header.Get("Upload-Expires"))
		if left := time.Until(at); err != nil || left < 119*time.Minute || left > 2*time.Hour {
			t.Errorf("it expires in %v (%v)", left, err)
		}
		expect(t, plain.request(http.MethodPost, "/files/", nil, "Upload-Length", "5"), http.StatusCreated, "Upload-Expires", "")
	})
	t.Run("FILELOFT_SHA256", func(t *testing.T) {
		got := s.request(http.MethodHead, whole(s), nil).Header.Get("Repr-Digest")
		if !strings.Contains(got, "sha-256=:LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=:") {
			t.Errorf("Repr-Digest %q", got)
		}
	})
	for extension, want := range map[string]bool{"concatenation": true, "expiration": true} {
		if slices.Contains(extensions(s, "/files/"), extension) != want || slices.Contains(extensions(plain, "/files/"), extension) {
			t.Errorf("extension %s: %q, without the settings %q", extension, extensions(s, "/files/"), extensions(plain, "/files/"))
		}
	}
}

func TestSettingsOfCORS(t *testing.T) {
	t.Parallel()
	allowed := func(s *server, origin string) *http.Response {
		return s.request(http.MethodOptions, "/files/", nil, "Origin", origin, "Access-Control-Request-Method", "PATCH")
	}
	plain := serve(t, command(t, []string{"FILELOFT_DATA_DIR=d"}))
	expect(t, allowed(plain, "https://any.example"), http.StatusNoContent,
		"Access-Control-Allow-Origin", "*", "Access-Control-Allow-Credentials", "", "Access-Control-Max-Age", "86400", "Vary", "")

	s := serve(t, command(t, []string{
		"FILELOFT_DATA_DIR=d", "FILELOFT_CORS_ALLOW_ORIGIN=https://app.example.com, https://*.company.example,http://localhost:3000,https://pr-*.dev.example:8443",
		"FILELOFT_CORS_ALLOW_CREDENTIALS=true", "FILELOFT_CORS_ALLOW_HEADERS=X-Tenant, X-Trace", "FILELOFT_CORS_EXPOSE_HEADERS=X-Served-By", "FILELOFT_CORS_MAX_AGE=10m",
	}))
	for origin, want := range map[string]bool{
		"https://app.example.com": true, "https://a.company.example": true, "https://a.b.company.example": true, "http://localhost:3000": true,
		"https://pr-17.dev.example:8443": true,
		"http://app.example.com":         false, "https://app.example.com.evil.example": false, "https://company.example": false, "https://xapp.example.com": false,
		"https://evilcompany.example": false, "https://evil.example/.company.example": false, "https://evil.example#.company.example": false,
		"https://evil.example?.company.example": false, "https://x@a.company.example": false, "http://a.company.example": false,
		"https://app.example.com:444": false, "http://localhost": false, "http://localhost:3001": false, "https://pr-17.dev.example": false, "null": false,
	} {
		resp := allowed(s, origin)
		if !want {
			expect(t, resp, http.StatusNoContent, "Access-Control-Allow-Origin", "", "Access-Control-Allow-Credentials", "", "Vary", "Origin")
			continue
		}
		expect(t, resp, http.StatusNoContent, "Access-Control-Allow-Origin", origin, "Access-Control-Allow-Credentials", "true",
			"Access-Control-Max-Age", "600", "Vary", "Origin")
	}
	resp := allowed(s, "https://app.example.com")
	for _, name := range []string{
		"X-Tenant", "X-Trace", "Authorization", "X-HTTP-Method-Override", "X-Request-ID", "Upload-Offset", "Upload-Metadata", "Upload-Complete", "Repr-Digest",
	} {
		if !strings.Contains(resp.Header.Get("Access-Control-Allow-Headers"), name) {
			t.Errorf("%s may not be sent", name)
		}
	}
	resp = s.request(http.MethodPost, "/files/", nil, "Origin", "https://app.example.com", "Upload-Length", "1")
	for _, name := range []string{"X-Served-By", location, "Upload-Offset", "Upload-Expires", "Upload-Limit"} {
		if !strings.Contains(resp.Header.Get("Access-Control-Expose-Headers"), name) {
			t.Errorf("%s may not be read", name)
		}
	}
}

// Behind a proxy the whole way of its word is looked at by the tests of the engine: here that it is believed, and only where it is set.
func TestFILELOFT_BEHIND_PROXY(t *testing.T) { //nolint:revive // the name of the variable
	t.Parallel()
	for setting, want := range map[string]map[string][]string{
		"true": {
			"https://up.example:8443/pre/files/": {"X-Forwarded-Proto", "https", "X-Forwarded-Host", "up.example", "X-Forwarded-Port", "8443", "X-Forwarded-Prefix", "/pre"},
			"https://[2001:db8::1]:8443/files/":  {"Forwarded", `for="[2001:db8::7]:4711";proto=https;host="[2001:db8::1]:8443", for=10.0.0.1;host=inner`},
			"http://in.example/files/":           {"Host", "in.example"},
		},
		"false": {
			"http://in.example/files/": {"Host", "in.example", "X-Forwarded-Host", "evil.example", "X-Forwarded-Proto", "https", "Forwarded", "host=evil.example"},
		},
	} {
		s := serve(t, command(t, []string{"FILELOFT_DATA_DIR=d", "FILELOFT_BEHIND_PROXY=" + setting}))
		for below, header := range want {
			got := s.request(http.MethodPost, "/files/", nil, append(header, "Upload-Length", "1")...).Header.Get(location)
			if !strings.HasPrefix(got, below) {
				t.Errorf("%s, %q: Location %q, want it below %s", setting, header, got, below)
			}
		}
	}
}

// Another server has the upload and does not move. It is waited for, so long and no longer.
func TestFILELOFT_LOCK_TIMEOUT(t *testing.T) { //nolint:revive // the name of the variable
	if testing.Short() {
		t.Skip("it waits for seconds")
	}
	t.Parallel()
	env := []string{"FILELOFT_DATA_DIR=" + t.TempDir(), "FILELOFT_LEASE_TTL=1m", "FILELOFT_LOCK_TIMEOUT=1", "FILELOFT_CHECKPOINT_INTERVAL=1"}
	other := serve(t, command(t, env))
	other.client = clientWith(t, 1, nil)
	path := create(t, other, 100_000)
	f := other.patchSlowly(path, 100_000, []byte("x"))
	within(t, func() bool { // it holds the upload while bytes come
		_, err := f.rest.Write([]byte("xxxxxxxxxx"))
		return err != nil || other.offset(path) > 0
	})
	if err := other.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	s := serve(t, command(t, env))
	begin := time.Now()
	resp := s.request(http.MethodPatch, path, []byte("y"), "Upload-Offset", strconv.Itoa(s.offset(path)))
	if took := time.Since(begin); resp.StatusCode != http.StatusLocked || took < time.Second || took > 20*time.Second {
		t.Errorf("%s after %v", resp.Status, took)
	}
	if after, err := strconv.Atoi(resp.Header.Get("Retry-After")); err != nil || after < 1 {
		t.Errorf("Retry-After %q", resp.Header.Get("Retry-After"))
	}
}

func TestSettingsOfTheLog(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		env  []string
		want func(first string, all string) bool
	}{
		{nil, func(first, _ string) bool { return json.Valid([]byte(first)) }}, // no terminal
		{[]string{"FILELOFT_LOG_FORMAT=json"}, func(first, _ string) bool { return json.Valid([]byte(first)) }},
		{[]string{"FILELOFT_LOG_FORMAT=text"}, func(first, _ string) bool { return strings.HasPrefix(first, "time=") }},
		{[]string{"FILELOFT_LOG_FORMAT=google"}, func(first, _ string) bool { return strings.Contains(first, `"severity":"INFO"`) }},
		{[]string{"FILELOFT_LOG_LEVEL=error"}, func(_, all string) bool { return all == "" }},
		{[]string{"FILELOFT_LOG_LEVEL=off"}, func(_, all string) bool { return all == "" }},
		{[]string{"RUST_LOG=error"}, func(_, all string) bool { return all == "" }},
		{[]string{"RUST_LOG=info,fileloft=error"}, func(_, all string) bool { return all == "" }},
		{[]string{"RUST_LOG=error", "FILELOFT_LOG_LEVEL=info"}, func(_, all string) bool { return all != "" }},
		{[]string{"RUST_LOG=nonsense"}, func(_, all string) bool { return all != "" }},
	} {
		for how, run := range runs() {
			r := run(t, append(tt.env, "FILELOFT_DATA_DIR="+t.TempDir()), "sweep")
			first, _, _ := strings.Cut(r.stderr, "\n")
			if r.status != 0 || !tt.want(first, r.stderr) {
				t.Errorf("%s, %q: %+v", how, tt.env, r)
			}
		}
	}
}

func TestSettingsOfPlaces(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	data, db := filepath.Join(dir, "data"), filepath.Join(dir, "elsewhere.db")
	s := serve(t, command(t, []string{"FILELOFT_DATA_DIR=" + data, "FILELOFT_SQLITE_FILE=" + db, "FILELOFT_ENABLE_DOWNLOAD=1"}))
	path := create(t, s, 5)
	s.resume(path, []byte("hello"))
	if b, err := os.ReadFile(filepath.Join(data, "files", filepath.Base(path))); err != nil || string(b) != "hello" {
		t.Errorf("%q %v", b, err)
	}
	if _, err := os.Stat(db); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(data, "fileloft.db")); err == nil {
		t.Error("there is a database in the data directory as well")
	}
}
