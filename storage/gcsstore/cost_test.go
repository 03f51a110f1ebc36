package gcsstore

import (
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fileloft/fileloft/storage/gcsstore/gcsfake"
	"github.com/fileloft/fileloft/tus"
)

// An uploading is a record and its lease, for one writer without rivals.
type uploading struct {
	tb    testing.TB
	s     *Store
	lease tus.Lease
	crc   uint32
}

func newUpload(tb testing.TB, s *Store, length int64) *uploading {
	u := tus.Upload{ID: tus.NewID(), Birth: "birth", Length: length, NextSlot: 1}
	return &uploading{tb: tb, s: s, lease: tus.Lease{Upload: u, Epoch: 1, Slots: tus.Slots{First: 1}}}
}

func (p *uploading) append(body string) {
	p.tb.Helper()
	p.lease.Epoch++
	r, err := p.s.Append(p.tb.Context(), p.lease, strings.NewReader(body))
	if err != nil || r.N != int64(len(body)) {
		p.tb.Fatalf("append: %d of %d bytes, %v", r.N, len(body), err)
	}
	p.take(r, body)
}

func (p *uploading) take(r tus.Receipt, body string) {
	u := &p.lease.Upload
	u.Offset, u.Cursor = u.Offset+r.N, r.Cursor
	p.crc = crc32.Update(p.crc, castagnoli, []byte(body[:r.N]))
	u.Digest = []byte{1, byte(p.crc >> 24), byte(p.crc >> 16), byte(p.crc >> 8), byte(p.crc)}
}

func (p *uploading) complete() error {
	u := &p.lease.Upload
	u.Length, u.Phase = u.Offset, tus.Sealed
	st, err := p.s.Complete(p.tb.Context(), p.lease)
	if err == nil && st != (tus.Stored{Size: u.Length, CRC32C: p.crc, HasCRC32C: true}) {
		p.tb.Errorf("complete: %+v of %d bytes, crc32c %08x", st, u.Length, p.crc)
	}
	return err
}

// Ten thousand PATCHes: each is one upload, and on average a thirtieth of a compose; no List and no look, from the first to the last.
func TestTheCostOfAPatchDoesNotGrow(t *testing.T) {
	s, f := onFake(t, Options{}, gcsfake.Options{Discard: true})
	p := newUpload(t, s, tus.Unknown)
	const window = 1024 // one compose of the second level falls into each
	patches := 10 * window
	if testing.Short() {
		patches = 2 * window
	}
	longest := 0
	for n := range patches {
		if n%window == 0 {
			f.Used()
		}
		p.append("sixteen bytes...")
		longest = max(longest, len(p.lease.Upload.Cursor))
		if (n+1)%window != 0 {
			continue
		}
		used := f.Used()
		a, b, _ := gcsfake.Classes(used)
		if used["objects.insert"] != window || b != 0 || used["objects.list"] != 0 || a > window+window/30 {
			t.Errorf("PATCHes up to %d: %v", n+1, used)
		}
		t.Logf("PATCHes %5d to %5d: %d of class A, %d deletions, cursor %d bytes", n+2-window, n+1, a, used["objects.delete"], len(p.lease.Upload.Cursor))
	}
	if longest > tus.MaxCursor/2 {
		t.Errorf("a cursor of %d bytes", longest)
	}
	if err := p.complete(); err != nil {
		t.Fatal(err)
	}
	used := f.Used()
	if a, b, _ := gcsfake.Classes(used); a > 5 || b != 0 {
		t.Errorf("complete: %v", used)
	}
	if left := left(s, f, p.lease.Upload); len(left) != 1 {
		t.Errorf("left behind: %q", left)
	}
	t.Logf("complete: %v; the longest cursor had %d bytes", used, longest)
}

func TestTheCostOfAnUpload(t *testing.T) {
	for _, c := range []struct {
		name string
		o    Options
		size int
		want map[string]int
	}{
		{"empty", Options{}, 0, map[string]int{"objects.insert": 1, "objects.get": 1, "objects.rewrite": 1, "objects.delete": 1}},
		{"a few bytes", Options{}, 999, map[string]int{"objects.insert": 1, "objects.compose": 1, "objects.delete": 1}},
		{"just a chunk", Options{ChunkSize: quantum}, quantum, map[string]int{"objects.insert": 1, "objects.compose": 1, "objects.delete": 1}},
		{"two chunks and a half", Options{ChunkSize: quantum}, 5 * quantum / 2, map[string]int{
			"objects.insert": 1, "sessions.write": 3, "objects.compose": 1, "objects.delete": 1,
		}},
		{"three pieces", Options{ChunkSize: quantum, PieceSize: 2 * quantum}, 5 * quantum, map[string]int{
			"objects.insert": 3, "sessions.write": 6, "objects.compose": 1, "objects.delete": 3,
		}},
		{"of another class", Options{StorageClass: "COLDLINE"}, 9, map[string]int{
			"objects.insert": 1, "objects.compose": 1, "objects.rewrite": 1, "objects.delete": 2,
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, f := onFake(t, c.o, gcsfake.Options{})
			p := newUpload(t, s, int64(c.size))
			if c.size > 0 {
				p.append(strings.Repeat("y", c.size))
			}
			if err := p.complete(); err != nil {
				t.Fatal(err)
			}
			if used := f.Used(); !maps.Equal(used, c.want) {
				t.Errorf("(-want +got):\n%s", cmp.Diff(c.want, used))
			}
		})
	}
}

// zeros is a body that takes no memory, and looks how much the heap holds meanwhile.
type zeros struct {
	left  int64
	reads int
	peak  uint64
}

func (z *zeros) Read(p []byte) (int, error) {
	if z.left == 0 {
		return 0, io.EOF
	}
	if z.reads++; z.reads%64 == 0 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		z.peak = max(z.peak, m.HeapAlloc)
	}
	n := min(int64(len(p)), z.left)
	clear(p[:n])
	z.left -= n
	return int(n), nil
}

// A body of 256 MiB passes, in one piece and in many, with the store in the same process: two chunks, what the garbage
// collector lets pile up, and the fake's own blocks.
func TestMemoryIsBoundToTheChunk(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: it sends 512 MiB, and -short is to be quick")
	}
	const size, chunk = 256 << 20, 4 << 20
	for _, o := range []Options{{ChunkSize: chunk}, {ChunkSize: chunk, PieceSize: 2 * chunk}} {
		s, f := onFake(t, o, gcsfake.Options{Discard: true})
		p := newUpload(t, s, size)
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		z := &zeros{left: size}
		r, err := s.Append(t.Context(), p.lease, z)
		if err != nil || r.N != size {
			t.Fatalf("append: %d bytes, %v", r.N, err)
		}
		grown := int64(z.peak) - int64(m.HeapAlloc)
		if grown > 6*chunk {
			t.Errorf("the heap grew by %d bytes, of chunks of %d", grown, chunk)
		}
		t.Logf("pieces of %d: the heap grew by %.1f MiB; %v", o.PieceSize, float64(grown)/(1<<20), f.Used())
		if !s.memory.TryAcquire(s.opt.Memory) {
			t.Error("memory was not given back")
		}
	}
}

// stalled sends some bytes, and then nothing until it is let go.
type stalled struct {
	left int
	free <-chan struct{}
}

func (r *stalled) Read(p []byte) (int, error) {
	if r.left == 0 {
		<-r.free
		return 0, io.EOF
	}
	n := min(len(p), r.left)
	clear(p[:n])
	r.left -= n
	return n, nil
}

// Two hundred clients that have sent something and sleep stop nobody, even where there is no memory left at all.
func TestStalledClientsStopNobody(t *testing.T) {
	s, f := onFake(t, Options{ChunkSize: 2 << 20, Memory: 2 << 20}, gcsfake.Options{Discard: true})
	free := make(chan struct{})
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			u := tus.Upload{ID: tus.ID(fmt.Sprintf("stalled-%d", i)), Birth: "b", Length: 1 << 30}
			_, err := s.Append(t.Context(), tus.Lease{Upload: u, Epoch: 1}, &stalled{300 << 10, free})
			if err != nil {
				t.Error(err)
			}
		})
	}
	time.Sleep(100 * time.Millisecond)
	p := newUpload(t, s, 20<<20)
	p.append(strings.Repeat("z", 20<<20))
	close(free)
	wg.Wait()
	if !s.memory.TryAcquire(2 << 20) {
		t.Error("memory was not given back")
	}
	if err := p.complete(); err != nil {
		t.Error(err)
	}
	t.Logf("%v", f.Used())
}

// Operations of class A for a whole upload, by the number of its PATCHes: 1 GiB in 8 MiB chunks is 128, in 32 MiB chunks 32, in
// one body that is committed every 64 MiB 16.
func TestOperationsOfAnUpload(t *testing.T) {
	for patches, most := range map[int]int{1: 2, 16: 17, 32: 33, 33: 35, 128: 134, 1024: 1060} {
		if patches > 200 && testing.Short() {
			continue // the larger numbers take a second
		}
		s, f := onFake(t, Options{}, gcsfake.Options{Discard: true})
		p := newUpload(t, s, tus.Unknown)
		for range patches {
			p.append("x")
		}
		if err := p.complete(); err != nil {
			t.Fatal(err)
		}
		used := f.Used()
		a, b, free := gcsfake.Classes(used)
		if a > most || b != 0 {
			t.Errorf("%d PATCHes: %v", patches, used)
		}
		t.Logf("%4d PATCHes: %d of class A, %d free", patches, a, free)
	}
}
