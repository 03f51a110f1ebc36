package storetest

import (
	"bytes"
	"errors"
	"io"

	"github.com/fileloft/fileloft/tus"
)

// checkSlots: a body never runs out of the slots that Slots named for it, of a known or an unknown length, behind any tail.
func (w *world) checkSlots() {
	for _, first := range []int{0, 1, w.part - 1, w.part, w.part + 1} {
		for _, size := range w.sizes() {
			l := w.newLife(int64(first + size))
			body := w.bytes(first + size)
			lease := l.acquire(w.s, int64(first))
			if first > 0 {
				lease, _ = l.record(w.s, lease, w.append(lease, body[:first]), body[:first], -1)
			}
			if first%2 == 0 {
				lease, _ = l.commit(w.s, lease, lease.Upload, nil, int64(size))
			}
			lease, _ = l.record(w.s, lease, w.append(lease, body[first:]), body[first:], 0)
			w.complete(l, l.to(w, lease, tus.Sealed))
			w.check(l, "done")
		}
	}
}

func (w *world) checkIncomplete() {
	for _, have := range []int{0, 1, w.part, w.part + 1} {
		l := w.newLife(int64(have + 1))
		lease := w.upload(l, w.bytes(have), w.part)
		if _, err := w.s.Complete(w.ctx, lease); err == nil {
			w.fail("complete: %d bytes of %d, and no error", have, have+1)
		}
		w.checkGone(l, "incomplete")
		w.noErr(w.s.Remove(w.ctx, l.to(w, lease, tus.Doomed)), "remove")
		w.checkPieces(l, "removed")
	}
}

func (w *world) checkRepeats() {
	for _, size := range w.sizes() {
		l := w.newLife(int64(size))
		lease := w.upload(l, w.bytes(size), w.part)
		for n := range 4 {
			if n == 2 {
				lease = l.acquire(w.s, 0)
			}
			w.complete(l, lease)
			w.check(l, "completed again")
		}
		lease = l.to(w, lease, tus.Doomed)
		for n := range 4 {
			if n == 2 {
				lease = l.acquire(w.s, 0)
			}
			w.noErr(w.s.Remove(w.ctx, lease), "remove")
			w.checkGone(l, "removed")
			w.checkPieces(l, "removed")
		}
	}
	l := w.newLife(5)
	w.noErr(w.s.Remove(w.ctx, l.to(w, l.acquire(w.s, 0), tus.Doomed)), "remove what was never there")
}

func (w *world) checkKeyTaken() {
	for _, size := range []int{0, 10, 2*w.part + 1} {
		a, b := w.newLife(int64(size)), w.newLife(int64(size))
		a.up.Key = "dir/" + string(a.up.ID) + "/name of it.txt"
		b.up.Key = a.up.Key
		w.done(a, w.bytes(size), w.part)
		lease := w.upload(b, w.bytes(size), w.part)
		for range 2 {
			if _, err := w.s.Complete(w.ctx, lease); !errors.Is(err, tus.ErrExists) {
				w.fail("complete under a key that is taken: %v", err)
			}
			w.check(a, "after another wanted its key")
		}
		lease = b.to(w, lease, tus.Doomed)
		w.noErr(w.s.Remove(w.ctx, lease), "remove")
		w.check(a, "after the other was removed")
		w.checkPieces(b, "removed")

		// Once the key is free, another can have it, whatever its first owner's late calls do.
		end := a.to(w, a.acquire(w.s, 0), tus.Doomed)
		w.noErr(w.s.Remove(w.ctx, end), "remove")
		c := w.newLife(int64(size))
		c.up.Key = a.up.Key
		w.done(c, w.bytes(size), w.part)
		w.noErr(w.s.Remove(w.ctx, end), "remove again")
		w.noErr(w.s.Remove(w.ctx, lease), "remove again")
		w.check(c, "after late removals of others")
	}
}

func (w *world) checkLateComplete() {
	for _, role := range []tus.Role{tus.Whole, tus.Partial} {
		for _, size := range w.sizes() {
			for _, before := range []bool{false, true} {
				l := w.newLife(int64(size))
				l.up.Concat.Role = role
				sealed := w.upload(l, w.bytes(size), w.part)
				if before {
					w.complete(l, sealed)
				}
				lease := l.to(w, l.acquire(w.s, 0), tus.Doomed)
				w.noErr(w.s.Remove(w.ctx, lease), "remove")
				_, _ = w.s.Complete(w.ctx, sealed)
				w.checkGone(l, "late complete")
			}
		}
	}
}

func (w *world) checkRanges() {
	o, ok := find[tus.Opener](w.s)
	if !ok {
		return
	}
	for _, role := range []tus.Role{tus.Whole, tus.Partial} {
		size := 3*w.part + 5
		l := w.newLife(int64(size))
		l.up.Concat.Role = role
		w.done(l, w.bytes(size), w.part+1)
		for _, off := range []int{0, 1, w.part - 1, w.part, 2*w.part + 1, size - 1, size} {
			for _, n := range []int{0, 1, w.part, w.part + 1, size - off} {
				n = min(n, size-off)
				rc, err := o.Open(w.ctx, l.up, int64(off), int64(n))
				w.noErr(err, "open")
				var got bytes.Buffer
				_, err = io.Copy(&got, rc)
				w.noErr(errors.Join(err, rc.Close()), "read")
				if !bytes.Equal(got.Bytes(), l.want[off:off+n]) {
					w.fail("open: the %d bytes from %d on are wrong (%d read)", n, off, got.Len())
				}
			}
		}
	}
	if _, err := o.Open(w.ctx, w.newLife(3).up, 0, 3); !errors.Is(err, tus.ErrNotFound) {
		w.fail("open of what is not there: %v", err)
	}
}
