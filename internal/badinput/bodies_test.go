package badinput

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Bodies that cost a server more than their sender, and bodies that are not what they say. What counts of them is the beginning of what was sent,
// and the upload goes on.
func TestBodyBombs(t *testing.T) {
	notShort(t)
	t.Parallel()
	s := serve(t, setup{env: []string{"FILELOFT_MAX_SIZE=64MiB"}})
	s.unharmed()
	before := s.peak()
	data := random(100_000)
	chunk := func(b []byte, extension string) string { return fmt.Sprintf("%x%s\r\n%s\r\n", len(b), extension, b) }
	var tiny, extended strings.Builder
	for i := range data {
		tiny.WriteString(chunk(data[i:i+1], ""))
		extended.WriteString(chunk(data[i:i+1], ";x="+strings.Repeat("y", 1000)))
	}
	long := strings.Repeat("z", mib)
	chunked := []string{"Transfer-Encoding: chunked"}
	for _, tt := range []struct {
		name     string
		lines    []string
		body     string
		statuses []int
		says     string
		all      bool // of the data is taken
	}{
		{name: "100,000 chunks of a byte", lines: chunked, body: tiny.String() + "0\r\n\r\n", statuses: []int{http.StatusNoContent}, all: true},
		{name: "chunk extensions of 1,000 bytes a byte", lines: chunked, body: extended.String() + "0\r\n\r\n", statuses: []int{400}, says: "unreadable-body"},
		{name: "a chunk extension of 1 MiB", lines: chunked, body: "10;" + long, statuses: []int{400}, says: "unreadable-body"},
		{name: "a chunk's length of 1 MiB of zeros", lines: chunked, body: strings.Repeat("0", mib), statuses: []int{400}, says: "unreadable-body"},
		{name: "a chunk of 2^64 bytes", lines: chunked, body: "10000000000000000\r\n" + long, statuses: []int{400}, says: "unreadable-body"},
		{name: "a chunk of a negative length", lines: chunked, body: "-5\r\nhello\r\n", statuses: []int{400}, says: "unreadable-body"},
		{
			name: "a trailer of 1 MiB", lines: append([]string{"Trailer: Upload-Checksum"}, chunked...),
			body: chunk(data, "") + "0\r\nUpload-Checksum: " + long + "\r\n\r\n", statuses: []int{400},
		},
		{
			name: "100,000 trailers", lines: append([]string{"Trailer: Upload-Checksum"}, chunked...),
			body: chunk(data, "") + "0\r\n" + numbered(100_000, "X-%d: y\r\n") + "\r\n", statuses: []int{400},
		},
		{
			name: "a trailer of 1 MiB that nobody has announced", lines: chunked,
			body: chunk(data, "") + "0\r\nX-Long: " + long + "\r\n\r\n", statuses: []int{400, http.StatusNoContent},
		},
		{name: "more than the upload takes", lines: chunked, body: chunk(data, "") + chunk(data, "") + "0\r\n\r\n", statuses: []int{413}, says: "too-large"},
		{name: "more than the upload takes, as it says itself", lines: []string{"Content-Length: 9223372036854775807"}, body: long, statuses: []int{413}, says: "too-large"},
		{name: "a length that is no number", lines: []string{"Content-Length: 1e3"}, body: long, statuses: []int{400}},
		{name: "a coding that nobody knows", lines: []string{"Transfer-Encoding: gzip, chunked"}, body: long, statuses: []int{http.StatusNotImplemented, 400}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			at := s.create(int64(len(data)))
			lines := append([]string{"Upload-Offset: 0", "Content-Type: " + octets}, tt.lines...)
			a, err := s.blast(bomb{send: text(head("PATCH", at, lines...), tt.body)})
			if err != nil {
				t.Fatal(err)
			}
			says(t, a, tt.says, tt.statuses...)
			if off := s.offset(at); tt.all && off != int64(len(data)) {
				t.Errorf("offset %d", off)
			} else if off < int64(len(data)) {
				s.resume(at, data)
			}
			s.holds(at, data)
			s.lives()
		})
	}
	s.unharmed()
	t.Logf("memory went up by %d MiB", s.peak()-before)
	if s.peak()-before > bombRoom {
		t.Errorf("memory went up by %d MiB", s.peak()-before)
	}
}

// 64 MiB of zeros that travel as 64 KiB are 64 KiB here: a content coding belongs to the content, and nobody takes it off.
func TestNothingIsInflated(t *testing.T) {
	notShort(t)
	t.Parallel()
	s := serve(t, setup{})
	before := s.peak()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = io.CopyN(z, zeros{}, 64<<20)
	_ = z.Close()
	at := s.create(int64(b.Len()))
	a := s.do(http.MethodPatch, at, bytes.NewReader(b.Bytes()), "Upload-Offset", "0", "Content-Type", octets, "Content-Encoding", "gzip")
	if a.status != http.StatusNoContent || a.header.Get("Upload-Offset") != strconv.Itoa(b.Len()) {
		t.Errorf("%v, offset %s, want %d", a, a.header.Get("Upload-Offset"), b.Len())
	}
	s.holds(at, b.Bytes())
	if grown := s.peak() - before; grown > 32 {
		t.Errorf("memory went up by %d MiB", grown)
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// What floods there are in HTTP/2 is net/http's to stop. This looks that it does, with our settings, and that the server lives.
func TestFloodsOfHTTP2(t *testing.T) {
	notShort(t)
	t.Parallel()
	s := serve(t, setup{env: []string{"FILELOFT_ENABLE_H2C=true", "FILELOFT_LOG_LEVEL=warn"}})
	s.unharmed()
	before := s.peak()
	const (
		headers, reset, settings, ping, continuation = 1, 3, 4, 6, 9
		endStream, endHeaders                        = 1, 4
	)
	get := append([]byte{0x82, 0x86, 0x84, 0x41, 1}, 'x') // GET http://x/
	for _, tt := range []struct {
		name  string
		frame func(i uint32) []byte
	}{
		{"rapid reset", func(i uint32) []byte {
			return append(frame(headers, endStream|endHeaders, 2*i+1, get), frame(reset, 0, 2*i+1, []byte{0, 0, 0, 8})...)
		}},
		{"continuations without an end", func(i uint32) []byte {
			if i == 0 {
				return frame(headers, endStream, 1, get)
			}
			return frame(continuation, 0, 1, bytes.Repeat([]byte{0x00, 1, 'a', 1, 'b'}, 3000)) // literals that are not indexed
		}},
		{"settings", func(uint32) []byte { return frame(settings, 0, 0, nil) }},
		{"pings", func(uint32) []byte { return frame(ping, 0, 0, make([]byte, 8)) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			conn, err := net.Dial("tcp", s.addr)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(patience))
			go func() { _, _ = io.Copy(io.Discard, conn) }()
			_, _ = io.WriteString(conn, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
			_, _ = conn.Write(frame(settings, 0, 0, nil))
			n := uint32(0)
			for ; n < 50_000 && err == nil; n++ {
				_, err = conn.Write(tt.frame(n))
			}
			if ne, ok := err.(net.Error); ok && ne.Timeout() {
				t.Error("the server neither takes it nor hangs up")
			}
			t.Logf("%d frames, then %v", n, err)
			s.unharmed()
		})
	}
	t.Logf("memory went up by %d MiB", s.peak()-before)
	if s.peak()-before > bombRoom {
		t.Errorf("memory went up by %d MiB", s.peak()-before)
	}
}

// frame makes a frame of HTTP/2 (RFC 9113, 4.1).
func frame(kind, flags byte, stream uint32, payload []byte) []byte {
	b := []byte{byte(len(payload) >> 16), byte(len(payload) >> 8), byte(len(payload)), kind, flags}
	return append(binary.BigEndian.AppendUint32(b, stream), payload...)
}
