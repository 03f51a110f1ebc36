package azurestore

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fileloft/fileloft/tus"
)

// An upload of many PATCHes: each is one request, whatever came before. Where a stage is full the next PATCH sends one more, which
// binds it; and where the stages are small enough that is seen here.
func TestTheCostOfAPatchDoesNotGrow(t *testing.T) {
	s, w := onAzurite(t, Options{})
	s.full = 100
	p := newUpload(t, s, tus.Unknown)
	const window = 100
	longest, want := 0, ""
	for n := range 10 * window {
		body := fmt.Sprintf("%d,", n)
		p.append(body)
		want += body
		longest = max(longest, len(p.lease.Upload.Cursor))
		if (n+1)%window != 0 {
			continue
		}
		used := w.take()
		binds := 1
		if n < window {
			binds = 0
		}
		if used["PutBlock"] != window || used["PutBlockList"] != binds || used["GetBlobProperties"] != binds || len(used) > 3 {
			t.Errorf("PATCHes up to %d: %v", n+1, used)
		}
	}
	if longest > 1000 {
		t.Errorf("a cursor of %d bytes", longest)
	}
	if err := p.complete(); err != nil {
		t.Fatal(err)
	}
	used := w.take()
	if writes, reads := billed(used); writes != 1+10+1+1 || reads != 9+1+1 {
		t.Errorf("complete: %v", used)
	}
	if got := p.object(); got != want {
		t.Errorf("%d bytes come back of %d, or in another order: %.80s", len(got), len(want), got)
	}
	if left := left(t, s, p.lease.Upload); len(left) != 1 {
		t.Errorf("left behind: %q", left)
	}
	t.Logf("complete: %v; the longest cursor had %d bytes", used, longest)
}

func TestTheCostOfAnUpload(t *testing.T) {
	type counts = map[string]int
	for _, c := range []struct {
		name    string
		o       Options
		patches []int
		change  func(*Store)
		want    counts
	}{
		{"empty", Options{}, nil, nil, counts{"PutBlockList": 1, "GetBlobProperties": 2, "CopyBlob": 1, "DeleteBlob": 1}},
		{"a few bytes", Options{}, []int{9}, nil, counts{"PutBlock": 1, "PutBlockList": 1, "GetBlobProperties": 1, "CopyBlob": 1, "DeleteBlob": 1}},
		{"just a block", Options{}, []int{1000}, nil, counts{"PutBlock": 1, "PutBlockList": 1, "GetBlobProperties": 1, "CopyBlob": 1, "DeleteBlob": 1}},
		{"bodies of two blocks and a half", Options{}, []int{2500, 2500}, nil, counts{
			"PutBlock": 6, "PutBlockList": 1, "GetBlobProperties": 1, "CopyBlob": 1, "DeleteBlob": 1,
		}},
		{"of another tier", Options{AccessTier: "Cold"}, []int{9}, nil, counts{
			"PutBlock": 1, "PutBlockList": 1, "GetBlobProperties": 1, "CopyBlob": 1, "DeleteBlob": 1,
		}},
		{"one stage that is full", Options{}, []int{9, 9}, func(s *Store) { s.full = 2 }, counts{
			"PutBlock": 2, "PutBlockList": 1, "GetBlobProperties": 1, "CopyBlob": 1, "DeleteBlob": 1,
		}},
		{"two stages", Options{}, []int{9, 9, 9}, func(s *Store) { s.full = 2 }, counts{
			"PutBlock": 3, "PutBlockList": 3, "PutBlockFromURL": 2, "GetBlobProperties": 4, "CopyBlob": 1, "DeleteBlob": 3,
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, w := onAzurite(t, c.o)
			if c.change != nil {
				c.change(s)
			}
			p := newUpload(t, s, tus.Unknown)
			for _, n := range c.patches {
				p.append(strings.Repeat("y", n))
			}
			if err := p.complete(); err != nil {
				t.Fatal(err)
			}
			if used := w.take(); !maps.Equal(used, c.want) {
				t.Errorf("(-want +got):\n%s", cmp.Diff(c.want, used))
			}
			if err := s.Remove(t.Context(), p.doomed()); err != nil {
				t.Error(err)
			}
			used := w.take()
			most := 1 // the list that finds nothing
			if len(c.patches) == 0 {
				most++ // the sign
			}
			if writes, reads := billed(used); writes != most || reads != 1 {
				t.Errorf("remove: %v", used)
			}
		})
	}
}

// What a removal before the end costs: the list, an empty list of blocks and a deletion for each stage, the list that finds nothing.
func TestTheCostOfARemoval(t *testing.T) {
	s, w := onAzurite(t, Options{})
	p := newUpload(t, s, tus.Unknown)
	p.append("some bytes")
	w.take()
	if err := s.Remove(t.Context(), p.doomed()); err != nil {
		t.Fatal(err)
	}
	want := map[string]int{"ListBlobs": 2, "PutBlockList": 1, "DeleteBlob": 1, "GetBlobProperties": 1}
	if used := w.take(); !maps.Equal(used, want) {
		t.Errorf("(-want +got):\n%s", cmp.Diff(want, used))
	}
}

// heapPeak watches how much the heap holds while a body is read.
type heapPeak struct {
	r     io.Reader
	reads int
	peak  uint64
}

func (h *heapPeak) Read(p []byte) (int, error) {
	if h.reads++; h.reads%64 == 0 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		h.peak = max(h.peak, m.HeapAlloc)
	}
	return h.r.Read(p)
}

// A body of 256 MiB passes. It may hold the blocks on their way and the one that is being filled, and what the garbage collector
// lets pile up.
func TestMemoryIsBound(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: it sends 256 MiB, and -short is to be quick")
	}
	const size, block, parallel = 256 << 20, 4 << 20, 3
	s, w := nowhere(t, Options{BlockSize: block, Parallel: parallel}, slowStore)
	p := newUpload(t, s, size)
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	h := &heapPeak{r: io.LimitReader(endless{}, size)}
	r, err := s.Append(t.Context(), p.next(size), h)
	if err != nil || r.N != size {
		t.Fatalf("append: %d bytes, %v", r.N, err)
	}
	grown := int64(h.peak) - int64(m.HeapAlloc)
	if grown > (parallel+1)*block*3 { // sync.Pool forgets much under the race detector
		t.Errorf("the heap grew by %d bytes, with %d blocks of %d at a time", grown, parallel, block)
	}
	if used := w.take(); used["PutBlock"] != size/block || len(used) != 1 {
		t.Errorf("%v", used)
	}
	if !s.memory.TryAcquire(s.opt.Memory) {
		t.Error("memory was not given back")
	}
	t.Logf("the heap grew by %.1f MiB", float64(grown)/(1<<20))
}

// slowStore is a store that is slower than the client.
func slowStore(c call) (*http.Response, error) {
	time.Sleep(2 * time.Millisecond)
	return empty(c)
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { clear(p); return len(p), nil }

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

// Two hundred clients that have sent something and sleep stop nobody, even where there is no memory left at all, and nobody runs out of
// slots.
func TestStalledClientsStopNobody(t *testing.T) {
	s, w := nowhere(t, Options{BlockSize: 2 << 20, Memory: 2 << 20}, empty)
	free := make(chan struct{})
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			u := tus.Upload{ID: tus.ID(fmt.Sprintf("stalled-%d", i)), Birth: "b", Length: 1 << 30}
			_, err := s.Append(t.Context(), tus.Lease{Upload: u, Epoch: 1, Slots: tus.Slots{First: 1, N: s.Slots(300 << 10)}}, &stalled{300 << 10, free})
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
	t.Logf("%v", w.take())
}

// Known lengths decide how large blocks are: an upload fits into a stage while they may grow.
func TestBlocksGrowWithTheUpload(t *testing.T) {
	s, _ := nowhere(t, Options{BlockSize: 8 << 20}, empty)
	for length, want := range map[int64]int64{
		tus.Unknown: 8 << 20, 0: 8 << 20, 300 << 30: 8 << 20, 1 << 40: 27 << 20, 100 << 40: growTo,
	} {
		got := s.blockSize(length)
		if got != want || length > 0 && length < 1<<41 && length/got > manyBlocks {
			t.Errorf("%d bytes: blocks of %d", length, got)
		}
	}
	if s, _ := nowhere(t, Options{BlockSize: 512 << 20}, empty); s.blockSize(100<<40) != 512<<20 {
		t.Errorf("blocks of %d", s.blockSize(100<<40))
	}
}

func TestTheCostOfAConcat(t *testing.T) {
	s, w := onAzurite(t, Options{})
	parts := partials(t, s, "one", "two", "", "three")
	p := joining(t, s, 11)
	w.take()
	if _, err := s.Concat(t.Context(), p.lease, parts); err != nil {
		t.Fatal(err)
	}
	want := map[string]int{"GetBlobProperties": 3 + 4, "PutBlockFromURL": 3, "PutBlockList": 1, "CopyBlob": 1, "DeleteBlob": 1}
	if used := w.take(); !maps.Equal(used, want) {
		t.Errorf("(-want +got):\n%s", cmp.Diff(want, used))
	}
	if got := p.object(); got != "onetwothree" {
		t.Errorf("%q", got)
	}
	if used := w.take(); !maps.Equal(used, map[string]int{"GetBlob": 1}) {
		t.Errorf("open: %v", used)
	}
}
