package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/fileloft/fileloft/tus"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// A world is one storage under test, and what happens to it.
type world struct {
	ctx    context.Context
	s      tus.Storage
	made   tus.Storage // as New returned it
	cfg    Config
	part   int
	rng    *rand.Rand
	log    []string
	actors []*actor // all that were started
	ending bool
}

func newWorld(ctx context.Context, s tus.Storage, c Config, seed uint64) *world {
	c = c.withDefaults(false)
	return &world{ctx: ctx, s: s, made: s, cfg: c, part: c.PartSize, rng: rand.New(rand.NewPCG(seed, 0x746f7265))}
}

// A failure ends a check: world.fail panics with it, world.run returns it.
type failure struct{ error }

func (w *world) fail(format string, args ...any) { panic(failure{fmt.Errorf(format, args...)}) }

func (w *world) noErr(err error, what string) {
	if err != nil {
		w.fail("%s: %w", what, err)
	}
}

func (w *world) note(format string, args ...any) { w.log = append(w.log, fmt.Sprintf(format, args...)) }

func (w *world) run(f func(*world)) (err error) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case failure:
			err = p.error
		default:
			panic(p)
		}
		w.wake()
		if err == nil && w.cfg.Violations != nil {
			if v := w.cfg.Violations(w.made); len(v) > 0 {
				err = fmt.Errorf("violations: %q", v)
			}
		}
	}()
	f(w)
	return nil
}

// wake lets every reader that still waits end, so that no goroutine stays.
func (w *world) wake() {
	w.ending = true
	for _, a := range w.actors {
		for !a.over() {
			a.advance(w, 0)
		}
	}
}

// A life is one record as the state would keep it, and the bytes that it stands for.
type life struct {
	mu      sync.Mutex
	up      tus.Upload
	epoch   tus.Epoch
	nonce   int
	granted uint32 // the first slot never granted
	want    []byte // what the committed offset covers
}

func (w *world) newLife(length int64) *life {
	return &life{up: tus.Upload{
		ID: tus.NewID(), Birth: string(tus.NewID()[:12]), Length: length,
		Metadata: "filename c3RvcmV0ZXN0", Created: time.Unix(1_700_000_000, 0),
	}, granted: 1}
}

// acquire grants the next lease, for a body of n bytes.
func (l *life) acquire(s tus.Storage, n int64) tus.Lease {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.epoch++
	return l.grant(s.Slots(n))
}

func (l *life) grant(slots uint32) tus.Lease {
	l.nonce++
	first := l.granted
	l.granted += slots
	l.up.NextSlot = first
	u := l.up
	u.Cursor = slices.Clone(u.Cursor)
	return tus.Lease{Upload: u, Epoch: l.epoch, Slots: tus.Slots{First: first, N: slots}, Nonce: fmt.Sprint("n", l.nonce)}
}

// commit replaces the record, if the lease still counts, and grants slots for n more bytes.
func (l *life) commit(s tus.Storage, lease tus.Lease, next tus.Upload, data []byte, n int64) (tus.Lease, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if lease.Epoch != l.epoch || lease.Nonce != fmt.Sprint("n", l.nonce) {
		return tus.Lease{}, false
	}
	next.Cursor = slices.Clone(next.Cursor)
	l.up = next
	l.granted = next.NextSlot
	l.want = append(l.want[:len(l.want):len(l.want)], data...)
	return l.grant(s.Slots(n)), true
}

// record commits a receipt for the first bytes of body.
func (l *life) record(s tus.Storage, lease tus.Lease, r tus.Receipt, body []byte, n int64) (tus.Lease, bool) {
	next := lease.Upload
	next.Offset += r.N
	next.Cursor = r.Cursor
	next.NextSlot = r.NextSlot
	return l.commit(s, lease, next, body[:r.N], n)
}

// drop commits nothing but the slots that a receipt spoilt.
func (l *life) drop(s tus.Storage, lease tus.Lease, r tus.Receipt, n int64) (tus.Lease, bool) {
	next := lease.Upload
	next.NextSlot = r.NextSlot
	return l.commit(s, lease, next, nil, n)
}

// to commits a phase.
func (l *life) to(w *world, lease tus.Lease, p tus.Phase) tus.Lease {
	next := lease.Upload
	next.Phase = p
	next.NextSlot = lease.Slots.First
	lease, ok := l.commit(w.s, lease, next, nil, 0)
	if !ok {
		w.fail("storetest: the model lost its own lease")
	}
	return lease
}

func (w *world) bytes(n int) []byte {
	b := make([]byte, n)
	for i := 0; i < n; i += 8 {
		v := w.rng.Uint64()
		for j := i; j < min(i+8, n); j++ {
			b[j] = byte(v)
			v >>= 8
		}
	}
	return b
}

// checkReceipt holds a receipt against the contract. ends are the places after each Read.
func (w *world) checkReceipt(lease tus.Lease, r tus.Receipt, err error, ends []int64, broken error) {
	total := int64(0)
	if len(ends) > 0 {
		total = ends[len(ends)-1]
	}
	switch {
	case r.N < 0 || r.N > total:
		w.fail("receipt: N = %d of %d bytes read", r.N, total)
	case r.N > 0 && !slices.Contains(ends, r.N):
		w.fail("receipt: N = %d is not the end of a Read (%v)", r.N, ends)
	case err == nil && r.N != total:
		w.fail("receipt: N = %d of %d bytes, and no error", r.N, total)
	case err == nil && broken != nil:
		w.fail("append: no error, though the reader had one")
	case r.NextSlot < lease.Slots.First || r.NextSlot > lease.Slots.End():
		w.fail("receipt: NextSlot = %d is not within %+v", r.NextSlot, lease.Slots)
	case len(r.Cursor) > tus.MaxCursor:
		w.fail("receipt: a cursor of %d bytes", len(r.Cursor))
	}
}

// append appends body under the lease and checks the receipt.
func (w *world) append(lease tus.Lease, body []byte) tus.Receipt {
	r := &recorder{r: bytes.NewReader(body)}
	rec, err := w.s.Append(w.ctx, lease, r)
	w.checkReceipt(lease, rec, err, r.ends, nil)
	w.noErr(err, "append")
	return rec
}

// upload makes an upload of body in pieces of at most step bytes, up to Sealed.
func (w *world) upload(l *life, body []byte, step int) tus.Lease {
	lease := l.acquire(w.s, int64(min(step, len(body))))
	for off := 0; off < len(body); {
		piece := body[off:min(off+step, len(body))]
		rec := w.append(lease, piece)
		off += len(piece)
		lease, _ = l.record(w.s, lease, rec, piece, int64(min(step, len(body)-off)))
	}
	return l.to(w, lease, tus.Sealed)
}

// complete completes and checks what is said about the object.
func (w *world) complete(l *life, lease tus.Lease) {
	st, err := w.s.Complete(w.ctx, lease)
	w.noErr(err, "complete")
	w.checkStored(l, st)
}

func (w *world) checkStored(l *life, st tus.Stored) {
	if st.Size != int64(len(l.want)) {
		w.fail("complete: size %d instead of %d", st.Size, len(l.want))
	}
	if crc := crc32.Checksum(l.want, castagnoli); st.HasCRC32C && st.CRC32C != crc {
		w.fail("complete: crc32c %08x instead of %08x", st.CRC32C, crc)
	}
}

// done makes a finished upload of body.
func (w *world) done(l *life, body []byte, step int) tus.Lease {
	lease := w.upload(l, body, step)
	w.complete(l, lease)
	return l.to(w, lease, tus.Done)
}

// check compares the object with what was committed.
func (w *world) check(l *life, when string) {
	o, ok := find[tus.Opener](w.s)
	if !ok {
		return
	}
	u := l.up
	rc, err := o.Open(w.ctx, u, 0, u.Length)
	if err != nil {
		w.fail("%s: open: %w", when, err)
	}
	got, err := io.ReadAll(rc)
	w.noErr(errors.Join(err, rc.Close()), when+": read")
	if !bytes.Equal(got, l.want) {
		at := 0
		for at < len(got) && at < len(l.want) && got[at] == l.want[at] {
			at++
		}
		w.fail("%s: the object differs from what was committed at byte %d (of %d, expected %d)", when, at, len(got), len(l.want))
	}
}

// checkGone checks that no object of the upload can be read.
func (w *world) checkGone(l *life, when string) {
	if o, ok := find[tus.Opener](w.s); ok {
		if rc, err := o.Open(w.ctx, l.up, 0, max(l.up.Length, 0)); err == nil {
			_ = rc.Close()
			w.fail("%s: the object of a removed upload can be read", when)
		}
	}
}

// checkPieces checks that nothing is left of the upload.
func (w *world) checkPieces(l *life, when string) {
	if w.cfg.Pieces != nil {
		if p := w.cfg.Pieces(w.made, l.up); len(p) > 0 {
			w.fail("%s: left behind: %q", when, p)
		}
	}
}

// find looks for an ability as the engine does.
func find[T any](s tus.Storage) (T, bool) {
	for {
		if t, ok := s.(T); ok {
			return t, true
		}
		u, ok := s.(interface{ Unwrap() tus.Storage })
		if !ok {
			var none T
			return none, false
		}
		s = u.Unwrap()
	}
}
