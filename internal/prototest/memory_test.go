package prototest

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/fileloft/fileloft/tus"
)

// TestMemoryBudget uploads 64 files of 64 MiB at once into files. The heap of the whole process, its clients included,
// stays under 128 MiB.
func TestMemoryBudget(t *testing.T) {
	if testing.Short() {
		t.Skip("4 GiB are too much for -short")
	}
	const uploads, size, budget = 64, 64 << 20, 128 << 20
	state, storage := openFiles(t, t.TempDir(), tus.Options{})
	s := serve(t, state, storage, tus.Options{Log: logger()})
	s.Client.Timeout = 10 * time.Minute
	urls := make([]string, uploads)
	for i := range urls {
		urls[i] = s.create(t, size)
	}
	runtime.GC()
	ctx, cancel := context.WithCancel(t.Context())
	var peak uint64
	var sampler, senders sync.WaitGroup
	sampler.Go(func() {
		for ctx.Err() == nil {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			peak = max(peak, m.HeapInuse)
			time.Sleep(5 * time.Millisecond)
		}
	})
	errs := make([]error, uploads)
	for i, url := range urls {
		senders.Go(func() { errs[i] = s.stream(url, size, byte(i)) })
	}
	senders.Wait()
	cancel()
	sampler.Wait()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("peak of the heap in use: %.1f MiB", float64(peak)/(1<<20))
	if peak > budget {
		t.Errorf("peak of the heap in use: %.1f MiB, want at most %d MiB", float64(peak)/(1<<20), budget>>20)
	}
}

// stream sends size times one byte, without having them anywhere.
func (s *Server) stream(url string, size int64, b byte) error {
	req, err := http.NewRequest(http.MethodPatch, url, io.LimitReader(same(b), size))
	if err != nil {
		return err
	}
	req.ContentLength = size
	for i, h := 0, patchHeaders(0, []string{"Tus-Resumable", "1.0.0"}); i < len(h); i += 2 {
		req.Header.Set(h[i], h[i+1])
	}
	a, err := s.roundTrip(req)
	if err != nil {
		return err
	}
	if a.Status != 204 || a.Header.Get("Upload-Offset") != fmt.Sprint(size) {
		return fmt.Errorf("%s: %d, %v, %s", a.what, a.Status, a.Header, a.Body)
	}
	return nil
}

// same is an endless reader of one byte.
type same byte

func (s same) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(s)
	}
	return len(b), nil
}
