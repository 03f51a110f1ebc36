package lambdagate

import (
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// doors are all services; those with a timeout of their own have this one, or by 0 their default.
func doors(f *Function, timeout time.Duration) map[string]http.Handler {
	return map[string]http.Handler{
		"HTTP API": HTTPAPI(f, &DoorOptions{Stage: "prod", Timeout: timeout}), "REST API": RESTAPI(f, &DoorOptions{Timeout: timeout}),
		"Function URL": FunctionURL(f, nil), "ALB": ALB(f, nil),
	}
}

// opened serves all doors.
func opened(t *testing.T, f *Function, timeout time.Duration) map[string]string {
	t.Helper()
	urls := map[string]string{}
	for name, door := range doors(f, timeout) {
		urls[name] = open(t, door) + "/prod/x"
	}
	return urls
}

func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func moduleDir(module string) (string, error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	return strings.TrimSpace(string(out)), err
}

// What a client is told where the function does not answer.
func TestFailures(t *testing.T) {
	f := deploy(t, Options{MaxInstances: 1})
	urls := opened(t, f, 0)
	const malformed = "raw:[1,2"
	for _, c := range []struct {
		door, do string
		status   int
		body     string
	}{
		{"HTTP API", "exit:3", 500, `{"message":"Internal Server Error"}`},
		{"HTTP API", "error", 500, `{"message":"Internal Server Error"}`},
		{"HTTP API", malformed, 500, `{"message":"Internal Server Error"}`},
		{"HTTP API", `raw:{"statusCode":200,"body":"*","isBase64Encoded":true}`, 500, `{"message":"Internal Server Error"}`},
		{"HTTP API", "bytes:6291600", 500, `{"message":"Internal Server Error"}`},
		{"HTTP API", `raw:{"a":1}`, 200, `{"a":1}`},
		{"REST API", "exit:3", 502, `{"message": "Internal server error"}`},
		{"REST API", "error", 502, `{"message": "Internal server error"}`},
		{"REST API", malformed, 502, `{"message": "Internal server error"}`},
		{"REST API", `raw:{"a":1}`, 502, `{"message": "Internal server error"}`},
		{"REST API", `raw:{"statusCode":200,"extra":1}`, 502, `{"message": "Internal server error"}`},
		{"REST API", `raw:{"statusCode":"200"}`, 502, `{"message": "Internal server error"}`},
		{"REST API", "bytes:6291600", 502, `{"message": "Internal server error"}`},
		{"Function URL", "exit:3", 502, "Internal Server Error"},
		{"Function URL", "error", 502, "Internal Server Error"},
		{"Function URL", malformed, 502, "Internal Server Error"},
		{"Function URL", "bytes:6291600", 502, "Internal Server Error"},
		{"ALB", "exit:3", 502, "502 Bad Gateway"},
		{"ALB", "error", 502, "502 Bad Gateway"},
		{"ALB", malformed, 502, "502 Bad Gateway"},
		{"ALB", "bytes:1048600", 502, "502 Bad Gateway"}, // its own limit for answers
	} {
		do := url.QueryEscape(c.do)
		if c.door == "ALB" { // it does not decode
			do = c.do
		}
		resp, body := call(t, "GET", urls[c.door]+"?do="+do, "")
		if resp.StatusCode != c.status || !strings.Contains(body, c.body) {
			t.Errorf("%s, %s: %d %.200s, want %d %s", c.door, c.do, resp.StatusCode, body, c.status, c.body)
		}
		eventually(t, "the instance's end or sleep", func() bool { return !busy(f) })
	}
}

func busy(f *Function) bool {
	list := f.Instances()
	return len(list) > 0 && list[0].Busy
}

// Patience and concurrency end in different words at each door.
func TestTimeoutsAndThrottling(t *testing.T) {
	f := deploy(t, Options{MaxInstances: 1, Timeout: 2500 * time.Millisecond})
	urls := opened(t, f, 700*time.Millisecond)
	for door, want := range map[string]struct {
		slow, throttled      int
		slowBody, throttled2 string
	}{
		"HTTP API":     {503, 503, `{"message":"Service Unavailable"}`, `{"message":"Service Unavailable"}`},
		"REST API":     {504, 500, `{"message": "Endpoint request timed out"}`, `{"message": "Internal server error"}`},
		"Function URL": {502, 429, "Internal Server Error", "Rate Exceeded."}, // no patience of its own: the function's timeout
		"ALB":          {502, 502, "502 Bad Gateway", "502 Bad Gateway"},
	} {
		begin := time.Now()
		done := make(chan struct{})
		go func() {
			defer close(done)
			resp, body := call(t, "GET", urls[door]+"?do=sleep:60000", "")
			if resp.StatusCode != want.slow || !strings.Contains(body, want.slowBody) {
				t.Errorf("%s, slow: %d %s, want %d %s", door, resp.StatusCode, body, want.slow, want.slowBody)
			}
		}()
		eventually(t, "work", func() bool { return busy(f) })
		resp, body := call(t, "GET", urls[door], "")
		if resp.StatusCode != want.throttled || !strings.Contains(body, want.throttled2) {
			t.Errorf("%s, throttled: %d %s, want %d %s", door, resp.StatusCode, body, want.throttled, want.throttled2)
		}
		<-done
		gateway := want.slow == 503 || want.slow == 504
		if took := time.Since(begin); gateway && took > 2400*time.Millisecond || !gateway && took < 2500*time.Millisecond {
			t.Errorf("%s: answered after %v", door, took)
		}
		if gateway && !busy(f) {
			t.Errorf("%s: the function does not go on when its gateway has given up", door)
		}
		eventually(t, "the function's own timeout", func() bool { return !busy(f) })
	}
}

// Each door lets through what it may and refuses more, with the answer of its service.
func TestSizes(t *testing.T) {
	f := deploy(t, Options{})
	urls := opened(t, f, 0)
	for _, c := range []struct {
		door         string
		body, header int
		status       int
	}{
		{"HTTP API", 4 << 20, 0, 200},
		{"HTTP API", 4_718_592, 0, 413}, // 4.5 MiB are 6,291,456 bytes of base64 alone
		{"HTTP API", 10<<20 + 1, 0, 413},
		{"HTTP API", 0, 9_900, 200},
		{"HTTP API", 0, 10_240, 431},
		{"REST API", 4 << 20, 0, 200},
		{"REST API", 4_718_592, 0, 413},
		{"REST API", 10<<20 + 1, 0, 413},
		{"REST API", 0, 9_900, 200},
		{"REST API", 0, 10_240, 431},
		{"Function URL", 4 << 20, 0, 200},
		{"Function URL", 4_718_592, 0, 413},
		{"Function URL", 7 << 20, 0, 413},
		{"Function URL", 0, 20_000, 200},
		{"ALB", 700_000, 0, 200},
		{"ALB", 1<<20 + 1, 0, 413},
		{"ALB", 0, 16_000, 200},
		{"ALB", 0, 17_000, 413},
	} {
		resp, body := call(t, "POST", urls[c.door]+"?do=bytes:5", strings.Repeat("\x00", c.body), "X-Large", strings.Repeat("h", c.header))
		if resp.StatusCode != c.status {
			t.Errorf("%s, a body of %d and a header of %d: %d %.200s, want %d", c.door, c.body, c.header, resp.StatusCode, body, c.status)
		}
	}
}

// What a function says of headers reaches the client as each service lets it.
func TestAnswers(t *testing.T) {
	f := deploy(t, Options{})
	urls := opened(t, f, 0)
	const two = `raw:{"statusCode":201,"headers":{"X-A":"1","Connection":"close"},"cookies":["a=1","b=2"],"body":"AP8=","isBase64Encoded":true}`
	const one = `raw:{"statusCode":201,"headers":{"X-A":"1","Date":"never"},"multiValueHeaders":{"Set-Cookie":["a=1","b=2"],"X-A":["1"]},"body":"AP8=","isBase64Encoded":true}`
	for door, do := range map[string]string{"HTTP API": two, "Function URL": two, "REST API": one} {
		resp, body := call(t, "GET", urls[door]+"?do="+url.QueryEscape(do), "")
		equal(t, door+"'s status", resp.StatusCode, 201)
		equal(t, door+"'s body", body, "\x00\xff")
		equal(t, door+"'s cookies", strings.Join(resp.Header.Values("Set-Cookie"), "|"), "a=1|b=2")
		equal(t, door+"'s X-A", strings.Join(resp.Header.Values("X-A"), "|"), "1")
		equal(t, door+"'s Connection", resp.Header.Get("Connection"), "")
	}
	resp, _ := call(t, "GET", urls["REST API"]+"?do="+url.QueryEscape(one), "")
	equal(t, "the remapped Date", resp.Header.Get("X-Amzn-Remapped-Date"), "never")
	equal(t, "REST API's content type", resp.Header.Get("Content-Type"), "application/json")
	resp, body := call(t, "HEAD", urls["Function URL"]+"?do="+url.QueryEscape(`raw:{"statusCode":200,"headers":{"Content-Length":"77"}}`), "")
	equal(t, "the length that HEAD tells", resp.Header.Get("Content-Length"), "77")
	equal(t, "HEAD's body", body, "")
}
