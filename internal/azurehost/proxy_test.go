package azurehost

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestWhatTheHandlerSees(t *testing.T) {
	a, srv := deploy(t, Options{})
	host := strings.TrimPrefix(srv.URL, "http://")
	status, h, s := ask(t, "PATCH", srv.URL+"/files//x%2Fy/../z?a=b%20c", strings.NewReader("body"),
		"Forwarded", "host=evil.example", "X-Forwarded-Host", "evil.example", "X-Forwarded-Proto", "https", "X-Forwarded-Prefix", "/evil",
		"X-Azure-Functions-InvocationId", "mine", "X-Mine", "1", "Te", "trailers", "Upload-Offset", "0")
	if status != 200 || h.Get("Server") != "Kestrel" {
		t.Fatal(status, h)
	}
	if s.URI != "/files//z?a=b%20c" || s.BodyLength != 4 || s.Chunked || s.Header.Get("Content-Length") != "4" {
		t.Errorf("%+v", s)
	}
	if s.Host == host || !strings.HasPrefix(s.Host, "127.0.0.1:") {
		t.Errorf("Host %s, which YARP replaces by the worker's", s.Host)
	}
	for name, want := range map[string]string{
		"X-Forwarded-Host": host, "X-Forwarded-Proto": "http", "X-Forwarded-For": "127.0.0.1", "Disguised-Host": host,
		"Forwarded": "", "X-Forwarded-Prefix": "", "Te": "", "X-Mine": "1", "Upload-Offset": "0", "X-Original-Url": "/files//x%2Fy/../z?a=b%20c",
		"X-Azure-Functions-Hostversion": hostVersion,
	} {
		if got := strings.Join(s.Header.Values(name), ","); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if id := s.Header.Get("X-Azure-Functions-Invocationid"); id == "mine" || id == "" {
		t.Errorf("invocation %q", id)
	}
	secure := httptest.NewTLSServer(a)
	defer secure.Close()
	resp, err := secure.Client().Get(secure.URL + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, err := io.ReadAll(resp.Body); err != nil || !strings.Contains(string(b), `"X-Forwarded-Proto":["https"]`) {
		t.Errorf("over TLS: %s, %v", b, err)
	}
}

func TestBodies(t *testing.T) {
	long := strings.Repeat("x", 1001)
	limited := Options{Env: []string{maxBodyVariable + "=1000"}}
	forwarding := []string{"host.json", strings.Replace(hostJSON, "enableProxying", "enableForwarding", 1)}
	for _, tt := range []struct {
		name          string
		opt           Options
		files         []string
		body          io.Reader
		status        int
		length        int
		chunked       bool
		contentLength string
	}{
		{"none", Options{}, nil, nil, 200, 0, false, "0"}, // HttpClient says so for methods that want a body
		{"of a known length", Options{}, nil, strings.NewReader(long), 200, 1001, false, "1001"},
		{"in chunks", Options{}, nil, unmeasured(long), 200, 1001, true, ""},
		{"in chunks that get lost", Options{DropChunked: true}, nil, unmeasured(long), 200, 0, false, ""},
		{"too large", limited, nil, strings.NewReader(long), 413, 0, false, ""},
		{"in too many chunks", limited, nil, unmeasured(long), 413, 0, false, ""},
		{"as large as may be", limited, nil, strings.NewReader(long[1:]), 200, 1000, false, "1000"},
		{"forwarded", Options{}, forwarding, strings.NewReader(long), 200, 1001, false, "1001"},
		{"forwarded in chunks", Options{}, forwarding, unmeasured(long), 500, 0, false, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, srv := deploy(t, tt.opt, tt.files...)
			status, _, s := ask(t, "PATCH", srv.URL, tt.body)
			if status != tt.status || s.BodyLength != tt.length || s.Chunked != tt.chunked || s.Header.Get("Content-Length") != tt.contentLength {
				t.Errorf("%d: %d bytes, chunked %v, Content-Length %q", status, s.BodyLength, s.Chunked, s.Header.Get("Content-Length"))
			}
		})
	}
}

func TestBodiesAndAnswersStream(t *testing.T) {
	_, srv := deploy(t, Options{})
	c, err := net.Dial("tcp", strings.TrimPrefix(srv.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	// One byte must have come through before the second is sent.
	if _, err := io.WriteString(c, "POST /?do=echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n"); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 1) // closing the body would wait for its end, which never comes
	if _, err := io.ReadFull(resp.Body, b); err != nil || b[0] != 'a' {
		t.Fatalf("%q, %v", b, err)
	}
}

func TestARefusedBodyIsNotSent(t *testing.T) {
	_, srv := deploy(t, Options{})
	for do, want := range map[string]int{"refuse": 409, "": 100} {
		c, err := net.Dial("tcp", strings.TrimPrefix(srv.URL, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(c, "PATCH /?do="+do+" HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil || resp.StatusCode != want {
			t.Errorf("%q: %v, %v, want %d", do, resp, err, want)
		}
		c.Close()
	}
}

func TestKestrelsLimits(t *testing.T) {
	_, srv := deploy(t, Options{})
	for _, tt := range []struct {
		url, header string
		want        int
	}{
		{"/" + strings.Repeat("x", 8<<10), "", 414},
		{"/" + strings.Repeat("x", 8000), strings.Repeat("x", 32000), 200},
		{"/", strings.Repeat("x", 32<<10), 431},
	} {
		if status, _, _ := ask(t, "GET", srv.URL+tt.url, nil, "X-Long", tt.header); status != tt.want {
			t.Errorf("%d, want %d", status, tt.want)
		}
	}
}

func TestCORSOnConsumptionPlans(t *testing.T) {
	const ours, theirs = "https://app.example", "https://evil.example"
	for _, tt := range []struct {
		name      string
		opt       Options
		origin    string
		preflight bool // reaches the handler
		allowed   string
		answer    string // Access-Control-Allow-Origin of an answer by the handler, which says mine
	}{
		{"another plan", Options{}, ours, true, "", "https://mine.example"},
		{"no origins", Options{Consumption: true}, ours, false, "", "https://mine.example"},
		{"an allowed one", Options{Consumption: true, AllowedOrigins: []string{ours}}, ours, false, ours, ours},
		{"another", Options{Consumption: true, AllowedOrigins: []string{ours}}, theirs, false, "", "https://mine.example"},
		{"all", Options{Consumption: true, AllowedOrigins: []string{"*"}}, theirs, false, "*", "*"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, srv := deploy(t, tt.opt)
			status, h, s := ask(t, "OPTIONS", srv.URL, nil, "Origin", tt.origin, "Access-Control-Request-Method", "PATCH",
				"Access-Control-Request-Headers", "upload-offset")
			if reached := s.Method != ""; reached != tt.preflight || !reached && status != 204 {
				t.Errorf("the preflight: %d, reached the handler: %v", status, reached)
			}
			if got := h.Get("Access-Control-Allow-Origin"); got != tt.allowed {
				t.Errorf("allowed %q, want %q", got, tt.allowed)
			}
			if tt.allowed != "" && (h.Get("Access-Control-Allow-Methods") != "PATCH" || h.Get("Access-Control-Allow-Headers") != "upload-offset") {
				t.Errorf("%v", h)
			}
			_, h, _ = ask(t, "GET", srv.URL+"/?do=mine", nil, "Origin", tt.origin)
			if got := h.Values("Access-Control-Allow-Origin"); len(got) != 1 || got[0] != tt.answer || h.Get("Access-Control-Expose-Headers") != "Location" {
				t.Errorf("the answer: %v, want %q", h, tt.answer)
			}
			if status, _, s := ask(t, "OPTIONS", srv.URL, nil); status != 200 || s.Method != "OPTIONS" {
				t.Errorf("without an Origin: %d", status)
			}
		})
	}
}
