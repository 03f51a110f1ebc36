package gcsfake_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cloud.google.com/go/storage"
	gax "github.com/googleapis/gax-go/v2"
	"google.golang.org/api/iterator"

	"github.com/fileloft/fileloft/storage/gcsstore/gcsfake"
)

const quantum = 256 << 10

func (s *site) begin(query string) string {
	s.tb.Helper()
	r := s.do("POST", "/upload/storage/v1/b/b/o?uploadType=resumable&"+query, `{"metadata":{"k":"v"}}`, "X-Upload-Content-Type", "text/x")
	if r.status != 200 || r.header.Get("Location") == "" {
		s.tb.Fatalf("begin: %d %s", r.status, r.body)
	}
	return r.header.Get("Location")
}

// https://cloud.google.com/storage/docs/performing-resumable-uploads, request by request: first to last/total, and what is answered.
func TestResumableUpload(t *testing.T) {
	s := newSite(t, nil)
	text := strings.Repeat("0123456789abcdef", 3*quantum/16) + "the end"
	at := s.begin("name=o")
	for _, step := range []struct {
		first, last int // no chunk: last < first
		total       string
		status      int
		rng         string
	}{
		{0, -1, "*", 308, ""}, // a query: nothing is there
		{0, quantum - 1, "*", 308, "bytes=0-262143"},
		{0, -1, "*", 308, "bytes=0-262143"},
		{0, quantum - 1, "*", 308, "bytes=0-262143"},                  // sent again
		{quantum + 1, 2*quantum + 1, "*", 400, ""},                    // a gap
		{quantum, quantum + 99, "*", 400, ""},                         // less than 256 KiB, and not the end
		{quantum / 2, 2*quantum + 99, "*", 308, "bytes=0-524287"},     // an overlap, and more than whole quanta
		{2 * quantum, 3*quantum - 1, "786439", 308, "bytes=0-786431"}, // the total is known, and not reached
		{0, -1, "786439", 308, "bytes=0-786431"},
		{3*quantum - 10, 3*quantum + 6, "786439", 200, ""},
		{0, -1, "*", 200, ""}, // over: the object
		{3*quantum - 10, 3*quantum + 6, "786439", 200, ""},
	} {
		span, body := "*", ""
		if step.last >= step.first {
			span, body = fmt.Sprintf("%d-%d", step.first, step.last), text[step.first:step.last+1]
		}
		r := s.do("PUT", at, body, "Content-Range", "bytes "+span+"/"+step.total)
		if r.status != step.status || r.header.Get("Range") != step.rng {
			t.Fatalf("%s/%s: %d, Range %q: %s", span, step.total, r.status, r.header.Get("Range"), r.body)
		}
	}
	o := s.do("GET", objects+"o", "").object(t)
	if o.CRC32C != crc(text) || o.ContentType != "text/x" || o.Metadata["k"] != "v" || o.MD5Hash == "" {
		t.Errorf("%+v", o)
	}
	if got := s.do("GET", objects+"o?alt=media", "").body; got != text {
		t.Errorf("%d bytes come back of %d", len(got), len(text))
	}
	if got := s.srv.Sessions("b"); len(got) != 0 {
		t.Errorf("open sessions: %q", got)
	}
}

func TestSessionsEnd(t *testing.T) {
	s := newSite(t, nil)
	at := s.begin("name=o")
	if r := s.do("PUT", strings.Replace(at, "upload_id=", "upload_id=x", 1), "", "Content-Range", "bytes */*"); r.status != 404 {
		t.Errorf("unknown: %d", r.status)
	}
	if got := s.srv.Sessions("b"); !slices.Equal(got, []string{"o"}) {
		t.Errorf("open sessions: %q", got)
	}
	if r := s.do("DELETE", at, ""); r.status != 499 {
		t.Errorf("cancel: %d", r.status)
	}
	if got := s.srv.Sessions("b"); len(got) != 0 {
		t.Errorf("open sessions: %q", got)
	}
	if r := s.do("PUT", at, "", "Content-Range", "bytes */*"); r.status != 410 {
		t.Errorf("cancelled: %d", r.status)
	}
	at = s.begin("name=o")
	s.srv.EndSessions()
	if r := s.do("PUT", at, "x", "Content-Range", "bytes 0-0/1"); r.status != 410 {
		t.Errorf("after a week: %d", r.status)
	}
	if r := s.do("PUT", s.begin("name=o"), "", "Content-Range", "bytes */0"); r.status != 200 {
		t.Errorf("empty: %d", r.status)
	}
	for _, bad := range []string{"bytes 5-3/9", "bytes 0-1/1", "bytes 0-0", "lines 0-0/1", "bytes 0-9/10"} {
		if r := s.do("PUT", s.begin("name=p"), "x", "Content-Range", bad); r.status != 400 {
			t.Errorf("%s: %d", bad, r.status)
		}
	}
}

// Conditions and checksums hold at the end of a session too.
func TestTheEndOfASessionIsChecked(t *testing.T) {
	s := newSite(t, nil)
	at := s.begin("name=o&ifGenerationMatch=0")
	s.put("o", "another's")
	if r := s.do("PUT", at, "x", "Content-Range", "bytes 0-0/1"); r.status != 412 {
		t.Errorf("an object that came in between: %d", r.status)
	}
	at = s.begin("name=p")
	if r := s.do("PUT", at, "x", "Content-Range", "bytes 0-0/1", "X-Goog-Hash", "crc32c="+crc("y")); r.status != 400 {
		t.Errorf("a wrong checksum: %d", r.status)
	}
	if r := s.do("GET", objects+"p", ""); r.status != 404 {
		t.Errorf("after it: %d", r.status)
	}
}

// The official client over it: uploads of all forms, reads, compose, rewrite, conditions, lists, and its own repetitions.
func TestOfficialClient(t *testing.T) {
	var n atomic.Int32
	srv := gcsfake.New(&gcsfake.Options{PageSize: 3, Plan: func(c gcsfake.Call) gcsfake.Fault {
		if n.Add(1)%3 == 0 && c.Name == "sessions.write" {
			return gcsfake.LoseAnswer
		}
		return gcsfake.NoFault
	}}, "b")
	l, err := srv.Listen(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err := l.Client(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// By default the client does not send a chunk again whose connection just ended.
	client.SetRetry(storage.WithErrorFunc(storage.ShouldRetry), storage.WithBackoff(gax.Backoff{Initial: time.Millisecond}))
	b, ctx := client.Bucket("b"), t.Context()
	var text []byte
	var sources []*storage.ObjectHandle
	for i, size := range []int{0, 1, quantum - 1, quantum, quantum + 1, 3 * quantum, 5*quantum + 7} {
		data := make([]byte, size)
		_, _ = rand.NewChaCha8([32]byte{byte(i)}).Read(data)
		text = append(text, data...)
		o := b.Object(fmt.Sprintf("dir/%d ä+&", i)).If(storage.Conditions{DoesNotExist: true})
		w := o.NewWriter(ctx)
		w.ChunkSize = quantum
		w.Metadata = map[string]string{"size": fmt.Sprint(size)}
		if _, err := w.Write(data); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatalf("%d bytes: %v", size, err)
		}
		if w.Attrs().Size != int64(size) || w.Attrs().Metadata["size"] != fmt.Sprint(size) {
			t.Errorf("%+v", w.Attrs())
		}
		sources = append(sources, b.Object(o.ObjectName()))
	}
	all, err := b.Object("all").ComposerFrom(sources...).Run(ctx)
	if err != nil || all.Size != int64(len(text)) || all.ComponentCount != 7 {
		t.Fatalf("compose: %+v, %v", all, err)
	}
	copied, err := b.Object("copy").CopierFrom(b.Object("all").Generation(all.Generation)).Run(ctx)
	if err != nil || copied.CRC32C != all.CRC32C {
		t.Fatalf("rewrite: %+v, %v", copied, err)
	}
	checkRead(ctx, t, b.Object("copy"), text)
	it, names := b.Objects(ctx, &storage.Query{Prefix: "dir/"}), 0
	for {
		_, err := it.Next()
		if errors.Is(err, iterator.Done) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		names++
	}
	if names != 7 {
		t.Errorf("%d names are listed", names)
	}
	if err := b.Object("all").If(storage.Conditions{GenerationMatch: 1}).Delete(ctx); err == nil {
		t.Error("deleted, of another generation")
	}
	if _, err := client.Bucket("none").Object("o").Attrs(ctx); !errors.Is(err, storage.ErrObjectNotExist) {
		t.Errorf("a bucket that is not there: %v", err)
	}
}

func checkRead(ctx context.Context, t *testing.T, o *storage.ObjectHandle, text []byte) {
	t.Helper()
	for _, span := range [][2]int{{0, len(text)}, {1, 1}, {quantum, quantum + 5}, {len(text) - 3, 3}, {0, 0}} {
		r, err := o.NewRangeReader(ctx, int64(span[0]), int64(span[1]))
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		if err != nil || string(got) != string(text[span[0]:span[0]+span[1]]) {
			t.Errorf("%d bytes from %d on: %d come, %v", span[1], span[0], len(got), err)
		}
	}
}

// Why an upload is not one session: a writer that was overtaken wakes up and sends to the same place, and the right bytes, which come
// second, are passed over as sent again.
func TestTwoWritersInOneSession(t *testing.T) {
	s := newSite(t, nil)
	at := s.begin("name=o")
	late, right := strings.Repeat("z", quantum), strings.Repeat("r", quantum)
	for _, chunk := range []string{late, right} {
		r := s.do("PUT", at, chunk, "Content-Range", fmt.Sprintf("bytes 0-%d/*", quantum-1))
		if r.status != 308 || r.header.Get("Range") != "bytes=0-262143" {
			t.Fatalf("%d %q", r.status, r.header.Get("Range"))
		}
	}
	if r := s.do("PUT", at, "", "Content-Range", fmt.Sprintf("bytes */%d", quantum)); r.status != 200 {
		t.Fatalf("%d %s", r.status, r.body)
	}
	if got := s.do("GET", objects+"o?alt=media", "").body; got != late {
		t.Errorf("the later bytes count: %.10q", got)
	}
}
