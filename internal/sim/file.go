package sim

import (
	"hash/crc32"

	"github.com/fileloft/fileloft/tus"
)

// A file is what clients want to bring into the store.
type file struct {
	n        int
	data     []byte
	sums     []uint32 // crc32c of each prefix
	role     tus.Role
	parts    []*file
	deferred bool // its length is told late
	withBody bool // its creation brings bytes
	reject   bool // the PreFinish hook does not want it
	corrupt  bool // the store says that it holds something else
	abandon  bool // its client goes away in the middle

	id      tus.ID // as the client knows it; "": not created yet
	made    int    // creations that reached the hook
	acked   map[tus.ID]int64
	deleted bool // a client has asked to delete it
	joined  bool // a client has asked for a final upload of it
	ended   bool // nobody works on it any more
}

// plan decides what the clients want.
func (w *world) plan() {
	for range 1 + w.rng.IntN(2) {
		if w.rng.IntN(3) != 0 {
			f := w.newFile(tus.Whole)
			f.reject = w.rng.IntN(15) == 0
			f.corrupt = w.rng.IntN(25) == 0
			f.abandon = w.rng.IntN(8) == 0
			continue
		}
		a, b := w.newFile(tus.Partial), w.newFile(tus.Partial)
		f := w.newFile(tus.Final)
		f.parts = []*file{a, b}
		if w.rng.IntN(4) == 0 {
			f.parts = append(f.parts, a)
		}
		f.data = nil
		for _, p := range f.parts {
			f.data = append(f.data, p.data...)
		}
		f.sum()
		f.reject = w.rng.IntN(15) == 0
	}
}

func (w *world) newFile(r tus.Role) *file {
	n := w.rng.IntN(5) * PartSize
	switch w.rng.IntN(4) {
	case 0:
		n += w.rng.IntN(3) - 1
	case 1:
		n += w.rng.IntN(PartSize)
	}
	f := &file{n: len(w.all), role: r, data: make([]byte, max(n, 0)), acked: map[tus.ID]int64{}}
	for i := range f.data {
		f.data[i] = byte(w.rng.Uint32())
	}
	f.sum()
	f.deferred = w.rng.IntN(5) == 0
	f.withBody = w.rng.IntN(3) == 0
	w.all = append(w.all, f)
	return f
}

// fileOf returns the file that an upload is, or was, to become.
func (w *world) fileOf(id tus.ID) *file {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	return w.files[id]
}

func (f *file) sum() {
	f.sums = make([]uint32, 1, len(f.data)+1)
	for i := range f.data {
		f.sums = append(f.sums, crc32.Update(f.sums[i], castagnoli, f.data[i:i+1]))
	}
}
