package storetest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing/iotest"

	"github.com/fileloft/fileloft/tus"
)

type check struct {
	name string
	run  func(*world)
}

var checks = []check{
	{"bodies of all sizes in one Append and in several", (*world).checkSizes},
	{"many appends keep the cursor small", (*world).checkManyAppends},
	{"small reads and odd readers", (*world).checkReaders},
	{"a receipt that is not committed does not exist", (*world).checkDropped},
	{"a reader that fails midway", (*world).checkBrokenReader},
	{"a cancelled context stores nothing wrong", (*world).checkCancelled},
	{"Slots are enough for the body", (*world).checkSlots},
	{"Complete wants all bytes", (*world).checkIncomplete},
	{"Complete and Remove can be repeated", (*world).checkRepeats},
	{"a key that is taken stays whose it is", (*world).checkKeyTaken},
	{"a Complete after Remove brings nothing back", (*world).checkLateComplete},
	{"ranges can be read", (*world).checkRanges},
	{"faults at every call", (*world).checkFaults},
	{"uploads at the same time", (*world).checkParallel},
	{"one upload and many writers", (*world).checkBrawl},
	{"parts are joined in order", (*world).checkConcat},
	{"a Concat can be repeated and come late", (*world).checkConcatRepeats},
	{"a Concat without its part", (*world).checkConcatMissing},
	{"Collect removes strays and only those", (*world).checkCollect},
	{"Collect takes what lies beside a finished upload", (*world).checkCollectDone},
	{"Collect leaves an upload that is not finished alone", (*world).checkCollectRest},
	{"Idle sees a writer", (*world).checkIdle},
	{"Ping", (*world).checkPing},
}

func (w *world) sizes() []int {
	p := w.part
	return []int{0, 1, 2, p - 1, p, p + 1, 2*p - 1, 2 * p, 2*p + 1, 3*p + p/2}
}

func (w *world) checkSizes() {
	for _, size := range w.sizes() {
		for _, step := range []int{size, w.part - 1, w.part, w.part + 1, size/2 + 1, size/5 + 1} {
			l := w.newLife(int64(size))
			lease := w.done(l, w.bytes(size), max(step, 1))
			w.check(l, "done")
			w.noErr(w.s.Remove(w.ctx, l.to(w, lease, tus.Doomed)), "remove")
			w.checkGone(l, "removed")
			w.checkPieces(l, "removed")
		}
	}
}

func (w *world) checkManyAppends() {
	size := 3*w.part + 17
	l := w.newLife(int64(size))
	w.done(l, w.bytes(size), max(size/150, 1))
	w.check(l, "done")
}

func (w *world) checkReaders() {
	body := w.bytes(w.part + 100)
	for name, wrap := range map[string]func(io.Reader) io.Reader{
		"one byte at a time":         iotest.OneByteReader,
		"half of what is asked":      iotest.HalfReader,
		"data together with the end": iotest.DataErrReader,
	} {
		l := w.newLife(int64(len(body)))
		lease := l.acquire(w.s, int64(len(body)))
		r := &recorder{r: wrap(bytes.NewReader(body))}
		rec, err := w.s.Append(w.ctx, lease, r)
		w.noErr(err, name)
		w.checkReceipt(lease, rec, err, r.ends, nil)
		lease, _ = l.record(w.s, lease, rec, body, 0)
		w.complete(l, l.to(w, lease, tus.Sealed))
		w.check(l, name)
	}
}

// checkDropped: a body that did not match its checksum is thrown away, its slots are spoilt, and another comes
// at the same offset, under the same lease and under the next.
func (w *world) checkDropped() {
	for _, size := range w.sizes()[1:] {
		for _, at := range []int{0, 1, size / 2} {
			if at >= size {
				continue
			}
			good := w.bytes(size)
			l := w.newLife(int64(size))
			lease := l.acquire(w.s, int64(size))
			if at > 0 {
				lease, _ = l.record(w.s, lease, w.append(lease, good[:at]), good[:at], int64(size))
			}
			for again := range 3 {
				rec := w.append(lease, w.bytes(max(size-at-again%2, 1)))
				lease, _ = l.drop(w.s, lease, rec, int64(size))
				if again == 1 {
					lease = l.acquire(w.s, int64(size))
				}
			}
			lease, _ = l.record(w.s, lease, w.append(lease, good[at:]), good[at:], 0)
			w.complete(l, l.to(w, lease, tus.Sealed))
			w.check(l, "after dropped receipts")
		}
	}
}

func (w *world) checkBrokenReader() {
	for _, size := range w.sizes()[2:] {
		body := w.bytes(size)
		l := w.newLife(int64(size))
		for l.up.Offset < int64(size) {
			left := body[l.up.Offset:]
			cut := len(left)/2 + 1
			lease := l.acquire(w.s, int64(len(left)))
			r := &recorder{r: io.MultiReader(bytes.NewReader(left[:cut]), iotest.ErrReader(errBroken))}
			rec, err := w.s.Append(w.ctx, lease, r)
			if !errors.Is(err, errBroken) {
				w.fail("append: the reader's error is not in %v", err)
			}
			w.checkReceipt(lease, rec, err, r.ends, errBroken)
			if rec.N != int64(cut) {
				w.fail("append: %d of %d bytes before the error count", rec.N, cut)
			}
			l.record(w.s, lease, rec, left, 0)
		}
		w.complete(l, l.to(w, l.acquire(w.s, 0), tus.Sealed))
		w.check(l, "after broken readers")
	}
}

// checkCancelled: how much is stored under a context that ends is the driver's choice, but the receipt tells.
func (w *world) checkCancelled() {
	body := w.bytes(3 * w.part)
	for _, after := range []int64{0, 1, int64(w.part), int64(2*w.part + 1)} {
		l := w.newLife(int64(len(body)))
		lease := l.acquire(w.s, int64(len(body)))
		ctx, cancel := context.WithCancel(w.ctx)
		r := &recorder{}
		r.r = readerFunc(func(p []byte) (int, error) {
			if r.n >= after {
				cancel()
			}
			n := copy(p[:min(len(p), 1000)], body[r.n:])
			if n == 0 {
				return 0, io.EOF
			}
			return n, nil
		})
		rec, err := w.s.Append(ctx, lease, r)
		cancel()
		w.checkReceipt(lease, rec, err, r.ends, nil)
		l.record(w.s, lease, rec, body, 0)
		rest := body[l.up.Offset:]
		lease = l.acquire(w.s, int64(len(rest)))
		if len(rest) > 0 {
			lease, _ = l.record(w.s, lease, w.append(lease, rest), rest, 0)
		}
		w.complete(l, l.to(w, lease, tus.Sealed))
		w.check(l, "after a cancelled context")
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func (w *world) checkPing() {
	if p, ok := find[tus.Pinger](w.s); ok {
		w.noErr(p.Ping(w.ctx), "ping")
	}
}
