// Package bench measures whole requests, over real connections, through the engine on each pair of state and storage. Beside
// them stands what no server can beat: a plain handler that copies the body into a file with the same fsync.
package bench

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/fileloft/fileloft/state/memstate"
	"github.com/fileloft/fileloft/state/sqlitestate"
	"github.com/fileloft/fileloft/storage/filestore"
	"github.com/fileloft/fileloft/storage/memstore"
	"github.com/fileloft/fileloft/tus"
)

// backends are the pairs that are measured.
var backends = []struct {
	name string
	open func(b *testing.B) (tus.State, tus.Storage)
}{
	{"mem", func(*testing.B) (tus.State, tus.Storage) { return memstate.New(nil), memstore.New(nil) }},
	{"file-nosync", func(b *testing.B) (tus.State, tus.Storage) { return files(b, false) }},
	{"file-sync", func(b *testing.B) (tus.State, tus.Storage) { return files(b, true) }},
}

func files(b *testing.B, sync bool) (tus.State, tus.Storage) {
	dir := b.TempDir()
	so, fo := &sqlitestate.Options{}, &filestore.Options{}
	if !sync {
		so.Sync, fo.NoSync = sqlitestate.Off, true
	}
	state, err := sqlitestate.Open(filepath.Join(dir, "state.db"), so)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { state.Close() })
	storage, err := filestore.New(dir, fo)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { storage.Close() })
	return state, storage
}

// A peer is a server and a client on one connection to it.
type peer struct {
	b    *testing.B
	url  string
	http *http.Client
}

func serve(b *testing.B, h http.Handler) *peer {
	srv := httptest.NewServer(h)
	b.Cleanup(srv.Close)
	return &peer{b: b, url: srv.URL + "/files/", http: srv.Client()}
}

func engine(b *testing.B, open func(b *testing.B) (tus.State, tus.Storage)) *peer {
	state, storage := open(b)
	h, err := tus.NewHandler(state, storage, &tus.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	return serve(b, h)
}

func (p *peer) do(method, url string, body []byte, headers ...string) *http.Response {
	r, err := http.NewRequestWithContext(p.b.Context(), method, url, bytes.NewReader(body))
	if err != nil {
		p.b.Fatal(err)
	}
	r.Header.Set("Tus-Resumable", "1.0.0")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := p.http.Do(r)
	if err != nil {
		p.b.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	if resp.StatusCode >= 300 {
		p.b.Fatalf("%s: %s", method, resp.Status)
	}
	return resp
}

func (p *peer) create(size int64) string {
	return p.do(http.MethodPost, p.url, nil, "Upload-Length", strconv.FormatInt(size, 10)).Header.Get("Location")
}

func (p *peer) patch(loc string, off int64, data []byte) {
	p.do(http.MethodPatch, loc, data, "Upload-Offset", strconv.FormatInt(off, 10), "Content-Type", "application/offset+octet-stream")
}

var sizes = []struct {
	name string
	n    int
}{{"1KiB", 1 << 10}, {"1MiB", 1 << 20}, {"64MiB", 64 << 20}}

// BenchmarkPatch appends to one open upload after another.
func BenchmarkPatch(b *testing.B) {
	for _, size := range sizes {
		data := make([]byte, size.n)
		for _, be := range backends {
			b.Run(be.name+"/"+size.name, func(b *testing.B) {
				p := engine(b, be.open)
				b.SetBytes(int64(size.n))
				b.ReportAllocs()
				per := max(1, (256<<20)/size.n) // PATCHes per upload, so that the disk does not fill up
				var loc string
				i := 0
				for b.Loop() {
					if i%per == 0 {
						b.StopTimer()
						if loc != "" {
							p.do(http.MethodDelete, loc, nil)
						}
						loc = p.create(1 << 40)
						b.StartTimer()
					}
					p.patch(loc, int64(i%per)*int64(size.n), data)
					i++
				}
			})
		}
		for _, sync := range []bool{false, true} {
			b.Run(fmt.Sprintf("plain-%s/%s", map[bool]string{false: "nosync", true: "sync"}[sync], size.name), func(b *testing.B) {
				p := plain(b, sync, max(1, (256<<20)/size.n))
				b.SetBytes(int64(size.n))
				b.ReportAllocs()
				for b.Loop() {
					p.do(http.MethodPatch, p.url, data)
				}
			})
		}
	}
}

// plain is a server that appends each body to a file, and begins a new one after so many.
func plain(b *testing.B, sync bool, per int) *peer {
	dir := b.TempDir()
	var f *os.File
	n := 0
	return serve(b, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n%per == 0 {
			if f != nil {
				f.Close()
				os.Remove(f.Name())
			}
			var err error
			if f, err = os.Create(filepath.Join(dir, strconv.Itoa(n))); err != nil {
				b.Error(err)
			}
		}
		n++
		_, err := io.Copy(f, r.Body)
		if err == nil && sync {
			err = f.Sync()
		}
		if err != nil {
			b.Error(err)
		}
		w.WriteHeader(http.StatusNoContent)
	}))
}

// BenchmarkCreate makes uploads without a body.
func BenchmarkCreate(b *testing.B) {
	for _, be := range backends {
		b.Run(be.name, func(b *testing.B) {
			p := engine(b, be.open)
			b.ReportAllocs()
			for b.Loop() {
				p.create(1 << 20)
			}
		})
	}
}

// BenchmarkHead asks for the offset of one upload.
func BenchmarkHead(b *testing.B) {
	for _, be := range backends {
		b.Run(be.name, func(b *testing.B) {
			p := engine(b, be.open)
			loc := p.create(1 << 20)
			b.ReportAllocs()
			for b.Loop() {
				p.do(http.MethodHead, loc, nil)
			}
		})
	}
}

// BenchmarkSmallUpload makes a whole upload of 4 KiB, by POST and PATCH.
func BenchmarkSmallUpload(b *testing.B) {
	data := make([]byte, 4<<10)
	for _, be := range backends {
		b.Run(be.name, func(b *testing.B) {
			p := engine(b, be.open)
			b.ReportAllocs()
			for b.Loop() {
				p.patch(p.create(int64(len(data))), 0, data)
			}
		})
	}
}
