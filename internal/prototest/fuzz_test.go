package prototest

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fileloft/fileloft/state/memstate"
	"github.com/fileloft/fileloft/storage/memstore"
	"github.com/fileloft/fileloft/tus"
)

// fuzzed is the id of the upload that fuzzed requests find.
const fuzzed tus.ID = "fuzzed-upload"

// A fuzzServer is a handler without a network, with one upload of 10 bytes of which 5 are there, and one finished part.
type fuzzServer struct {
	h     *tus.Handler
	state *memstate.Store
	store *memstore.Store
}

func newFuzzServer(t testing.TB) *fuzzServer {
	next := []tus.ID{fuzzed, "fuzzed-part"}
	s := &fuzzServer{state: memstate.New(nil), store: memstore.New(nil)}
	h, err := tus.NewHandler(s.state, s.store, &tus.Options{
		EnableConcatenation: true, EnableDownload: true, EnableExpiration: true, MaxSize: 1 << 30, Log: logger(), LockTimeout: time.Second,
		Hooks: tus.Hooks{PreCreate: func(_ context.Context, c *tus.Creation) error {
			if len(next) > 0 {
				c.ID, next = next[0], next[1:]
			}
			return nil
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	s.h = h
	s.ask(t, "POST", "/files/", "hello", "Upload-Length", "10", "Content-Type", octets)
	s.ask(t, "POST", "/files/", "part", "Upload-Length", "4", "Content-Type", octets, "Upload-Concat", "partial")
	return s
}

// ask sends a request straight into the handler; its headers are sent as they are, even if no client could.
func (s *fuzzServer) ask(t testing.TB, method, path, body string, headers ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Tus-Resumable", "1.0.0")
	for i := 0; i < len(headers); i += 2 {
		r.Header[http.CanonicalHeaderKey(headers[i])] = []string{headers[i+1]}
	}
	return s.serve(t, r)
}

// serve hands a request to the handler and checks what must hold whatever it was. A panic shows as a 500.
func (s *fuzzServer) serve(t testing.TB, r *http.Request) *http.Response {
	t.Helper()
	before, was := s.state.Load(t.Context(), fuzzed)
	w := httptest.NewRecorder()
	s.h.ServeHTTP(w, r)
	resp := w.Result()
	if resp.StatusCode >= 500 {
		t.Errorf("%s %s: %d %s", r.Method, r.URL, resp.StatusCode, w.Body)
	}
	for k, vs := range resp.Header {
		for _, v := range vs {
			if strings.ContainsAny(v, "\r\n\x00") {
				t.Errorf("%s %s: header %s: %q", r.Method, r.URL, k, v)
			}
		}
	}
	after, is := s.state.Load(t.Context(), fuzzed)
	switch {
	case was != nil || (is != nil && r.Method == http.MethodDelete), is != nil && r.Header.Get("X-Http-Method-Override") != "":
	case is != nil:
		t.Errorf("%s %s: the upload is gone: %v", r.Method, r.URL, is)
	case after.Offset < before.Offset || after.Phase < before.Phase:
		t.Errorf("%s %s: from offset %d, %v back to %d, %v", r.Method, r.URL, before.Offset, before.Phase, after.Offset, after.Phase)
	}
	if v := s.store.Violations(); len(v) > 0 {
		t.Errorf("the storage was misused: %q", v)
	}
	return resp
}

func FuzzUploadMetadata(f *testing.F) {
	for _, s := range []string{"", "filename d29ybGQ=", "a YQ==,b", "a,a", ",", "a !", " a\tYQ==", "a YQ==\r\nX: y", "ä", "a  YQ==", "a YQ== ", strings.Repeat("a", 9000)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, metadata string) {
		s := newFuzzServer(t)
		resp := s.ask(t, "POST", "/files/", "", "Upload-Length", "5", "Upload-Metadata", metadata)
		_, err := tus.ParseMetadata(metadata)
		switch resp.StatusCode {
		case 400:
			if err == nil && len(metadata) <= 8<<10 {
				t.Errorf("%q is well-formed, and refused", metadata)
			}
		case 201:
			if err != nil {
				t.Errorf("%q is accepted: %v", metadata, err)
			}
			loc := resp.Header.Get("Location")
			head := s.ask(t, "HEAD", "/files/"+loc[strings.LastIndexByte(loc, '/')+1:], "")
			if got := head.Header.Get("Upload-Metadata"); got != metadata {
				t.Errorf("sent %q, got back %q", metadata, got)
			}
		default:
			t.Errorf("%q: %d", metadata, resp.StatusCode)
		}
	})
}

func FuzzUploadConcat(f *testing.F) {
	for _, s := range []string{
		"partial", "final;/files/fuzzed-part", "final;/files/fuzzed-part /files/fuzzed-part", "final;/files/fuzzed-upload", "final;", "final;http://x/files/fuzzed-part",
		"final;//x", "final;%", "final;\x00", "final; /files/../x", "final;/files/fuzzed-part?q", "final;https://[::1]/files/fuzzed-part/", "FINAL;x", ";", "partial;x",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		s := newFuzzServer(t)
		for _, length := range []string{"", "4"} {
			h := []string{"Upload-Concat", value}
			if length != "" {
				h = append(h, "Upload-Length", length)
			}
			resp := s.ask(t, "POST", "/files/", "", h...)
			if !slices.Contains([]int{201, 400, 404, 413}, resp.StatusCode) {
				t.Errorf("%q: %d", value, resp.StatusCode)
			}
			if resp.StatusCode == 201 && value != "partial" && !strings.HasPrefix(value, "final;") && value != "" {
				t.Errorf("%q is accepted", value)
			}
		}
	})
}

func FuzzUploadChecksum(f *testing.F) {
	body := "world"
	for name := range algorithms {
		f.Add(checksum(name, []byte(body)))
		f.Add(checksum(name, []byte("other")))
	}
	for _, s := range []string{"", "sha1", "sha1 ", "sha1 !", "sha3 YQ==", "sha1 YQ==", "SHA1 x", " ", "sha1  YQ=="} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		s := newFuzzServer(t)
		resp := s.ask(t, "PATCH", "/files/"+string(fuzzed), body, "Upload-Offset", "5", "Content-Type", octets, "Upload-Checksum", value)
		name, _, _ := strings.Cut(value, " ")
		right := algorithms[name] != nil && checksum(name, []byte(body)) == value
		u, err := s.state.Load(t.Context(), fuzzed)
		if err != nil {
			t.Fatal(err)
		}
		switch resp.StatusCode {
		case 204:
			if !right || u.Offset != 10 {
				t.Errorf("%q is accepted, offset %d", value, u.Offset)
			}
		case 400, 460:
			if right || u.Offset != 5 {
				t.Errorf("%q is refused with %d, offset %d", value, resp.StatusCode, u.Offset)
			}
		default:
			t.Errorf("%q: %d", value, resp.StatusCode)
		}
	})
}

// FuzzRequest feeds whole requests as they come off the wire, several on one connection.
func FuzzRequest(f *testing.F) {
	const tr = "Host: x\r\nTus-Resumable: 1.0.0\r\n"
	const oct = "Content-Type: " + octets + "\r\n"
	up := "/files/" + string(fuzzed)
	for _, s := range []string{
		"OPTIONS /files/ HTTP/1.1\r\nHost: x\r\n\r\n",
		"POST /files/ HTTP/1.1\r\n" + tr + "Upload-Length: 3\r\n\r\n",
		"POST /files/ HTTP/1.1\r\n" + tr + oct + "Upload-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
		"POST /files/ HTTP/1.1\r\n" + tr + "Upload-Defer-Length: 1\r\nUpload-Concat: partial\r\n\r\n",
		"POST /files/ HTTP/1.1\r\n" + tr + "Upload-Concat: final;/files/fuzzed-part\r\n\r\n",
		"HEAD " + up + " HTTP/1.1\r\n" + tr + "\r\n",
		"GET /files/fuzzed-part HTTP/1.1\r\nHost: x\r\nRange: bytes=1-2\r\n\r\n",
		"PATCH " + up + " HTTP/1.1\r\n" + tr + oct + "Upload-Offset: 5\r\nContent-Length: 5\r\n\r\nworld",
		"PATCH " + up + " HTTP/1.1\r\n" + tr + oct + "Upload-Offset: 5\r\nContent-Length: 50\r\n\r\nworld",
		"PATCH " + up + " HTTP/1.1\r\n" + tr + oct + "Upload-Offset: 5\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nwo\r\n0\r\n\r\n",
		"PATCH " + up + " HTTP/1.1\r\n" + tr + oct + "Upload-Offset: 5\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nworldplus\r\n0\r\n\r\n",
		"PATCH " + up + " HTTP/1.1\r\n" + tr + oct + "Upload-Offset: 5\r\nTransfer-Encoding: chunked\r\nTrailer: Upload-Checksum\r\n\r\n2\r\nwo\r\n0\r\n" +
			"Upload-Checksum: " + checksum("md5", []byte("wo")) + "\r\n\r\n",
		"POST " + up + " HTTP/1.1\r\n" + tr + oct + "X-HTTP-Method-Override: PATCH\r\nUpload-Offset: 5\r\nContent-Length: 1\r\n\r\nw",
		"DELETE " + up + " HTTP/1.1\r\n" + tr + "\r\nHEAD " + up + " HTTP/1.1\r\n" + tr + "\r\n",
		"PATCH " + up + "/../x%00 HTTP/1.0\r\nUpload-Offset: 1\r\nForwarded: for=;host=\"\r\nOrigin: null\r\n\r\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, wire []byte) {
		s := newFuzzServer(t)
		br := bufio.NewReader(bytes.NewReader(wire))
		for range 8 {
			r, err := http.ReadRequest(br)
			if err != nil {
				return
			}
			resp := s.serve(t, r)
			if v := resp.Header.Get("Upload-Offset"); v != "" {
				if n, err := strconv.ParseInt(v, 10, 64); err != nil || n < 0 {
					t.Errorf("Upload-Offset %q", v)
				}
			}
			if resp.StatusCode < 200 || resp.StatusCode > 499 {
				t.Error(fmt.Sprint(resp.StatusCode), r.Method, r.URL)
			}
			_ = r.Body.Close()
		}
	})
}
