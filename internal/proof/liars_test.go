package proof

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fileloft/fileloft/state/memstate"
	"github.com/fileloft/fileloft/tus"
)

// A lie is a server that breaks a promise in one way, and what the proof must call that.
type lie struct {
	name  string
	class string
	serve func(next http.Handler) http.Handler      // nil: the true one
	store func(t testing.TB, dir string, s *stores) // nil: the true ones
	quick bool                                      // runs under -short too
}

var lies = []lie{
	{name: "none", quick: true},
	{"HEAD is a byte short", "lost", answering(http.MethodHead, func(w *told) {
		if n, _ := strconv.Atoi(w.header.Get("Upload-Offset")); n > 0 {
			w.header.Set("Upload-Offset", strconv.Itoa(n-1))
		}
	}), nil, true},
	{"an upload is forgotten", "lost", answering(http.MethodHead, func(w *told) { w.status = http.StatusNotFound }), nil, false},
	{"PATCH counts a byte too many", "lost", answering(http.MethodPatch, func(w *told) {
		if n, err := strconv.Atoi(w.header.Get("Upload-Offset")); err == nil {
			w.header.Set("Upload-Offset", strconv.Itoa(n+1))
		}
	}), nil, false},
	{"a deletion is not made", "corrupt", func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodDelete {
				w.WriteHeader(http.StatusNoContent)
				return
			}
			next.ServeHTTP(w, r)
		})
	}, nil, false},
	{"PATCH is forbidden", "refused", answering(http.MethodPatch, func(w *told) { w.status = http.StatusForbidden }), nil, false},
	{"nothing gets on", "stuck", answering(http.MethodPatch, func(w *told) { w.status = http.StatusServiceUnavailable; w.header.Del("Upload-Offset") }), nil, false},
	{"a wrong byte is stored", "corrupt", nil, func(_ testing.TB, _ string, s *stores) {
		object := s.object
		s.object = func(ctx context.Context, u *tus.Upload) (io.ReadCloser, error) {
			o, err := object(ctx, u)
			if err != nil {
				return nil, err
			}
			defer o.Close()
			b, err := io.ReadAll(o)
			if len(b) > 0 {
				b[len(b)/2] ^= 1
			}
			return io.NopCloser(bytes.NewReader(b)), err
		}
	}, false},
	{"an object is not there", "corrupt", nil, func(_ testing.TB, _ string, s *stores) {
		s.object = func(context.Context, *tus.Upload) (io.ReadCloser, error) { return nil, os.ErrNotExist }
	}, false},
	{"a piece is left", "left", nil, func(t testing.TB, dir string, _ *stores) {
		if err := os.WriteFile(filepath.Join(dir, "files", "stray"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}, true},
}

// TestLiarsAreFound runs the load on servers that break a promise each, and wants it to say so: a proof that cannot fail is none.
func TestLiarsAreFound(t *testing.T) {
	for _, lie := range lies {
		t.Run(lie.name, func(t *testing.T) {
			t.Parallel()
			if testing.Short() && !lie.quick {
				t.Skip("takes seconds")
			}
			l := loadOnALiar(t, lie)
			l.run(t)
			if lie.class == "" && len(l.tally.findings) > 0 {
				t.Errorf("an honest server: %v", l.tally.findings)
			}
			if lie.class != "" && l.tally.of(lie.class) == 0 {
				t.Errorf("nothing is %s: %v, %v", lie.class, l.tally, l.tally.findings)
			}
		})
	}
}

func loadOnALiar(t testing.TB, lie lie) *load {
	dir := t.TempDir()
	state := memstate.New(nil)
	st := inDirectory(t, dir, state)
	h, err := tus.NewHandler(state, st.storage, &tus.Options{EnableConcatenation: true, EnableDownload: true, EnableExpiration: true, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	var served http.Handler = h
	if lie.serve != nil {
		served = lie.serve(h)
	}
	srv := httptest.NewServer(served)
	t.Cleanup(srv.Close)
	if lie.store != nil {
		lie.store(t, dir, st)
	}
	l := &load{
		setup: &setup{name: lie.name, fleet: calmFleet(srv.URL + "/files/"), stores: st, body: 1 << 20, checksums: true},
		seed:  1, clients: 4, patience: 3 * time.Second, haste: 20, trouble: trouble{pause: time.Second, freeze: time.Second},
	}
	for i, k := range []kind{plain, withIt, later, joined, deleted} {
		l.files = append(l.files, &file{n: i, kind: k, size: 100_000 + int64(i), key: [32]byte{byte(i)}})
	}
	return l
}

// A calmFleet is one address, to which nothing happens.
type calmFleet string

func (f calmFleet) endpoints() []string                 { return []string{string(f)} }
func (calmFleet) kill(*rand.Rand) bool                  { return false }
func (calmFleet) freeze(*rand.Rand, time.Duration) bool { return false }
func (calmFleet) calm(context.Context) error            { return nil }

// answering changes what a server answers to successful requests of a method, after the first.
func answering(method string, change func(*told)) func(http.Handler) http.Handler {
	var n atomic.Int64
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method != method {
				next.ServeHTTP(w, r)
				return
			}
			rec := httptest.NewRecorder()
			next.ServeHTTP(rec, r)
			a := &told{rec.Code, rec.Header()}
			if a.status < 300 && n.Add(1) > 1 {
				change(a)
			}
			for k, v := range a.header {
				w.Header()[k] = v
			}
			w.WriteHeader(a.status)
			_, _ = w.Write(rec.Body.Bytes())
		})
	}
}

// told is the head of an answer.
type told struct {
	status int
	header http.Header
}

// TestMetadataSayWhatAnUploadIs reads back what pieces are called.
func TestMetadataSayWhatAnUploadIs(t *testing.T) {
	want := piece{7, 1 << 20, 5 << 30}
	if got, err := pieceOf(want.metadata()); err != nil || got != want {
		t.Errorf("%v, %v", got, err)
	}
	for _, s := range []string{"", "x", "piece !", strings.Replace(want.metadata(), "piece", "peace", 1)} {
		if p, err := pieceOf(s); err == nil {
			t.Errorf("%q is %v", s, p)
		}
	}
}

// TestAPlanIsTheSeeds makes a plan twice, and wants each kind of file in it.
func TestAPlanIsTheSeeds(t *testing.T) {
	all := func(kind) bool { return true }
	a, b := plan(3, 200, all), plan(3, 200, all)
	if fmt.Sprint(a) != fmt.Sprint(b) || bytes.Equal(a[0].bytes(), a[1].bytes()) {
		t.Error("one seed, two plans, or two files alike")
	}
	for k, name := range kinds {
		if !slices.ContainsFunc(a, func(f *file) bool { return f.kind == k }) {
			t.Errorf("no file is %s", name)
		}
	}
}
