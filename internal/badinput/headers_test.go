package badinput

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// A bomb is a request as it goes over the wire.
type bomb struct {
	name     string
	env      []string
	send     func(s *server, w io.Writer) error
	statuses []int  // 0: the connection ends without an answer
	says     string // in the body
}

const (
	tooManyHeaders = http.StatusRequestHeaderFieldsTooLarge
	mib            = 1 << 20
)

// head begins a request with whole lines of headers.
func head(method, path string, lines ...string) string {
	return method + " " + path + " HTTP/1.1\r\nHost: x\r\nTus-Resumable: 1.0.0\r\nConnection: close\r\n" + strings.Join(append(lines, "\r\n"), "\r\n")
}

// text sends the same to everybody.
func text(parts ...string) func(*server, io.Writer) error {
	return func(_ *server, w io.Writer) error {
		for _, p := range parts {
			if _, err := io.WriteString(w, p); err != nil {
				return err
			}
		}
		return nil
	}
}

func numbered(n int, format string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

func bombs() []bomb {
	post := func(lines ...string) func(*server, io.Writer) error { return text(head("POST", "/files/", lines...)) }
	finals := func(n int) string { return "Upload-Concat: final;" + numbered(n, " /files/abcdefghijklmnop%08d") }
	return []bomb{
		{name: "one header of 1 MiB", send: post("Upload-Length: 1", "X-Large: "+strings.Repeat("x", mib)), statuses: []int{tooManyHeaders, 0}},
		{name: "a header's name of 1 MiB", send: post("Upload-Length: 1", strings.Repeat("x", mib)+": 1"), statuses: []int{tooManyHeaders, 0}},
		{name: "10,000 headers", send: post("Upload-Length: 1", numbered(10_000, "X-%08d: yyyyyyyyyyyyyyyyyyyyyyyyy\r\n")+"X: y"), statuses: []int{tooManyHeaders, 0}},
		{name: "10,000 headers that are short", env: []string{"FILELOFT_ENABLE_CONCATENATION=no"}, send: post("Upload-Length: 1", numbered(10_000, "a%d:\r\n")+"X: y"), statuses: []int{tooManyHeaders, 0}},
		{name: "metadata of 1 MiB", send: post("Upload-Length: 1", "Upload-Metadata: a "+strings.Repeat("YWFh", mib/4)), statuses: []int{tooManyHeaders, 0}},
		{
			name: "metadata of 1 MiB where headers may be as large", env: []string{"FILELOFT_MAX_METADATA=512KiB", "FILELOFT_MAX_PARTS=10000"},
			send:     post("Upload-Length: 1", "Upload-Metadata: a "+strings.Repeat("YWFh", mib/4)),
			statuses: []int{http.StatusBadRequest}, says: "invalid-metadata: Upload-Metadata is larger",
		},
		{
			name: "100,000 pairs", env: []string{"FILELOFT_MAX_METADATA=512KiB", "FILELOFT_MAX_PARTS=10000"},
			send:     post("Upload-Length: 1", "Upload-Metadata: "+strings.TrimSuffix(numbered(100_000, "k%d,"), ",")),
			statuses: []int{http.StatusBadRequest}, says: "invalid-metadata: Upload-Metadata is larger",
		},
		{
			name: "70,000 pairs, which are allowed", env: []string{"FILELOFT_MAX_METADATA=512KiB"},
			send:     post("Upload-Length: 1", "Upload-Metadata: "+strings.TrimSuffix(numbered(70_000, "k%d,"), ",")),
			statuses: []int{http.StatusCreated},
		},
		{name: "a final upload of 10,000 parts", send: post(finals(10_000)), statuses: []int{tooManyHeaders, 0}},
		{
			name: "a final upload of 2,000 parts", send: post(finals(2000)),
			statuses: []int{http.StatusBadRequest}, says: "invalid-concat: ",
		},
		{
			name: "a final upload of 10,000 parts that may be as many", env: []string{"FILELOFT_MAX_PARTS=10000"},
			send: post(finals(10_000)), statuses: []int{http.StatusNotFound}, says: "not-found: a partial upload in Upload-Concat does not exist",
		},
		{name: "a deep path", send: text(head("HEAD", "/files"+strings.Repeat("/a", 7000))), statuses: []int{http.StatusBadRequest}},
		{name: "a path of dots", send: text(head("HEAD", "/files"+strings.Repeat("/..", 3000))), statuses: []int{http.StatusBadRequest}},
		{name: "a path of 1 MiB", send: text(head("HEAD", "/files/"+strings.Repeat("a", mib))), statuses: []int{tooManyHeaders, http.StatusRequestURITooLong, 0}},
		{name: "an upload's name of 10,000 letters", send: text(head("HEAD", "/files/"+strings.Repeat("a", 10_000))), statuses: []int{http.StatusBadRequest}},
		{name: "a query of 1 MiB", send: text(head("HEAD", "/files/x?"+strings.Repeat("a=b&", mib/4))), statuses: []int{tooManyHeaders, 0}},
		{name: "a query of 10,000 letters", send: text(head("HEAD", "/files/abcdefghijklmnopqrstuvwx?"+strings.Repeat("a=b&", 2500))), statuses: []int{http.StatusNotFound}},
		{name: "a method of 64 KiB, within the limits", env: []string{"FILELOFT_MAX_METADATA=512KiB"}, send: text(head(strings.Repeat("M", 64<<10), "/files/")), statuses: []int{http.StatusMethodNotAllowed}},
		{name: "a method of 1 MiB", send: text(head(strings.Repeat("M", mib), "/files/")), statuses: []int{http.StatusBadRequest, tooManyHeaders, 0}},
		{name: "an override of the method of 10,000 letters", send: text(head("POST", "/files/", "X-HTTP-Method-Override: "+strings.Repeat("M", 10_000))), statuses: []int{http.StatusMethodNotAllowed}},
		{name: "an origin of 10,000 letters", send: text(head("OPTIONS", "/files/", "Origin: https://"+strings.Repeat("x", 10_000))), statuses: []int{http.StatusNoContent}},
		{name: "a host of 10,000 letters", send: text("POST /files/ HTTP/1.1\r\nHost: " + strings.Repeat("x", 10_000) + "\r\nTus-Resumable: 1.0.0\r\nUpload-Length: 1\r\nConnection: close\r\n\r\n"), statuses: []int{http.StatusCreated}},
		{name: "no HTTP at all", send: text(strings.Repeat("\x16\x03\x01\x02\x00", 1000) + "\n"), statuses: []int{http.StatusBadRequest, 0}},
		{name: "two lengths of the body", send: post("Upload-Length: 1", "Content-Length: 1", "Content-Length: 2"), statuses: []int{http.StatusBadRequest}},
		{name: "a length of the body and chunks", send: post("Upload-Length: 1", "Content-Length: 100", "Transfer-Encoding: chunked", "", "0"), statuses: []int{http.StatusCreated, http.StatusBadRequest}},
	}
}

// A blast sends a request and returns the answer. A server that has had enough hangs up, and what it said is then lost or not.
func (s *server) blast(b bomb) (answer, error) {
	conn, err := net.Dial("tcp", s.addr)
	if err != nil {
		return answer{}, err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	sent := make(chan error, 1)
	go func() { sent <- b.send(s, conn) }()
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: "GET"})
	if err != nil {
		if ne, ok := err.(net.Error); ok && ne.Timeout() {
			return answer{}, err
		}
		return answer{}, nil // it hung up
	}
	body, _ := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	_ = conn.Close()
	<-sent
	return answer{resp.StatusCode, resp.Header, string(body)}, nil
}

// bombRoom is what the largest of these may add to memory, in MiB, beside what the garbage collector has not yet come to: the headers that are
// allowed at most, 0.5 MiB of metadata and 2.5 MiB of URLs, as bytes, as strings, and as a map, and the record that is made of them.
const bombRoom = 128

func TestHeaderBombs(t *testing.T) {
	notShort(t)
	t.Parallel()
	servers := map[string]*server{} // by settings
	before := map[*server]int{}
	for _, b := range bombs() {
		key := strings.Join(b.env, " ")
		s := servers[key]
		if s == nil {
			s = serve(t, setup{env: b.env})
			s.unharmed()
			servers[key], before[s] = s, s.peak()
		}
		t.Run(b.name, func(t *testing.T) {
			a, err := s.blast(b)
			if err != nil {
				t.Fatal(err)
			}
			if says(t, a, "", b.statuses...); !strings.HasPrefix(a.body, b.says) {
				t.Errorf("%.200v, want %q", a, b.says)
			}
			s.lives()
		})
	}
	for _, s := range servers {
		s.unharmed()
		if grown := s.peak() - before[s]; grown > bombRoom {
			t.Errorf("memory went up by %d MiB", grown)
		} else {
			t.Logf("memory went up by %d MiB", grown)
		}
	}
}
