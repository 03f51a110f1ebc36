package storetest

import (
	"errors"
	"io"
	"runtime"
	"testing"

	"github.com/fileloft/fileloft/tus"
)

// partials makes n finished Partial uploads of the sizes.
func (w *world) partials(sizes ...int) []*life {
	var ls []*life
	for _, size := range sizes {
		l := w.newLife(int64(size))
		l.up.Concat.Role = tus.Partial
		w.done(l, w.bytes(size), w.part+1)
		ls = append(ls, l)
	}
	return ls
}

// final makes a sealed Final upload of the parts.
func (w *world) final(parts []*life) (*life, tus.Lease, []tus.Upload) {
	l := w.newLife(0)
	l.up.Concat.Role = tus.Final
	var ups []tus.Upload
	for _, p := range parts {
		l.up.Concat.Parts = append(l.up.Concat.Parts, p.up.ID)
		l.up.Length += p.up.Length
		l.want = append(l.want, p.want...)
		ups = append(ups, p.up)
	}
	l.up.Offset = l.up.Length
	return l, l.to(w, l.acquire(w.s, 0), tus.Sealed), ups
}

func (w *world) concat(c tus.Concatenator, l *life, lease tus.Lease, parts []tus.Upload) {
	st, err := c.Concat(w.ctx, lease, parts)
	w.noErr(err, "concat")
	w.checkStored(l, st)
	w.check(l, "joined")
}

func (w *world) checkConcat() {
	c, ok := find[tus.Concatenator](w.s)
	if !ok {
		return
	}
	p := w.partials(0, 1, w.part-1, w.part, w.part+1, 2*w.part+1)
	for _, parts := range [][]*life{
		{p[1]},
		{p[0]},
		{p[0], p[0]},
		{p[1], p[2], p[3], p[4], p[5]},
		{p[5], p[4], p[3], p[2], p[1], p[0]},
		{p[2], p[2], p[2]},
		{p[3], p[1], p[3], p[1], p[0], p[3]},
	} {
		l, lease, ups := w.final(parts)
		w.concat(c, l, lease, ups)
		w.noErr(w.s.Remove(w.ctx, l.to(w, lease, tus.Doomed)), "remove")
		w.checkGone(l, "removed")
		w.checkPieces(l, "removed")
	}
	for _, part := range p {
		w.check(part, "the part, after it was used")
		w.noErr(w.s.Remove(w.ctx, part.to(w, part.acquire(w.s, 0), tus.Doomed)), "remove")
		w.checkPieces(part, "removed")
	}
}

func (w *world) checkConcatRepeats() {
	c, ok := find[tus.Concatenator](w.s)
	if !ok {
		return
	}
	for _, again := range []bool{false, true} {
		parts := w.partials(w.part+1, 3)
		l, sealed, ups := w.final(parts)
		lease := sealed
		for n := range 4 {
			if n == 2 {
				lease = l.acquire(w.s, 0)
			}
			w.concat(c, l, lease, ups)
		}
		for _, p := range parts { // the parts of a finished upload may be removed
			w.noErr(w.s.Remove(w.ctx, p.to(w, p.acquire(w.s, 0), tus.Doomed)), "remove")
			w.checkPieces(p, "removed")
		}
		w.concat(c, l, lease, ups)
		w.noErr(w.s.Remove(w.ctx, l.to(w, l.acquire(w.s, 0), tus.Doomed)), "remove")
		w.checkGone(l, "removed")
		_, _ = c.Concat(w.ctx, sealed, ups)
		w.checkGone(l, "late concat without parts")

		// The same with parts that are still there: nothing but the storage itself is in a late Concat's way.
		parts = w.partials(w.part+1, 3)
		l, sealed, ups = w.final(parts)
		if again {
			w.concat(c, l, sealed, ups)
		}
		w.noErr(w.s.Remove(w.ctx, l.to(w, l.acquire(w.s, 0), tus.Doomed)), "remove")
		_, _ = c.Concat(w.ctx, sealed, ups)
		w.checkGone(l, "late concat")
	}
}

func (w *world) checkConcatMissing() {
	c, ok := find[tus.Concatenator](w.s)
	if !ok {
		return
	}
	parts := w.partials(w.part, 2)
	l, lease, ups := w.final(parts)
	w.noErr(w.s.Remove(w.ctx, parts[1].to(w, parts[1].acquire(w.s, 0), tus.Doomed)), "remove")
	if _, err := c.Concat(w.ctx, lease, ups); !errors.Is(err, tus.ErrNotFound) {
		w.fail("concat without its part: %v", err)
	}
	w.checkGone(l, "not joined")
	w.noErr(w.s.Remove(w.ctx, l.to(w, lease, tus.Doomed)), "remove")
	w.checkPieces(l, "removed")
}

// checkIdle: a writer that waits for bytes is seen, in its first Append and in the next.
func (w *world) checkIdle() {
	p, ok := find[tus.Prober](w.s)
	if !ok {
		return
	}
	body := w.bytes(2 * w.part)
	l := w.newLife(int64(len(body)))
	for l.up.Offset < l.up.Length {
		lease := l.acquire(w.s, int64(w.part))
		piece := body[l.up.Offset:][:w.part]
		a := w.start(l, lease, piece, nil)
		if p.Idle(w.ctx, l.up) {
			w.fail("idle at %d, while a writer waits for its first byte", l.up.Offset)
		}
		for a.advance(w, w.part/3); !a.over(); a.advance(w, w.part/3) {
			if p.Idle(w.ctx, l.up) {
				w.fail("idle at %d, while a writer waits for bytes", l.up.Offset)
			}
		}
		l.record(w.s, lease, a.res.rec, piece, 0)
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
	if z.reads++; z.reads%256 == 0 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		z.peak = max(z.peak, m.HeapAlloc)
	}
	n := min(int64(len(p)), z.left)
	clear(p[:n])
	z.left -= n
	return int(n), nil
}

// checkMemory sends a body much larger than what a driver may hold.
func checkMemory(t *testing.T, c Config) {
	if c.MaxHeap < 0 || testing.Short() || raceEnabled {
		t.Skip("skipped: the storage keeps bodies in memory, -short, or -race")
	}
	const size = 256 << 20
	s := c.New(t)
	w := newWorld(t.Context(), s, c, 1)
	l := w.newLife(size)
	lease := l.acquire(s, size)
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	z := &zeros{left: size}
	rec, err := s.Append(t.Context(), lease, z)
	if err != nil || rec.N != size {
		t.Fatalf("append: %d bytes, %v", rec.N, err)
	}
	// The garbage collector lets the heap double before it runs.
	if grown := int64(z.peak) - int64(m.HeapAlloc); grown > c.MaxHeap {
		t.Errorf("the heap grew by %d bytes while %d passed; at most %d are allowed", grown, size, c.MaxHeap)
	}
	next := lease.Upload
	next.Cursor = rec.Cursor
	next.Phase = tus.Doomed
	if err := s.Remove(t.Context(), tus.Lease{Upload: next, Epoch: 2}); err != nil {
		t.Error(err)
	}
}
