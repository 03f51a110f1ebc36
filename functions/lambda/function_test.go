package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/fileloft/fileloft/internal/app"
	"github.com/fileloft/fileloft/state/memstate"
	"github.com/fileloft/fileloft/storage/memstore"
)

// newFunction returns a function over stores in memory.
func newFunction(t *testing.T, env ...string) *function {
	t.Helper()
	c, err := app.Load(append(app.Env{"FILELOFT_S3_BUCKET=unused"}, env...), presets)
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	a, err := app.New(c, memstate.New(nil), memstore.New(nil), options(c, log))
	if err != nil {
		t.Fatal(err)
	}
	return &function{app: a, base: c.BasePath, log: log}
}

// A reply is an answer in the form of any door.
type reply struct {
	StatusCode        int
	StatusDescription string
	Headers           map[string]string
	MultiValueHeaders map[string][]string
	Body              string
}

func (r reply) header(name string) string {
	if v := r.MultiValueHeaders[http.CanonicalHeaderKey(name)]; len(v) > 0 {
		return v[0]
	}
	return r.Headers[http.CanonicalHeaderKey(name)]
}

func invoke(t *testing.T, f *function, payload any) reply {
	t.Helper()
	b, err := json.Marshal(payload)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 28*time.Second)
	defer cancel()
	out, err := f.Invoke(ctx, b)
	if err != nil {
		t.Fatal(err)
	}
	var r reply
	if err := json.Unmarshal(out, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

type object = map[string]any

// The doors, as they tell the same request: the full events are held against the documentation where they are made, by
// the local gateway's tests.
var doors = map[string]struct {
	event  func(method, path, body string, headers map[string]string) object
	origin string
}{
	"HTTP API, default stage": {v2("abc.execute-api.eu-west-1.amazonaws.com", "$default", ""), "https://abc.execute-api.eu-west-1.amazonaws.com"},
	"HTTP API, named stage":   {v2("abc.execute-api.eu-west-1.amazonaws.com", "prod", "/prod"), "https://abc.execute-api.eu-west-1.amazonaws.com/prod"},
	"HTTP API, a stage with the base path's name": {
		v2("abc.execute-api.eu-west-1.amazonaws.com", "files", "/files"), "https://abc.execute-api.eu-west-1.amazonaws.com/files",
	},
	"HTTP API, custom domain":             {v2("up.example.com", "prod", ""), "https://up.example.com"},
	"HTTP API, custom domain, with stage": {v2("up.example.com", "prod", "/prod"), "https://up.example.com"},
	"HTTP API, custom domain, stage files": {
		v2("up.example.com", "files", ""), "https://up.example.com",
	},
	"Function URL":            {v2("xyz.lambda-url.eu-west-1.on.aws", "$default", ""), "https://xyz.lambda-url.eu-west-1.on.aws"},
	"REST API":                {v1("abc.execute-api.eu-west-1.amazonaws.com", "/prod", ""), "https://abc.execute-api.eu-west-1.amazonaws.com/prod"},
	"REST API, custom domain": {v1("up.example.com", "", ""), "https://up.example.com"},
	"REST API, custom domain with a mapping": {
		v1("up.example.com", "/tus", "/tus"), "https://up.example.com/tus",
	},
	"load balancer":                          {alb(false), "https://up.example.com"},
	"load balancer with multi-value headers": {alb(true), "https://up.example.com"},
}

func v2(domain, stage, front string) func(string, string, string, map[string]string) object {
	return func(method, path, body string, headers map[string]string) object {
		hd := map[string]string{"host": domain, "x-forwarded-for": "192.0.2.7"}
		for k, v := range headers {
			hd[strings.ToLower(k)] = v
		}
		return object{
			"version": "2.0", "rawPath": front + path, "rawQueryString": "", "headers": hd, "body": body, "isBase64Encoded": body != "",
			"requestContext": object{
				"domainName": domain, "stage": stage, "requestId": "gateway-1",
				"http": object{"method": method, "path": front + path, "sourceIp": "192.0.2.7"},
			},
		}
	}
}

// v1 makes events of a REST API: front is in the path that the client sends, mapped in the one that the function gets.
func v1(domain, front, mapped string) func(string, string, string, map[string]string) object {
	return func(method, path, body string, headers map[string]string) object {
		multi := map[string][]string{"Host": {domain}}
		for k, v := range headers {
			multi[k] = []string{v}
		}
		return object{
			"resource": "/{proxy+}", "httpMethod": method, "path": mapped + path, "body": body, "isBase64Encoded": body != "",
			"headers": headers, "multiValueHeaders": multi, "pathParameters": object{"proxy": strings.Trim(path, "/")},
			"requestContext": object{
				"domainName": domain, "stage": "prod", "path": front + path, "requestId": "gateway-1", "identity": object{"sourceIp": "192.0.2.7"},
			},
		}
	}
}

func alb(multi bool) func(string, string, string, map[string]string) object {
	return func(method, path, body string, headers map[string]string) object {
		hd := map[string]string{"host": "up.example.com", "x-forwarded-proto": "https", "x-forwarded-for": "192.0.2.7"}
		for k, v := range headers {
			hd[strings.ToLower(k)] = v
		}
		e := object{
			"httpMethod": method, "path": path, "body": body, "isBase64Encoded": body != "",
			"requestContext": object{"elb": object{"targetGroupArn": "arn:aws:elasticloadbalancing:::targetgroup/x"}},
		}
		e["headers"] = hd
		if multi {
			lists := map[string][]string{}
			for k, v := range hd {
				lists[k] = []string{v}
			}
			delete(e, "headers")
			e["multiValueHeaders"] = lists
		}
		return e
	}
}

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

const metadata = "filename YQ==,filetype Yg==,,last Yw=="

func TestEveryDoorLeadsToTheSameUpload(t *testing.T) {
	for name, d := range doors {
		t.Run(name, func(t *testing.T) {
			f := newFunction(t)
			meta := strings.Replace(metadata, ",,", ",", 1)
			r := invoke(t, f, d.event("POST", "/files/", "", map[string]string{"Tus-Resumable": "1.0.0", "Upload-Length": "10", "Upload-Metadata": meta}))
			loc := r.header("Location")
			path, ok := strings.CutPrefix(loc, d.origin)
			if r.StatusCode != 201 || !ok || !strings.HasPrefix(path, "/files/") {
				t.Fatalf("POST: %d, Location %q, %s", r.StatusCode, loc, r.Body)
			}
			patch := map[string]string{"Tus-Resumable": "1.0.0", "Upload-Offset": "0", "Content-Type": octets}
			body := "\x00\xff\xfe012345\n"
			r = invoke(t, f, d.event("PATCH", path, b64(body), patch))
			if r.StatusCode != 204 || r.header("Upload-Offset") != "10" || r.header("X-Request-Id") == "" {
				t.Fatalf("PATCH: %+v", r)
			}
			r = invoke(t, f, d.event("HEAD", path, "", map[string]string{"Tus-Resumable": "1.0.0"}))
			if r.StatusCode != 200 || r.header("Upload-Offset") != "10" || r.header("Upload-Metadata") != meta {
				t.Errorf("HEAD: %+v", r)
			}
			if strings.HasPrefix(name, "load") && (r.StatusDescription != "200 OK" || r.Headers["Upload-Offset"] != "10" || len(r.MultiValueHeaders) == 0) {
				t.Errorf("a load balancer reads one form of the headers or the other, and the description: %+v", r)
			}
			r = invoke(t, f, d.event("OPTIONS", "/files/", "", nil))
			if r.StatusCode != 204 || strings.Contains(r.header("Tus-Extension"), "trailer") || r.header("Upload-Limit") != "max-append-size=4194304" {
				t.Errorf("OPTIONS: %+v", r)
			}
			r = invoke(t, f, d.event("GET", "/elsewhere", "", nil))
			if r.StatusCode != 404 {
				t.Errorf("GET elsewhere: %+v", r)
			}
		})
	}
}

// A proxy of the user's own stands before the gateway and says where the client reached it. Nobody else may say that.
func TestLocationIsWhereTheClientReachesAProxyOfOurOwn(t *testing.T) {
	for name, d := range doors {
		for _, tt := range []struct {
			env, want string
			headers   map[string]string
		}{
			{"", d.origin, map[string]string{"X-Forwarded-Host": "evil.example", "X-Forwarded-Prefix": "/evil", "Forwarded": "host=evil.example"}},
			{"FILELOFT_BEHIND_PROXY=on", d.origin, map[string]string{"X-Forwarded-Proto": "https", "X-Forwarded-Port": "443"}},
			{"FILELOFT_BEHIND_PROXY=on", "https://own.example", map[string]string{"X-Forwarded-Host": "own.example"}},
			{"FILELOFT_BEHIND_PROXY=on", "https://own.example/api", map[string]string{"X-Forwarded-Host": "own.example", "X-Forwarded-Prefix": "/api"}},
			{"FILELOFT_BEHIND_PROXY=on", "http://own.example:8080", map[string]string{"Forwarded": `for=192.0.2.1;host="own.example:8080";proto=http`}},
			{"FILELOFT_BASE_URL=https://base.example", "https://base.example", map[string]string{"X-Forwarded-Host": "own.example"}},
		} {
			headers := map[string]string{"Tus-Resumable": "1.0.0", "Upload-Length": "10"}
			maps.Copy(headers, tt.headers)
			r := invoke(t, newFunction(t, tt.env), d.event("POST", "/files/", "", headers))
			if loc := r.header("Location"); r.StatusCode != 201 || !strings.HasPrefix(loc, tt.want+"/files/") {
				t.Errorf("%s, %q, %v: %d with Location %q, want it below %s", name, tt.env, tt.headers, r.StatusCode, loc, tt.want)
			}
		}
	}
}

func TestBodiesThatAGatewayHasSpoiltAreRefused(t *testing.T) {
	headers := map[string]string{"Tus-Resumable": "1.0.0", "Upload-Offset": "0", "Content-Type": octets}
	rest := doors["REST API"].event
	for _, tt := range []struct {
		name, body string
		encoded    bool
		status     int
		says       string
	}{
		{"as it should be", b64("0123456789"), true, 204, ""},
		{"text that is ASCII", "0123456789", false, 204, ""},
		{"bytes taken for text", "01\ufffd\ufffd456789", false, 500, "binary media types"},
		{"no base64", "0123456789*", true, 400, "base64"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFunction(t)
			loc := invoke(t, f, rest("POST", "/files/", "", map[string]string{"Tus-Resumable": "1.0.0", "Upload-Length": "10"})).header("Location")
			path := loc[strings.Index(loc, "/files/"):]
			e := rest("PATCH", path, tt.body, headers)
			e["isBase64Encoded"] = tt.encoded
			r := invoke(t, f, e)
			if r.StatusCode != tt.status || !strings.Contains(r.Body, tt.says) || r.header("Tus-Resumable") != "1.0.0" || r.header("X-Request-Id") == "" {
				t.Errorf("%+v", r)
			}
			want := map[bool]string{true: "10", false: "0"}[tt.status == 204]
			if r := invoke(t, f, rest("HEAD", path, "", map[string]string{"Tus-Resumable": "1.0.0"})); r.header("Upload-Offset") != want {
				t.Errorf("HEAD: %+v", r)
			}
		})
	}
}

// What is text by its type comes as it is, whatever it holds, and is no upload's.
func TestABodyOfAnotherTypeIsTheWrongTypeAndNotASpoiltBody(t *testing.T) {
	f := newFunction(t)
	d := doors["HTTP API, default stage"].event
	loc := invoke(t, f, d("POST", "/files/", "", map[string]string{"Tus-Resumable": "1.0.0", "Upload-Length": "10"})).header("Location")
	e := d("PATCH", loc[strings.Index(loc, "/files/"):], "\ufffd", map[string]string{"Tus-Resumable": "1.0.0", "Upload-Offset": "0", "Content-Type": "text/plain"})
	e["isBase64Encoded"] = false
	if r := invoke(t, f, e); r.StatusCode != 415 {
		t.Errorf("%+v", r)
	}
}

func TestABodyOverTheChunkSizeHearsTheSize(t *testing.T) {
	f := newFunction(t)
	d := doors["Function URL"].event
	loc := invoke(t, f, d("POST", "/files/", "", map[string]string{"Tus-Resumable": "1.0.0", "Upload-Length": "10000000"})).header("Location")
	r := invoke(t, f, d("PATCH", loc[strings.Index(loc, "/files/"):], b64(strings.Repeat("x", 4<<20+1)),
		map[string]string{"Tus-Resumable": "1.0.0", "Upload-Offset": "0", "Content-Type": octets}))
	if r.StatusCode != 413 || !strings.Contains(r.Body, "4194304 bytes") || !strings.Contains(r.header("Upload-Limit"), "max-append-size=4194304") {
		t.Errorf("%+v", r)
	}
}

func TestAScheduleSweepsAndReports(t *testing.T) {
	f := newFunction(t)
	for _, e := range []object{
		{"version": "0", "source": "aws.events", "detail-type": "Scheduled Event", "detail": object{}},
		{"version": "0", "source": "aws.scheduler", "detail-type": "Scheduled Event", "detail": "{}"},
		{"action": "sweep"},
	} {
		b, _ := json.Marshal(e)
		out, err := f.Invoke(t.Context(), b)
		if err != nil {
			t.Fatal(err)
		}
		var got map[string]any
		if err := json.Unmarshal(out, &got); err != nil || got["expired"] != 0.0 || got["unfinished"] != false {
			t.Errorf("%v: %s", e, out)
		}
	}
}

func TestOtherEventsAreErrors(t *testing.T) {
	f := newFunction(t)
	for _, text := range []string{`{"hello":"world"}`, `{}`, `[]`, `not json`, `{"version":"2.0"}`, `{"Records":[{"eventSource":"aws:s3"}]}`} {
		if out, err := f.Invoke(t.Context(), []byte(text)); err == nil {
			t.Errorf("%s: %s", text, out)
		}
	}
}

func TestWhatCannotWorkStopsTheStart(t *testing.T) {
	aws := app.Env{"AWS_REGION=eu-west-1", "FILELOFT_S3_REGION=eu-west-1"}
	t.Setenv("AWS_REGION", "eu-west-1")
	for _, tt := range []struct {
		env  app.Env
		want string // "" starts
	}{
		{app.Env{"FILELOFT_S3_BUCKET=b"}, ""},
		{app.Env{"FILELOFT_S3_BUCKET=b", "FILELOFT_MAX_CHUNK=4669440"}, ""},
		{app.Env{}, "FILELOFT_S3_BUCKET"},
		{app.Env{"FILELOFT_STORAGE=fs"}, "FILELOFT_STORAGE"},
		{app.Env{"FILELOFT_S3_BUCKET=b", "FILELOFT_STATE=memory"}, "FILELOFT_STATE"},
		{app.Env{"FILELOFT_S3_BUCKET=b", "FILELOFT_MAX_CHUNK=5MiB"}, "FILELOFT_MAX_CHUNK"},
		{app.Env{"FILELOFT_S3_BUCKET=b", "FILELOFT_MAX_SIZE=lots"}, "FILELOFT_MAX_SIZE"},
	} {
		var logs bytes.Buffer
		f, err := start(t.Context(), append(aws, tt.env...), &logs)
		if tt.want == "" && (err != nil || f == nil) || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%v: %v", tt.env, err)
		}
	}
}
