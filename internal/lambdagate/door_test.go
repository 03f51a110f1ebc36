package lambdagate

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
)

// echoed reads an event that came back, strictly: what AWS's own Go types do not know, no service sends.
func echoed[T any](t *testing.T, status int, body string) T {
	t.Helper()
	if status != http.StatusOK {
		t.Fatalf("status %d: %s", status, body)
	}
	var e T
	dec := json.NewDecoder(strings.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&e); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return e
}

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}

// headers are the same for all doors.
var headers = []string{
	"Upload-Metadata", "a YQ==,b Yg==", "X-Twice", "one", "X-Twice", "two", "Cookie", "k=v; l=w", "X-Forwarded-For", "192.0.2.9",
	"X-Forwarded-Proto", "gopher", "Content-Type", "application/offset+octet-stream",
}

const binary = "\x00\xff\x80 not text"

func TestHTTPAPIEvent(t *testing.T) {
	f := deploy(t, Options{})
	resp, body := call(t, "PATCH", open(t, HTTPAPI(f, nil))+"/files/a%2Fb?x=1&x=2&y=a%20b", binary, headers...)
	e := echoed[events.APIGatewayV2HTTPRequest](t, resp.StatusCode, body)
	c := e.RequestContext
	for _, p := range [][3]string{
		{"version", e.Version, "2.0"},
		{"rawPath", e.RawPath, "/files/a%2Fb"},
		{"rawQueryString", e.RawQueryString, "x=1&x=2&y=a%20b"},
		{"x", e.QueryStringParameters["x"], "1,2"},
		{"y", e.QueryStringParameters["y"], "a b"},
		{"cookies", strings.Join(e.Cookies, "|"), "k=v|l=w"},
		{"upload-metadata", e.Headers["upload-metadata"], "a YQ==,b Yg=="},
		{"x-twice", e.Headers["x-twice"], "one,two"},
		{"host", e.Headers["host"], "abcdefghij.execute-api.us-east-1.amazonaws.com"},
		{"cookie", e.Headers["cookie"], ""},
		{"x-forwarded-for", e.Headers["x-forwarded-for"], "192.0.2.9, 127.0.0.1"},
		{"x-forwarded-proto", e.Headers["x-forwarded-proto"], "https"},
		{"forwarded", e.Headers["forwarded"], "for=192.0.2.9;proto=gopher,by=3.3.3.3;for=127.0.0.1;host=abcdefghij.execute-api.us-east-1.amazonaws.com;proto=https"},
		{"content-length", e.Headers["content-length"], fmt.Sprint(len(binary))},
		{"method", c.HTTP.Method, "PATCH"},
		{"path", c.HTTP.Path, "/files/a%2Fb"},
		{"sourceIp", c.HTTP.SourceIP, "127.0.0.1"},
		{"domainName", c.DomainName, "abcdefghij.execute-api.us-east-1.amazonaws.com"},
		{"domainPrefix", c.DomainPrefix, "abcdefghij"},
		{"stage", c.Stage, "$default"},
		{"body", e.Body, base64.StdEncoding.EncodeToString([]byte(binary))},
	} {
		equal(t, p[0], p[1], p[2])
	}
	equal(t, "isBase64Encoded", e.IsBase64Encoded, true)
	equal(t, "the answer's content type", resp.Header.Get("Content-Type"), "application/json")
	for key := range e.Headers {
		equal(t, "the case of "+key, key, strings.ToLower(key))
	}
}

func TestHTTPAPIStages(t *testing.T) {
	f := deploy(t, Options{})
	dev := open(t, HTTPAPI(f, &DoorOptions{Stage: "dev"}))
	resp, body := call(t, "GET", dev+"/dev/files/x", "")
	e := echoed[events.APIGatewayV2HTTPRequest](t, resp.StatusCode, body)
	equal(t, "rawPath", e.RawPath, "/dev/files/x")
	equal(t, "stage", e.RequestContext.Stage, "dev")
	for _, path := range []string{"/files/x", "/develop/files/x", "/"} {
		resp, body = call(t, "GET", dev+path, "")
		equal(t, "the status of "+path, resp.StatusCode, http.StatusNotFound)
		equal(t, "the body of "+path, body, `{"message":"Not Found"}`)
	}
	own := open(t, HTTPAPI(f, &DoorOptions{Stage: "dev", Domain: "uploads.example"}))
	resp, body = call(t, "GET", own+"/files/x", "")
	e = echoed[events.APIGatewayV2HTTPRequest](t, resp.StatusCode, body)
	equal(t, "rawPath at a custom domain", e.RawPath, "/dev/files/x")
	equal(t, "domainName at a custom domain", e.RequestContext.DomainName, "uploads.example")
}

func TestFunctionURLEvent(t *testing.T) {
	f := deploy(t, Options{})
	resp, body := call(t, "PATCH", open(t, FunctionURL(f, nil))+"/files/x?x=1", binary, headers...)
	e := echoed[events.APIGatewayV2HTTPRequest](t, resp.StatusCode, body) // its own Go type lacks stage and routeKey
	c := e.RequestContext
	for _, p := range [][3]string{
		{"rawPath", e.RawPath, "/files/x"},
		{"x-twice", e.Headers["x-twice"], "one,two"},
		{"forwarded", e.Headers["forwarded"], ""},
		{"method", c.HTTP.Method, "PATCH"},
		{"domainName", c.DomainName, "abcdefghij.lambda-url.us-east-1.on.aws"},
		{"accountId", c.AccountID, "anonymous"},
		{"body", e.Body, base64.StdEncoding.EncodeToString([]byte(binary))},
	} {
		equal(t, p[0], p[1], p[2])
	}
}

func TestRESTAPIEvent(t *testing.T) {
	f := deploy(t, Options{})
	door := open(t, RESTAPI(f, nil))
	resp, body := call(t, "PATCH", door+"/prod/files/x?x=1&x=2&y=a%20b", "plain", append(headers, "Connection", "close")...)
	e := echoed[events.APIGatewayProxyRequest](t, resp.StatusCode, body)
	c := e.RequestContext
	for _, p := range [][3]string{
		{"resource", e.Resource, "/{proxy+}"},
		{"path", e.Path, "/files/x"},
		{"proxy", e.PathParameters["proxy"], "files/x"},
		{"method", e.HTTPMethod, "PATCH"},
		{"x", e.QueryStringParameters["x"], "2"},
		{"all x", strings.Join(e.MultiValueQueryStringParameters["x"], "|"), "1|2"},
		{"y", e.QueryStringParameters["y"], "a b"},
		{"X-Twice", e.Headers["X-Twice"], "two"},
		{"all X-Twice", strings.Join(e.MultiValueHeaders["X-Twice"], "|"), "one|two"},
		{"Upload-Metadata", strings.Join(e.MultiValueHeaders["Upload-Metadata"], "|"), "a YQ==,b Yg=="},
		{"Cookie", e.Headers["Cookie"], "k=v; l=w"},
		{"Connection", e.Headers["Connection"], ""},
		{"requestContext.path", c.Path, "/prod/files/x"},
		{"stage", c.Stage, "prod"},
		{"domainName", c.DomainName, "abcdefghij.execute-api.us-east-1.amazonaws.com"},
		{"sourceIp", c.Identity.SourceIP, "127.0.0.1"},
		{"body", e.Body, base64.StdEncoding.EncodeToString([]byte("plain"))}, // with */* text is binary too
	} {
		equal(t, p[0], p[1], p[2])
	}
	equal(t, "isBase64Encoded", e.IsBase64Encoded, true)
	resp, body = call(t, "POST", door+"/prod/files/x", "", "X-HTTP-Method-Override", "DELETE")
	e = echoed[events.APIGatewayProxyRequest](t, resp.StatusCode, body)
	equal(t, "the overridden method", e.HTTPMethod, "DELETE")
	equal(t, "the header that overrode it", e.Headers["X-Http-Method-Override"], "")
	if !strings.Contains(body, `"body":null`) || !strings.Contains(body, `"queryStringParameters":null`) {
		t.Errorf("what is absent is not null: %s", body)
	}
	resp, _ = call(t, "GET", door+"/files/x", "")
	equal(t, "the status outside of the stage", resp.StatusCode, http.StatusForbidden)
	resp, _ = call(t, "GET", door+"/prod/ping", "")
	equal(t, "the content type of the health check", resp.Header.Get("Content-Type"), "application/json")
}

func TestALBEvent(t *testing.T) {
	f := deploy(t, Options{})
	resp, body := call(t, "PATCH", open(t, ALB(f, nil))+"/files/x?x=1&x=a%20b", binary, headers...)
	e := echoed[events.ALBTargetGroupRequest](t, resp.StatusCode, body)
	if !strings.HasPrefix(e.RequestContext.ELB.TargetGroupArn, "arn:aws:elasticloadbalancing:") {
		t.Errorf("no target group: %s", body)
	}
	for _, p := range [][3]string{
		{"path", e.Path, "/files/x"},
		{"x", e.QueryStringParameters["x"], "a%20b"},
		{"x-twice", e.Headers["x-twice"], "two"},
		{"cookie", e.Headers["cookie"], "k=v; l=w"},
		{"body", e.Body, base64.StdEncoding.EncodeToString([]byte(binary))},
	} {
		equal(t, p[0], p[1], p[2])
	}
	multi := open(t, ALB(f, &DoorOptions{MultiValue: true}))
	resp, body = call(t, "PATCH", multi+"/files/x?x=1&x=2", binary, headers...)
	// The echo answers with single headers, which a load balancer ignores here.
	equal(t, "the content type of an answer without multiValueHeaders", strings.HasPrefix(resp.Header.Get("Content-Type"), "text/plain"), true)
	e = echoed[events.ALBTargetGroupRequest](t, resp.StatusCode, body)
	equal(t, "all x", strings.Join(e.MultiValueQueryStringParameters["x"], "|"), "1|2")
	equal(t, "all x-twice", strings.Join(e.MultiValueHeaders["x-twice"], "|"), "one|two")
	equal(t, "headers", len(e.Headers), 0)
	// Query parameters are not decoded, so that this order is none.
	resp, _ = call(t, "GET", open(t, ALB(f, nil))+"/?do="+url.QueryEscape("exit:3"), "")
	equal(t, "the status of an order that is escaped", resp.StatusCode, http.StatusOK)
}

// A body is base64 unless its type says that it is text; one without a type is not text; an empty one is neither.
func TestBodiesInEvents(t *testing.T) {
	f := deploy(t, Options{})
	for name, door := range map[string]string{
		"http": open(t, HTTPAPI(f, nil)), "url": open(t, FunctionURL(f, nil)), "alb": open(t, ALB(f, nil)),
	} {
		for contentType, text := range map[string]bool{
			"": false, "application/octet-stream": false, "application/offset+octet-stream": false, "image/png": false,
			"text/plain": true, "TEXT/html; charset=utf-8": true, "application/json": true, "application/xml": true, "application/javascript": true,
			"application/problem+json": false,
		} {
			_, body := call(t, "POST", door+"/", "hello", "Content-Type", contentType)
			var e struct {
				Body            string
				IsBase64Encoded bool
			}
			if err := json.Unmarshal([]byte(body), &e); err != nil {
				t.Fatal(err, body)
			}
			want := "hello"
			if !text {
				want = "aGVsbG8="
			}
			if e.IsBase64Encoded == text || e.Body != want {
				t.Errorf("%s: %q travels as %q, base64 %v", name, contentType, e.Body, e.IsBase64Encoded)
			}
		}
		_, body := call(t, "POST", door+"/", "")
		if strings.Contains(body, `"isBase64Encoded":true`) {
			t.Errorf("%s: an empty body is base64", name)
		}
	}
	resp, body := call(t, "POST", open(t, HTTPAPI(f, nil))+"/", "")
	e := echoed[events.APIGatewayV2HTTPRequest](t, resp.StatusCode, body)
	equal(t, "the content type that an HTTP API adds to an empty request", e.Headers["content-type"], "application/octet-stream")
}

// The keys of our events are among those of the samples that come with AWS's own library.
func TestEventsHaveTheKeysOfTheSamples(t *testing.T) {
	dir := sampleDir(t)
	f := deploy(t, Options{})
	for file, door := range map[string]http.Handler{
		"apigw-v2-request-no-authorizer.json":         HTTPAPI(f, nil),
		"apigw-restapi-openapi-request.json":          RESTAPI(f, nil),
		"alb-lambda-target-request-headers-only.json": ALB(f, nil),
	} {
		sample, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		_, body := call(t, "GET", open(t, door)+"/prod/?key=hello", "")
		var want, got map[string]any
		if json.Unmarshal(sample, &want) != nil || json.Unmarshal([]byte(body), &got) != nil {
			t.Fatalf("%s: %s", file, body)
		}
		for key := range got {
			if _, ok := want[key]; !ok && key != "queryStringParameters" && key != "isBase64Encoded" {
				t.Errorf("%s has no %s", file, key)
			}
		}
	}
}

func sampleDir(t *testing.T) string {
	t.Helper()
	dir, err := moduleDir("github.com/aws/aws-lambda-go")
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "events", "testdata")
}

// A door that stands for a service's public name leads a client back to where it came from.
func TestLocation(t *testing.T) {
	f := deploy(t, Options{})
	door := open(t, HTTPAPI(f, nil))
	for location, want := range map[string]string{
		"https://abcdefghij.execute-api.us-east-1.amazonaws.com/files/x": door + "/files/x",
		"https://abcdefghij.execute-api.us-east-1.amazonaws.com.evil/x":  "https://abcdefghij.execute-api.us-east-1.amazonaws.com.evil/x",
		"https://other.example/files/x":                                  "https://other.example/files/x",
		"/files/x":                                                       "/files/x",
	} {
		answer := `raw:{"statusCode":201,"headers":{"Location":"` + location + `"}}`
		resp, _ := call(t, "GET", door+"/?do="+url.QueryEscape(answer), "")
		equal(t, "Location", resp.Header.Get("Location"), want)
	}
}

func TestTheFunctionStartsWithTheWholeBody(t *testing.T) {
	f := deploy(t, Options{})
	for name, door := range doors(f, 0) {
		addr := strings.TrimPrefix(open(t, door), "http://")
		c := dial(t, addr)
		fmt.Fprintf(c, "PATCH /prod/x HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf of it")
		time.Sleep(30 * time.Millisecond)
		if list := f.Instances(); len(list) > 0 {
			t.Errorf("%s: an instance was started for half a body", name)
		}
		c.Close()
	}
	time.Sleep(30 * time.Millisecond)
	if list := f.Instances(); len(list) > 0 {
		t.Error("an instance was started for a body that never came")
	}
}
