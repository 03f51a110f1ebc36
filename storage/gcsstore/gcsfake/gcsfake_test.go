package gcsfake_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fileloft/fileloft/storage/gcsstore/gcsfake"
)

// A site is a fake that listens, asked in plain HTTP.
type site struct {
	tb  testing.TB
	srv *gcsfake.Server
	url string
}

func newSite(tb testing.TB, o *gcsfake.Options) *site {
	tb.Helper()
	srv := gcsfake.New(o, "b")
	l, err := srv.Listen(tb.Context(), "")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(l.Close)
	return &site{tb, srv, l.URL}
}

type reply struct {
	status int
	header http.Header
	body   string
}

// object is what is read of an answer's JSON.
type object struct {
	Name, Size, Generation, Metageneration, CRC32C, MD5Hash, ContentType, NextPageToken string
	ComponentCount                                                                      int
	Metadata                                                                            map[string]string
	Items                                                                               []struct{ Name string }
	Prefixes                                                                            []string
}

func (r reply) object(tb testing.TB) (o object) {
	tb.Helper()
	if err := json.Unmarshal([]byte(r.body), &o); err != nil || r.status != 200 {
		tb.Fatalf("%d %s: %v", r.status, r.body, err)
	}
	return o
}

func (s *site) do(method, path, body string, headers ...string) reply {
	s.tb.Helper()
	if !strings.HasPrefix(path, "http://") {
		path = s.url + path
	}
	req, err := http.NewRequestWithContext(s.tb.Context(), method, path, strings.NewReader(body))
	if err != nil {
		s.tb.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.tb.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		s.tb.Fatal(err)
	}
	return reply{res.StatusCode, res.Header, string(b)}
}

const (
	objects = "/storage/v1/b/b/o/"
	media   = "/upload/storage/v1/b/b/o?uploadType=media&name="
)

func (s *site) put(name, body string) object {
	s.tb.Helper()
	return s.do("POST", media+url.QueryEscape(name), body, "Content-Type", "text/plain").object(s.tb)
}

func crc(text string) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, crc32.Checksum([]byte(text), crc32.MakeTable(crc32.Castagnoli))))
}

// Every call, with each of the four preconditions held and not held: https://cloud.google.com/storage/docs/request-preconditions.
func TestPreconditions(t *testing.T) {
	s := newSite(t, nil)
	s.put("source", "x")
	calls := map[string]func(name, conds string) reply{
		"insert": func(n, c string) reply { return s.do("POST", media+n+"&"+c, "new") },
		"session": func(n, c string) reply {
			return s.do("POST", "/upload/storage/v1/b/b/o?uploadType=resumable&name="+n+"&"+c, "{}")
		},
		"metadata": func(n, c string) reply { return s.do("GET", objects+n+"?"+c, "") },
		"bytes":    func(n, c string) reply { return s.do("GET", objects+n+"?alt=media&"+c, "") },
		"patch":    func(n, c string) reply { return s.do("PATCH", objects+n+"?"+c, "{}") },
		"compose": func(n, c string) reply {
			return s.do("POST", objects+n+"/compose?"+c, `{"sourceObjects":[{"name":"source"}]}`)
		},
		"rewrite": func(n, c string) reply { return s.do("POST", objects+"source/rewriteTo/b/b/o/"+n+"?"+c, "{}") },
		"rewrite's source": func(n, c string) reply {
			return s.do("POST", objects+n+"/rewriteTo/b/b/o/copy?"+strings.Replace(c, "if", "ifSource", 1), "{}")
		},
		"delete": func(n, c string) reply { return s.do("DELETE", objects+n+"?"+c, "") },
	}
	reads := map[string]bool{"metadata": true, "bytes": true}
	makes := map[string]bool{"insert": true, "session": true, "compose": true, "rewrite": true}
	for call, do := range calls {
		for _, c := range []struct {
			conds string // %s is the generation
			there bool
			want  int // 0: it succeeds
		}{
			{"ifGenerationMatch=%s", true, 0},
			{"ifGenerationMatch=1", true, 412},
			{"ifGenerationMatch=0", true, 412},
			{"ifGenerationNotMatch=1", true, 0},
			{"ifGenerationNotMatch=0", true, 0},
			{"ifGenerationNotMatch=%s", true, -1},
			{"ifMetagenerationMatch=1", true, 0},
			{"ifMetagenerationMatch=2", true, 412},
			{"ifMetagenerationNotMatch=2", true, 0},
			{"ifMetagenerationNotMatch=1", true, -1},
			{"ifGenerationMatch=%s&ifMetagenerationMatch=2", true, 412},
			{"ifGenerationMatch=x", true, 400},
			{"ifGenerationMatch=0", false, 0},
			{"ifGenerationMatch=7", false, 412},
			{"ifGenerationNotMatch=0", false, 412},
		} {
			name, gen := "o", "0"
			if c.there {
				gen = s.put(name, "old").Generation
			} else {
				name = "absent"
				_ = s.do("DELETE", objects+name, "")
				if !makes[call] {
					continue // 404, whatever is asked
				}
			}
			conds := strings.ReplaceAll(c.conds, "%s", gen)
			got := do(name, conds).status
			switch {
			case c.want == 0 && got/100 != 2:
				t.Errorf("%s with %s: %d", call, c.conds, got)
			case c.want == -1 && reads[call] && got != 304, c.want == -1 && !reads[call] && got != 412, c.want > 0 && got != c.want:
				t.Errorf("%s with %s (there: %v): %d", call, c.conds, c.there, got)
			}
		}
	}
}

func TestGenerations(t *testing.T) {
	s := newSite(t, nil)
	a := s.put("o", "one")
	b := s.put("o", "two")
	if a.Generation >= b.Generation || b.Metageneration != "1" {
		t.Errorf("%+v, then %+v", a, b)
	}
	if r := s.do("GET", objects+"o?generation="+a.Generation, ""); r.status != 404 {
		t.Errorf("the old generation: %d", r.status)
	}
	p := s.do("PATCH", objects+"o", `{"metadata":{"k":"v"}}`).object(t)
	if p.Generation != b.Generation || p.Metageneration != "2" || p.Metadata["k"] != "v" {
		t.Errorf("patched: %+v", p)
	}
	if got := s.srv.Replaced(); len(got) != 1 || got[0] != "o" {
		t.Errorf("replaced: %q", got)
	}
}

// https://cloud.google.com/storage/docs/composite-objects.
func TestCompose(t *testing.T) {
	s := newSite(t, nil)
	var sources []string
	text := ""
	for i := range 33 {
		body := strings.Repeat(strconv.Itoa(i), i) // the first is empty
		o := s.put("p"+strconv.Itoa(i), body)
		text += body
		sources = append(sources, fmt.Sprintf(`{"name":"p%d","objectPreconditions":{"ifGenerationMatch":"%s"}}`, i, o.Generation))
	}
	join := func(n int) string { return `{"sourceObjects":[` + strings.Join(sources[:n], ",") + `]` }
	compose := func(body string) reply { return s.do("POST", objects+"all/compose?ifGenerationMatch=0", body) }
	if r := compose(join(33) + "}"); r.status != 400 {
		t.Errorf("33 sources: %d", r.status)
	}
	if r := compose(`{"sourceObjects":[]}`); r.status != 400 {
		t.Errorf("no sources: %d", r.status)
	}
	if r := compose(join(32) + `,"destination":{"crc32c":"AAAAAA=="}}`); r.status != 400 || !strings.Contains(r.body, "CRC32C") {
		t.Errorf("a wrong checksum: %d %s", r.status, r.body)
	}
	o := compose(join(32) + `,"destination":{"contentType":"text/x","metadata":{"k":"v"}}}`).object(t)
	text = text[:len(text)-64]
	if o.ComponentCount != 32 || o.MD5Hash != "" || o.CRC32C != crc(text) || o.Metadata["k"] != "v" || o.Size != strconv.Itoa(len(text)) {
		t.Errorf("%+v", o)
	}
	if r := compose(join(32) + "}"); r.status != 412 {
		t.Errorf("a destination that is there: %d", r.status)
	}
	if got := s.do("GET", objects+"all?alt=media", "").body; got != text {
		t.Errorf("%q", got)
	}
	more := `{"sourceObjects":[{"name":"all"},{"name":"p1"},{"name":"all"}]}`
	if o := s.do("POST", objects+"more/compose", more).object(t); o.ComponentCount != 65 || o.CRC32C != crc(text+"1"+text) {
		t.Errorf("%+v", o)
	}
	s.put("p1", "other")
	if r := s.do("POST", objects+"x/compose", join(2)+"}"); r.status != 412 {
		t.Errorf("a source of another generation: %d", r.status)
	}
	_ = s.do("DELETE", objects+"p1", "")
	if r := s.do("POST", objects+"x/compose", join(2)+"}"); r.status != 404 {
		t.Errorf("a source that is gone: %d", r.status)
	}
	if got := s.do("GET", objects+"all?alt=media", "").body; got != text {
		t.Errorf("after its sources have changed: %q", got)
	}
}

// Checksums that come with an upload: https://cloud.google.com/storage/docs/data-validation.
func TestChecksums(t *testing.T) {
	s := newSite(t, nil)
	for header, want := range map[string]int{
		"crc32c=" + crc("text"): 200, "crc32c=AAAAAA==": 400,
		"md5=HLKHEVJiYaAWYuFKi0zhjw==": 400, "crc32c=" + crc("text") + ",md5=HLKHEVJiYaAWYuFKi0zhjw==": 400,
	} {
		if r := s.do("POST", media+"o", "text", "X-Goog-Hash", header); r.status != want {
			t.Errorf("%s: %d %s", header, r.status, r.body)
		}
	}
	multi := func(meta string) reply {
		body := "--x\r\nContent-Type: application/json\r\n\r\n" + meta + "\r\n--x\r\nContent-Type: text/plain\r\n\r\ntext\r\n--x--\r\n"
		return s.do("POST", "/upload/storage/v1/b/b/o?uploadType=multipart", body, "Content-Type", "multipart/related; boundary=x")
	}
	if r := multi(`{"name":"m","crc32c":"AAAAAA=="}`); r.status != 400 {
		t.Errorf("multipart, wrong: %d", r.status)
	}
	o := multi(`{"name":"m","crc32c":"` + crc("text") + `","metadata":{"k":"v"}}`).object(t)
	if o.ContentType != "text/plain" || o.Metadata["k"] != "v" || o.Size != "4" {
		t.Errorf("multipart: %+v", o)
	}
}

// https://cloud.google.com/storage/docs/json_api/v1/objects/list.
func TestList(t *testing.T) {
	s := newSite(t, &gcsfake.Options{PageSize: 2})
	for _, name := range []string{"a", "d/1", "d/2", "d/3", "e/1", "f", "é"} {
		s.put(name, "")
	}
	for query, want := range map[string]string{
		"":                            "a d/1 | d/2 d/3 | e/1 f | é",
		"prefix=d/":                   "d/1 d/2 | d/3",
		"prefix=nothing":              "",
		"delimiter=/":                 "a d/* | e/* f | é",
		"prefix=d/&delimiter=/":       "d/1 d/2 | d/3",
		"maxResults=3":                "a d/1 | d/2 d/3 | e/1 f | é",
		"startOffset=d/2&endOffset=f": "d/2 d/3 | e/1",
	} {
		var pages []string
		for token := ""; ; {
			o := s.do("GET", "/storage/v1/b/b/o?"+query+"&pageToken="+url.QueryEscape(token), "").object(t)
			var names []string
			for _, i := range o.Items {
				names = append(names, i.Name)
			}
			for _, p := range o.Prefixes {
				names = append(names, p+"*")
			}
			if query == "delimiter=/" && len(names) == 2 && names[0] == "f" { // items come before prefixes in an answer
				names[0], names[1] = names[1], names[0]
			}
			pages = append(pages, strings.Join(names, " "))
			if token = o.NextPageToken; token == "" {
				break
			}
		}
		if got := strings.Join(pages, " | "); got != want {
			t.Errorf("%s: %s", query, got)
		}
	}
	if r := s.do("GET", "/storage/v1/b/other/o", ""); r.status != 404 || !strings.Contains(r.body, "bucket does not exist") {
		t.Errorf("a bucket that is not there: %d %s", r.status, r.body)
	}
}

// https://cloud.google.com/storage/docs/json_api/v1/parameters#range; the XML API answers the same.
func TestRanges(t *testing.T) {
	s := newSite(t, nil)
	s.put("dir/o", "0123456789")
	for _, path := range []string{objects + "dir%2Fo?alt=media", "/b/dir/o"} {
		for rng, want := range map[string]string{
			"bytes=0-3": "206 0123", "bytes=4-": "206 456789", "bytes=-3": "206 789", "bytes=8-100": "206 89", "bytes=-100": "206 0123456789",
			"bytes=10-": "416", "": "200 0123456789", "bytes=5-3": "200 0123456789", "bytes=0-1,3-4": "200 0123456789", "lines=1-2": "200 0123456789",
		} {
			r := s.do("GET", path, "", "Range", rng)
			got := fmt.Sprint(r.status)
			if r.status < 300 {
				got += " " + r.body
			}
			if got != want {
				t.Errorf("%s of %s: %s", rng, path, got)
			}
			if !strings.Contains(strings.Join(r.header.Values("X-Goog-Hash"), ","), "crc32c="+crc("0123456789")) && r.status < 300 {
				t.Errorf("%s of %s: hashes %q", rng, path, r.header.Values("X-Goog-Hash"))
			}
		}
	}
}

func TestWriteRate(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	s := newSite(t, &gcsfake.Options{WriteRate: true, Now: func() time.Time { return now }})
	s.put("o", "")
	if r := s.do("POST", media+"o", ""); r.status != 429 {
		t.Errorf("a second write within a second: %d", r.status)
	}
	s.put("p", "")
	now = now.Add(time.Second)
	s.put("o", "")
}

func TestFaultsAndCounts(t *testing.T) {
	var mu sync.Mutex
	fault := gcsfake.NoFault
	var calls []gcsfake.Call
	s := newSite(t, &gcsfake.Options{Plan: func(c gcsfake.Call) gcsfake.Fault {
		mu.Lock()
		defer mu.Unlock()
		calls = append(calls, c)
		return fault
	}})
	set := func(f gcsfake.Fault) {
		mu.Lock()
		defer mu.Unlock()
		fault = f
	}
	send := func(name string) (int, error) {
		res, err := http.Post(s.url+media+name, "", bytes.NewReader([]byte("x")))
		if err != nil {
			return 0, err
		}
		return res.StatusCode, res.Body.Close()
	}
	for f, there := range map[gcsfake.Fault]bool{gcsfake.LoseRequest: false, gcsfake.LoseAnswer: true, gcsfake.Unavailable: false} {
		set(f)
		name := fmt.Sprint("o", f)
		status, err := send(name)
		if (err == nil) != (f == gcsfake.Unavailable) || err == nil && status != 503 {
			t.Errorf("fault %d: %d, %v", f, status, err)
		}
		if err != nil && !errors.Is(err, io.EOF) {
			t.Errorf("fault %d: %v", f, err)
		}
		set(gcsfake.NoFault)
		if r := s.do("GET", objects+name, ""); (r.status == 200) != there {
			t.Errorf("fault %d: the object: %d", f, r.status)
		}
	}
	s.do("GET", "/storage/v1/b/b/o", "")
	s.do("DELETE", objects+"o2", "")
	if a, b, free := gcsfake.Classes(s.srv.Used()); a != 4 || b != 3 || free != 1 {
		t.Errorf("calls of class A, B and free: %d, %d, %d", a, b, free)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(calls) != 8 || calls[7] != (gcsfake.Call{Name: "objects.delete", Object: "o2"}) {
		t.Errorf("planned: %v", calls)
	}
}
