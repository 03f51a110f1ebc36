package storetest

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/fileloft/fileloft/tus"
)

type look = func(ctx context.Context, id tus.ID, birth string) (tus.Upload, error)

// lookAmong answers the Collector from the records of lives, by id and birth; of others it says what others says. Nil: they have none.
func lookAmong(others look, lives ...*life) look {
	return func(ctx context.Context, id tus.ID, birth string) (tus.Upload, error) {
		for _, l := range lives {
			if l.up.ID == id && l.up.Birth == birth {
				return l.up, nil
			}
		}
		if others != nil {
			return others(ctx, id, birth)
		}
		return tus.Upload{}, tus.ErrNotFound
	}
}

// lookBut answers that lives have no record, and that all others are being uploaded.
func lookBut(lives ...*life) look {
	return func(_ context.Context, id tus.ID, birth string) (tus.Upload, error) {
		for _, l := range lives {
			if l.up.ID == id && l.up.Birth == birth {
				return tus.Upload{}, tus.ErrNotFound
			}
		}
		return tus.Upload{ID: id, Birth: birth, Length: tus.Unknown}, nil
	}
}

// collect collects all that is there, whatever its age, and wants n uploads' pieces removed.
func (w *world) collect(c tus.Collector, l look, n int) {
	got, err := c.Collect(w.ctx, time.Now().Add(time.Hour), l)
	w.noErr(err, "collect")
	if got != n {
		w.fail("collect: %d uploads' pieces removed instead of %d", got, n)
	}
}

func (w *world) checkCollect() {
	c, ok := find[tus.Collector](w.s)
	if !ok {
		return
	}
	size := 2*w.part + 3
	open, stray, done := w.newLife(int64(size)), w.newLife(int64(size)), w.newLife(int64(size))
	body := w.bytes(size)
	for _, l := range []*life{open, stray} {
		lease := l.acquire(w.s, int64(size))
		l.record(w.s, lease, w.append(lease, body[:size/2]), body[:size/2], 0)
	}
	w.done(done, w.bytes(size), size)
	// A little before everything here was made, whatever the storage's clock says.
	n, err := c.Collect(w.ctx, time.Now().Add(-24*time.Hour), lookBut(stray))
	w.noErr(err, "collect")
	if n != 0 {
		w.fail("collect: %d uploads' pieces removed that are not old enough", n)
	}
	w.collect(c, lookBut(stray), 1)
	w.checkPieces(stray, "collected")
	w.check(done, "after collect")
	lease := open.acquire(w.s, int64(size))
	lease, _ = open.record(w.s, lease, w.append(lease, body[size/2:]), body[size/2:], 0)
	w.complete(open, open.to(w, lease, tus.Sealed))
	w.check(open, "after collect")
	broken := errors.New("storetest: the state cannot be reached")
	lost := w.newLife(9)
	w.append(lost.acquire(w.s, 9), w.bytes(9))
	if _, err = c.Collect(w.ctx, time.Now().Add(time.Hour), func(context.Context, tus.ID, string) (tus.Upload, error) {
		return tus.Upload{}, broken
	}); !errors.Is(err, broken) {
		w.fail("collect: the error of the look is not in %v", err)
	}
}

// littered makes a finished upload beside which writers that were overtaken have left what they could: one that slept in its first
// Append, one that slept before it, and one that slept before a later one. It returns a late call's lease to complete it, too.
func (w *world) littered(r tus.Role) (*life, tus.Lease) {
	size := 2*w.part + 5
	body := w.bytes(size)
	l := w.newLife(int64(size))
	l.up.Concat.Role = r
	inside := w.start(l, l.acquire(w.s, int64(size)), w.bytes(w.part+7), nil)
	inside.advance(w, w.part+1)
	before := l.acquire(w.s, int64(size))
	lease := l.acquire(w.s, int64(size))
	lease, _ = l.record(w.s, lease, w.append(lease, body[:w.part+1]), body[:w.part+1], int64(size))
	later := lease
	lease = l.acquire(w.s, int64(size))
	lease, _ = l.record(w.s, lease, w.append(lease, body[w.part+1:]), body[w.part+1:], 0)
	sealed := l.to(w, lease, tus.Sealed)
	w.complete(l, sealed)
	l.to(w, sealed, tus.Done)
	for !inside.over() {
		inside.advance(w, w.part)
	}
	for _, lease := range []tus.Lease{before, later} {
		r := &recorder{r: bytes.NewReader(w.bytes(w.part + 7))}
		rec, err := w.s.Append(w.ctx, lease, r)
		w.checkReceipt(lease, rec, err, r.ends, nil)
	}
	return l, sealed
}

// pieces lists what the storage has of an upload, in order.
func (w *world) pieces(l *life) []string {
	if w.cfg.Pieces == nil {
		return nil
	}
	return slices.Sorted(slices.Values(w.cfg.Pieces(w.made, l.up)))
}

// checkTidy wants of a Done upload no more than one has that was made in peace.
func (w *world) checkTidy(l *life, when string) {
	if w.cfg.Pieces == nil || l.up.Phase != tus.Done {
		return
	}
	peaceful := w.newLife(3)
	peaceful.up.Concat.Role = l.up.Concat.Role
	lease := w.done(peaceful, w.bytes(3), 3)
	if got := w.pieces(l); len(got) != len(w.pieces(peaceful)) {
		w.fail("%s: beside the finished object lies something else: %q", when, got)
	}
	w.noErr(w.s.Remove(w.ctx, peaceful.to(w, lease, tus.Doomed)), "remove")
}

// checkCollectDone: of an upload that is Done all goes that is not its object, be it a Partial one's.
func (w *world) checkCollectDone() {
	c, ok := find[tus.Collector](w.s)
	if !ok {
		return
	}
	whole, sealed := w.littered(tus.Whole)
	part, partSealed := w.littered(tus.Partial)
	peaceful := w.partials(w.part)[0]
	lives := []*life{whole, part, peaceful}
	n, err := c.Collect(w.ctx, time.Now().Add(-24*time.Hour), lookAmong(lookBut(), lives...))
	w.noErr(err, "collect")
	if n != 0 {
		w.fail("collect: %d uploads' pieces removed that are not old enough", n)
	}
	w.collect(c, lookAmong(lookBut(), lives...), 2)
	w.collect(c, lookAmong(lookBut(), lives...), 0)
	for _, l := range lives {
		w.check(l, "collected")
		w.checkTidy(l, "collected")
	}
	w.complete(whole, sealed) // late, and of no effect
	w.complete(part, partSealed)
	if j, ok := find[tus.Concatenator](w.s); ok {
		l, lease, ups := w.final([]*life{part, peaceful, part})
		w.concat(j, l, lease, ups)
		lives = append(lives, l)
	}
	for _, l := range lives {
		w.check(l, "in the end")
		w.noErr(w.s.Remove(w.ctx, l.to(w, l.acquire(w.s, 0), tus.Doomed)), "remove")
		w.checkGone(l, "removed")
		w.checkPieces(l, "removed")
	}
}

// checkCollectRest: of an upload in another phase nothing goes, not even what no receipt covers: its writer may be about to commit.
func (w *world) checkCollectRest() {
	c, ok := find[tus.Collector](w.s)
	if !ok {
		return
	}
	size := 2*w.part + 3
	body := w.bytes(size)
	open, sealed, doomed := w.newLife(int64(size)), w.newLife(int64(size)), w.newLife(int64(size))
	w.append(open.acquire(w.s, int64(size)), w.bytes(size)) // nobody commits it
	lease := open.acquire(w.s, int64(size))
	rec := w.append(lease, body) // to be committed after the collection
	w.upload(sealed, body, w.part+1)
	w.done(doomed, body, w.part+1)
	doomed.to(w, doomed.acquire(w.s, 0), tus.Doomed)
	lives := []*life{open, sealed, doomed}
	var had [][]string
	for _, l := range lives {
		had = append(had, w.pieces(l))
	}
	w.collect(c, lookAmong(lookBut(), lives...), 0)
	for i, l := range lives {
		if has := w.pieces(l); !slices.Equal(has, had[i]) {
			w.fail("collect: of an upload that is %v there was %q, and is %q", l.up.Phase, had[i], has)
		}
	}
	lease, _ = open.record(w.s, lease, rec, body, 0)
	w.complete(open, open.to(w, lease, tus.Sealed))
	w.check(open, "after collect")
	w.complete(sealed, sealed.acquire(w.s, 0))
	w.check(sealed, "after collect")
	w.noErr(w.s.Remove(w.ctx, doomed.acquire(w.s, 0)), "remove")
	w.checkGone(doomed, "removed")
	w.checkPieces(doomed, "removed")
}
