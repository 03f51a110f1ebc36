package prototest

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fileloft/fileloft/state/memstate"
	"github.com/fileloft/fileloft/storage/memstore"
	"github.com/fileloft/fileloft/tus"
)

// corsRows are section E on CORS.
var corsRows = []row{
	{"E-CORS off", testCORSOff, false},
	{"E-CORS any origin", testCORSAny, false},
	{"E-CORS custom origins", testCORSOrigins, false},
	{"E-CORS credentials", testCORSCredentials, false},
	{"E-CORS methods", testCORSMethods, false},
	{"E-CORS max age", testCORSMaxAge, false},
	{"E-CORS extra headers", testCORSHeaders, false},
}

const appOrigin = "https://app.example"

// preflight asks as a browser does before a PATCH.
func (s *Server) preflight(t testing.TB, origin string) *answer {
	t.Helper()
	return s.do(t, "OPTIONS", s.URL+unknown, nil, "Tus-Resumable", "", "Origin", origin, "Access-Control-Request-Method", "PATCH",
		"Access-Control-Request-Headers", "content-type,tus-resumable,upload-offset").want(t, 200, 204)
}

// list splits a header into its lower-case items.
func list(a *answer, key string) []string {
	var items []string
	for v := range strings.SplitSeq(strings.Join(a.Header.Values(key), ","), ",") {
		items = append(items, strings.ToLower(strings.TrimSpace(v)))
	}
	return items
}

func testCORSOff(t *testing.T, x *suite) {
	s := x.with(t, tus.Options{CORS: &tus.CORS{Disable: true}})
	for _, a := range []*answer{s.preflight(t, appOrigin), s.post(t, nil, "Upload-Length", "5", "Origin", appOrigin), s.post(t, nil, "Origin", appOrigin)} {
		for key := range a.Header {
			if strings.HasPrefix(key, "Access-Control-") {
				t.Errorf("%s: %s", a.what, key)
			}
		}
	}
}

func testCORSAny(t *testing.T, x *suite) {
	s := x.std()
	a := s.preflight(t, appOrigin).header(t, "Access-Control-Allow-Origin", "*").header(t, "Access-Control-Allow-Credentials", "")
	headers := list(a, "Access-Control-Allow-Headers")
	for _, h := range []string{
		"tus-resumable", "upload-length", "upload-offset", "upload-metadata", "upload-defer-length", "upload-concat", "upload-checksum", "content-type",
		"authorization", "x-http-method-override", "x-request-id", "upload-complete", "upload-incomplete", "upload-draft-interop-version",
	} {
		if !slices.Contains(headers, h) {
			t.Errorf("Access-Control-Allow-Headers lacks %s: %v", h, headers)
		}
	}
	a = s.post(t, nil, "Upload-Length", "5", "Origin", appOrigin).want(t, 201).header(t, "Access-Control-Allow-Origin", "*")
	expose := list(a, "Access-Control-Expose-Headers")
	for _, h := range []string{
		"location", "upload-offset", "upload-length", "upload-metadata", "upload-defer-length", "upload-concat", "upload-expires", "tus-version",
		"tus-resumable", "tus-max-size", "tus-extension", "tus-checksum-algorithm", "x-request-id", "retry-after", "upload-complete", "upload-limit",
	} {
		if !slices.Contains(expose, h) {
			t.Errorf("Access-Control-Expose-Headers lacks %s: %v", h, expose)
		}
	}
}

func testCORSOrigins(t *testing.T, x *suite) {
	s := x.with(t, tus.Options{CORS: &tus.CORS{AllowOrigins: []string{appOrigin, "https://*.example.org", "http://localhost:3000"}}})
	for origin, ok := range map[string]bool{
		appOrigin: true, "https://a.example.org": true, "http://localhost:3000": true,
		"https://evil.example": false, "https://example.org": false, "http://a.example.org": false, "https://a.example.org.evil.example": false,
		"https://evilexample.org": false, "http://localhost:3001": false, "null": false, "https://app.example:8443": false, "https://app.example.evil": false,
		"https://evil.example/a.example.org": false, "https://evil.example#.example.org": false,
	} {
		for _, a := range []*answer{s.preflight(t, origin), s.post(t, nil, "Upload-Length", "5", "Origin", origin), s.post(t, nil, "Origin", origin)} {
			want := ""
			if ok {
				want = origin
			}
			a.header(t, "Access-Control-Allow-Origin", want)
			if !slices.Contains(list(a, "Vary"), "origin") {
				t.Errorf("%s: Vary %q", a.what, a.Header.Values("Vary"))
			}
		}
	}
}

func testCORSCredentials(t *testing.T, x *suite) {
	s := x.with(t, tus.Options{CORS: &tus.CORS{AllowOrigins: []string{appOrigin}, AllowCredentials: true}})
	for _, a := range []*answer{s.preflight(t, appOrigin), s.post(t, nil, "Upload-Length", "5", "Origin", appOrigin)} {
		a.header(t, "Access-Control-Allow-Origin", appOrigin).header(t, "Access-Control-Allow-Credentials", "true")
	}
	s.preflight(t, "https://evil.example").header(t, "Access-Control-Allow-Credentials", "")
	for _, origins := range [][]string{nil, {"*"}, {appOrigin, "*"}} {
		c := &tus.CORS{AllowOrigins: origins, AllowCredentials: true}
		if _, err := tus.NewHandler(memstate.New(nil), memstore.New(nil), &tus.Options{CORS: c}); err == nil {
			t.Errorf("credentials for any origin are accepted with %q", origins)
		}
	}
}

func testCORSMethods(t *testing.T, x *suite) {
	for _, download := range []bool{false, true} {
		s := x.bare(t, tus.Options{EnableDownload: download})
		methods := list(s.preflight(t, appOrigin), "Access-Control-Allow-Methods")
		for _, m := range []string{"post", "head", "patch", "delete", "options"} {
			if !slices.Contains(methods, m) {
				t.Errorf("Access-Control-Allow-Methods %v lacks %s", methods, m)
			}
		}
		if slices.Contains(methods, "get") != download {
			t.Errorf("Access-Control-Allow-Methods %v, downloads %v", methods, download)
		}
	}
}

func testCORSMaxAge(t *testing.T, x *suite) {
	x.std().preflight(t, appOrigin).header(t, "Access-Control-Max-Age", "86400")
	for age, want := range map[time.Duration]string{time.Minute: "60", -1: ""} {
		s := x.with(t, tus.Options{CORS: &tus.CORS{MaxAge: age}})
		s.preflight(t, appOrigin).header(t, "Access-Control-Max-Age", want)
	}
}

func testCORSHeaders(t *testing.T, x *suite) {
	s := x.with(t, tus.Options{CORS: &tus.CORS{AllowHeaders: []string{"X-Mine", "X-Other"}, ExposeHeaders: []string{"X-Seen"}}})
	a := s.preflight(t, appOrigin)
	if h := list(a, "Access-Control-Allow-Headers"); !slices.Contains(h, "x-mine") || !slices.Contains(h, "x-other") || !slices.Contains(h, "upload-offset") {
		t.Errorf("Access-Control-Allow-Headers %v", h)
	}
	a = s.post(t, nil, "Upload-Length", "5", "Origin", appOrigin).want(t, 201)
	if h := list(a, "Access-Control-Expose-Headers"); !slices.Contains(h, "x-seen") || !slices.Contains(h, "upload-offset") {
		t.Errorf("Access-Control-Expose-Headers %v", h)
	}
}
