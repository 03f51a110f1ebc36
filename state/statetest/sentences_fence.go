package statetest

import (
	"errors"

	"github.com/fileloft/fileloft/tus"
)

func checkRepeats(b *bench) {
	u := upload()
	c := claim(ttl, 4)
	l := b.create(u, c)
	b.unchanged("a repeated Create", u.ID, func() { b.same("Create repeated", l, b.create(u, c)) })

	b.clock.advance(2 * ttl)
	c = claim(ttl, 4)
	c.Offset = 0
	l = b.acquire(u.ID, c)
	b.clock.advance(ttl / 2)
	b.unchanged("a repeated Acquire", u.ID, func() { b.same("Acquire repeated", l, b.acquire(u.ID, c)) })

	next := l.Upload
	next.Offset, next.NextSlot = 5, next.NextSlot+1
	c = claim(ttl, 2)
	kept := b.commit(l, next, c)
	b.clock.advance(ttl / 2)
	b.unchanged("a repeated Commit", u.ID, func() { b.same("Commit repeated", kept, b.commit(l, next, c)) })

	// A release too, and its repeat does not take the upload from who came next.
	c = claim(0, 0)
	released := b.commit(kept, kept.Upload, c)
	b.same("a release repeated", released, b.commit(kept, kept.Upload, c))
	newer := b.acquire(u.ID, claim(ttl, 1))
	_, err := b.st.Commit(b.ctx, kept, kept.Upload, c)
	b.is("a release repeated after the next lease", err, tus.ErrSuperseded)
	b.commit(newer, newer.Upload, claim(0, 0))

	// Delete succeeds when repeated.
	last := b.acquire(u.ID, claim(ttl, 0))
	b.must("Delete", b.st.Delete(b.ctx, last))
	b.must("Delete repeated", b.st.Delete(b.ctx, last))
}

func checkLateCommit(b *bench) {
	u := upload()
	l0 := b.create(u, claim(ttl, 4))
	first := l0.Upload
	first.Offset, first.NextSlot, first.Cursor = 10, 1, tus.Cursor("1")
	c1 := claim(ttl, 4)
	l1 := b.commit(l0, first, c1)
	second := l1.Upload
	second.Offset, second.NextSlot, second.Cursor = 20, 2, tus.Cursor("2")
	l2 := b.commit(l1, second, claim(ttl, 4))

	b.unchanged("a late copy", u.ID, func() {
		_, err := b.st.Commit(b.ctx, l0, first, c1)
		b.is("the first Commit delivered again after the second", err, tus.ErrSuperseded)
		_, err = b.st.Commit(b.ctx, l0, second, claim(0, 0))
		b.is("a Commit under a lease that was renewed since", err, tus.ErrSuperseded)
		b.is("a Delete under it", b.st.Delete(b.ctx, l0), tus.ErrSuperseded)
	})
	b.commit(l2, l2.Upload, claim(0, 0)) // the newest is still good
}

// A late copy of an Acquire is granted anew, under the nonce that it had before: the lease that its first copy got, two
// epochs ago, must not fit the record again.
func checkLateAcquire(b *bench) {
	u := upload()
	b.create(u, claim(0, 0))
	c := claim(ttl, 2)
	first := b.acquire(u.ID, c)
	b.clock.advance(ttl)
	second := b.acquire(u.ID, claim(ttl, 2))
	b.clock.advance(ttl)
	third := b.acquire(u.ID, c)
	if third.Epoch != second.Epoch+1 || third.Slots.First != second.Slots.End() {
		b.fail("the copy got the lease %+v after %+v", third, second)
	}
	b.unchanged("a lease of two epochs ago", u.ID, func() {
		for what, l := range map[string]tus.Lease{"first": first, "second": second} {
			_, err := b.st.Commit(b.ctx, l, l.Upload, claim(0, 0))
			b.is("Commit under the "+what+" lease", err, tus.ErrSuperseded)
			b.is("Delete under the "+what+" lease", b.st.Delete(b.ctx, l), tus.ErrSuperseded)
		}
	})

	// In a second life the copy may even get the epoch of its first. The birth tells.
	b.must("Delete", b.st.Delete(b.ctx, third))
	again := u
	again.Birth = tus.NewNonce()
	b.create(again, claim(0, 0))
	b.acquire(u.ID, c)
	b.unchanged("a lease of an earlier life", u.ID, func() {
		_, err := b.st.Commit(b.ctx, first, first.Upload, claim(0, 0))
		b.is("Commit under the first lease", err, tus.ErrSuperseded)
		b.must("Delete under the first lease", b.st.Delete(b.ctx, first))
	})
}

func checkSuperseded(b *bench) {
	u := upload()
	old := b.create(u, claim(ttl, 4))
	b.clock.advance(2 * ttl)
	l := b.acquire(u.ID, claim(ttl, 4))
	next := old.Upload
	next.Offset, next.NextSlot = 500, 4
	b.unchanged("a superseded holder", u.ID, func() {
		for _, c := range []tus.Claim{claim(ttl, 1), claim(0, 0)} {
			_, err := b.st.Commit(b.ctx, old, next, c)
			b.is("Commit under an older epoch", err, tus.ErrSuperseded)
		}
		b.is("Delete under an older epoch", b.st.Delete(b.ctx, old), tus.ErrSuperseded)
	})
	// The newer lease gone, the older is as stale as before.
	b.commit(l, l.Upload, claim(0, 0))
	b.unchanged("a superseded holder", u.ID, func() {
		_, err := b.st.Commit(b.ctx, old, next, claim(ttl, 0))
		b.is("Commit under an older epoch, after the release of a newer", err, tus.ErrSuperseded)
	})
}

func checkDelete(b *bench) {
	u := upload()
	first := b.create(u, claim(ttl, 4))
	b.must("Delete", b.st.Delete(b.ctx, first))
	_, err := b.st.Load(b.ctx, u.ID)
	b.is("Load after Delete", err, tus.ErrNotFound)
	_, err = b.st.Commit(b.ctx, first, first.Upload, claim(0, 0))
	b.is("Commit after Delete", err, tus.ErrSuperseded)

	// A second life of the ID. Its epochs begin anew; the leases of the first do not fit it all the same.
	again := u
	again.Birth = tus.NewNonce()
	second := b.create(again, claim(ttl, 4))
	if second.Slots.First != 0 {
		b.fail("the second life begins with the slots %+v", second.Slots)
	}
	b.unchanged("a lease of an earlier life", u.ID, func() {
		b.must("Delete of a record with another birth", b.st.Delete(b.ctx, first))
		_, err = b.st.Commit(b.ctx, first, first.Upload, claim(0, 0))
		b.is("Commit of an earlier life", err, tus.ErrSuperseded)
	})
	b.commit(second, second.Upload, claim(0, 0))
	stale := b.acquire(u.ID, claim(ttl, 0))
	b.clock.advance(ttl)
	b.acquire(u.ID, claim(ttl, 0))
	if err := b.st.Delete(b.ctx, stale); !errors.Is(err, tus.ErrSuperseded) {
		b.fail("Delete under an older epoch: %v", err)
	}
}
