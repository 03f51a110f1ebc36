//go:build unix

package filestore

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fileloft/fileloft/tus"
)

func TestNewRefuses(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	half := filepath.Join(dir, "half")
	if err := os.Mkdir(half, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(half, filesDir), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, dir := range map[string]string{
		"no name":                   "",
		"a file":                    file,
		"below a file":              filepath.Join(file, "x"),
		"files/ is a file":          half,
		"a directory of the system": "/proc/self/x",
	} {
		if s, err := New(dir, nil); err == nil {
			_ = s.Close()
			t.Errorf("%s: accepted", name)
		} else if !strings.HasPrefix(err.Error(), "filestore: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := New(dir, &Options{Verify: 7}); err == nil {
		t.Error("Verify 7 was accepted")
	}
}

// TestNewIsQuiet: a store can be opened any number of times and leaves nothing behind by that.
func TestNewIsQuiet(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	for range 3 {
		s := newStore(t, dir, nil)
		if err := s.Ping(t.Context()); err != nil {
			t.Error(err)
		}
		for _, d := range []string{filesDir, partialDir} {
			if names, err := os.ReadDir(filepath.Join(dir, d)); err != nil || len(names) > 0 {
				t.Errorf("%s: %v, %v", d, names, err)
			}
		}
	}
	s := newStore(t, dir, nil)
	if err := os.RemoveAll(filepath.Join(dir, partialDir)); err != nil {
		t.Fatal(err)
	}
	if err := s.Ping(t.Context()); !errors.Is(err, tus.ErrUnavailable) {
		t.Errorf("ping without its directory: %v", err)
	}
}

// TestReadable: object and metadata can be read with nothing but the file system.
func TestReadable(t *testing.T) {
	dir := t.TempDir()
	at := time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)
	g := &game{t: t, s: newStore(t, dir, &Options{Now: func() time.Time { return at }}), epoch: 1}
	g.u = tus.Upload{
		ID: "abc", Birth: "b1", Key: "2026/report.txt", Length: 5, Created: at.Add(-time.Hour),
		Metadata: "filename cmVwb3J0LnR4dA==,empty", Digest: []byte{1, 0x9a, 0x71, 0xbb, 0x4c},
	}
	g.append([]byte("hello"))
	g.completeBy(g.s)()
	b, err := os.ReadFile(filepath.Join(dir, "files/2026/report.txt"))
	if err != nil || string(b) != "hello" {
		t.Errorf("the object is %q, %v", b, err)
	}
	b, err = os.ReadFile(filepath.Join(dir, "files/2026/report.txt.meta.json"))
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"version": 1.0, "id": "abc", "birth": "b1", "size": 5.0, "crc32c": "9a71bb4c",
		"metadata": map[string]any{"filename": "report.txt", "empty": ""}, "upload_metadata": g.u.Metadata,
		"created": "2026-05-04T02:02:01Z", "completed": "2026-05-04T03:02:01Z",
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("metadata are\n%v instead of\n%v", got, want)
	}
	fi, err := os.Stat(filepath.Join(dir, "files/2026/report.txt"))
	if err != nil || fi.Mode().Perm()&0o007 != 0 {
		t.Errorf("others may use it: %v, %v", fi.Mode(), err)
	}
}

// TestOpenForSending: whole objects are files, and ranges hand io.Copy a file, so that sendfile can be used.
func TestOpenForSending(t *testing.T) {
	g := newGame(t, fastDir(t))
	g.play(0, len(moves))
	rc, err := g.s.Open(t.Context(), g.u, 0, g.u.Length)
	if err != nil {
		t.Fatal(err)
	}
	defer rc.Close()
	if _, ok := rc.(*os.File); !ok {
		t.Errorf("a whole object is a %T", rc)
	}
	rc, err = g.s.Open(t.Context(), g.u, 5, 20)
	if err != nil {
		t.Fatal(err)
	}
	defer rc.Close()
	var w sender
	if _, err := io.Copy(&w, rc); err != nil || w.file == nil || !bytes.Equal(w.Bytes(), g.want[5:25]) {
		t.Errorf("a range was sent as %q from %v, %v", w.Bytes(), w.file, err)
	}
}

// sender looks for a file in what it is to send, as a connection does.
type sender struct {
	bytes.Buffer
	file *os.File
}

func (s *sender) ReadFrom(r io.Reader) (int64, error) {
	if l, ok := r.(*io.LimitedReader); ok {
		s.file, _ = l.R.(*os.File)
	}
	return s.Buffer.ReadFrom(r)
}

// TestIdle: an upload that nobody has begun, or nobody holds any more, is idle.
func TestIdle(t *testing.T) {
	g := newGame(t, fastDir(t))
	if !g.s.Idle(t.Context(), g.u) {
		t.Error("not idle before the first Append")
	}
	g.play(0, 5)
	if !g.s.Idle(t.Context(), g.u) {
		t.Error("not idle between Appends")
	}
	f := g.hold()
	if g.s.Idle(t.Context(), g.u) {
		t.Error("idle while its file is held")
	}
	_ = f.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if g.s.Idle(ctx, g.u) {
		t.Error("idle, though there was no time to look twice")
	}
}

func ExampleNew() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	s, err := New(dir, nil) // synced and verified; &Options{NoSync: true} is faster and forgets when the power fails
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	ctx := context.Background()
	lease := tus.Lease{Epoch: 1, Upload: tus.Upload{ID: "example", Birth: "1", Length: 5}}
	receipt, err := s.Append(ctx, lease, strings.NewReader("hello"))
	if err != nil {
		log.Fatal(err)
	}
	lease.Upload.Offset, lease.Upload.Cursor = receipt.N, receipt.Cursor // what a State would commit
	if _, err := s.Complete(ctx, lease); err != nil {
		log.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "files", "example"))
	fmt.Println(string(b), err)
	// Output: hello <nil>
}
