package statetest

import (
	"errors"
	"time"

	"github.com/fileloft/fileloft/tus"
)

// A sentence of the contract.
type sentence struct {
	name  string
	check func(b *bench)
}

const ttl = 10 * time.Second

var sentences = []sentence{
	{"Create stores the record, leased or not", checkCreate},
	{"Create refuses an ID that is taken", checkCreateTaken},
	{"Every field comes back byte for byte, up to the limits", checkFields},
	{"Load and Acquire know when there is no record", checkMissing},
	{"Acquire waits for a lease until it ends, unless it steals", checkAcquireLeased},
	{"Acquire wants the right offset, and asks for the lease first", checkAcquireOffset},
	{"Commit renews and releases under the same epoch", checkCommit},
	{"Slots that were not touched go back, others never", checkSlots},
	{"A call repeated with its nonce gets the first answer", checkRepeats},
	{"A late copy of a Commit changes nothing", checkLateCommit},
	{"A late copy of an Acquire revives no lease", checkLateAcquire},
	{"A superseded holder changes nothing", checkSuperseded},
	{"Delete removes the record of this life only", checkDelete},
	{"Mistakes of the caller are refused and change nothing", checkMistakes},
	{"A call under a cancelled context returns", checkCancelled},
	{"Due lists what wants attention", checkDue},
	{"List lists all in order", checkList},
}

// upload returns a record to create, under an ID of its own.
func upload() tus.Upload {
	return tus.Upload{ID: tus.NewID(), Birth: tus.NewNonce(), Length: 1000}
}

// claim asks for a lease of d with n slots at any offset; d == 0 releases.
func claim(d time.Duration, n uint32) tus.Claim {
	return tus.Claim{Offset: tus.AnyOffset, TTL: d, Slots: n, Nonce: tus.NewNonce()}
}

func (b *bench) create(u tus.Upload, c tus.Claim) tus.Lease {
	l, err := b.st.Create(b.ctx, u, c)
	b.must("Create", err)
	return l
}

func (b *bench) acquire(id tus.ID, c tus.Claim) tus.Lease {
	l, err := b.st.Acquire(b.ctx, id, c)
	b.must("Acquire", err)
	return l
}

func (b *bench) commit(l tus.Lease, next tus.Upload, c tus.Claim) tus.Lease {
	l, err := b.st.Commit(b.ctx, l, next, c)
	b.must("Commit", err)
	return l
}

func (b *bench) load(id tus.ID) tus.Upload {
	u, err := b.st.Load(b.ctx, id)
	b.must("Load", err)
	return u
}

// same ends the check where got is not want.
func (b *bench) same(what string, want, got any) {
	if diff := differ(want, got); diff != "" {
		b.fail("%s (-want +got):\n%s", what, diff)
	}
}

// is ends the check where err is not the error wanted.
func (b *bench) is(what string, err, want error) {
	if !errors.Is(err, want) {
		b.fail("%s: got error %v, want %v", what, err, want)
	}
}

// unchanged ends the check where the record of u's ID is not u, then runs f and looks again.
func (b *bench) unchanged(what string, id tus.ID, f func()) {
	before := b.load(id)
	f()
	b.same(what+" changed the record", before, b.load(id))
}

func checkCreate(b *bench) {
	u := upload()
	u.NextSlot = 1
	l := b.create(u, claim(ttl, 3))
	b.same("the lease's record", u, l.Upload)
	if l.Epoch < 1 || l.Slots != (tus.Slots{First: 1, N: 3}) || !l.Expires.Equal(b.clock.now().Add(ttl)) {
		b.fail("the first lease is %+v", l)
	}
	u.NextSlot = 4
	b.same("the record", u, b.load(u.ID))

	v := upload()
	l = b.create(v, claim(0, 3))
	if !l.Expires.IsZero() || l.Slots.N != 0 {
		b.fail("a lease that was not asked for: %+v", l)
	}
	b.same("the record", v, b.load(v.ID))
	if l2 := b.acquire(v.ID, claim(ttl, 0)); l2.Epoch <= l.Epoch {
		b.fail("the epoch %d comes after %d", l2.Epoch, l.Epoch)
	}
}

func checkCreateTaken(b *bench) {
	u := upload()
	l := b.create(u, claim(ttl, 2))
	other := u
	other.Birth, other.Length = "another", 5
	b.unchanged("a refused Create", u.ID, func() {
		_, err := b.st.Create(b.ctx, other, claim(ttl, 2))
		b.is("Create of a taken ID", err, tus.ErrExists)
		_, err = b.st.Create(b.ctx, u, claim(ttl, 2))
		b.is("Create again under a fresh nonce", err, tus.ErrExists)
	})
	b.commit(l, l.Upload, claim(0, 0)) // the lease is still good
}

func checkMissing(b *bench) {
	id := tus.NewID()
	_, err := b.st.Load(b.ctx, id)
	b.is("Load", err, tus.ErrNotFound)
	_, err = b.st.Acquire(b.ctx, id, claim(ttl, 0))
	b.is("Acquire", err, tus.ErrNotFound)
}

func checkAcquireLeased(b *bench) {
	u := upload()
	first := b.create(u, claim(ttl, 1))
	b.clock.advance(ttl - time.Millisecond)
	b.unchanged("a refused Acquire", u.ID, func() {
		_, err := b.st.Acquire(b.ctx, u.ID, claim(ttl, 5))
		var leased *tus.LeasedError
		if !errors.As(err, &leased) {
			b.fail("Acquire of a leased upload: %v", err)
		}
		b.same("the LeasedError's record", b.load(u.ID), leased.Upload)
		if !leased.Expires.Equal(first.Expires) {
			b.fail("the lease ends at %s, the error says %s", first.Expires, leased.Expires)
		}
	})
	b.clock.advance(time.Millisecond)
	second := b.acquire(u.ID, claim(ttl, 1))
	steal := claim(ttl, 1)
	steal.Steal = true
	third := b.acquire(u.ID, steal)
	if second.Epoch != first.Epoch+1 || third.Epoch != second.Epoch+1 {
		b.fail("the epochs %d, %d, %d do not follow each other", first.Epoch, second.Epoch, third.Epoch)
	}
	if want := (tus.Slots{First: 2, N: 1}); third.Slots != want {
		b.fail("the third lease has the slots %+v, want %+v", third.Slots, want)
	}
}

func checkAcquireOffset(b *bench) {
	u := upload()
	u.Offset = 7
	b.create(u, claim(0, 0))
	wrong := claim(ttl, 1)
	wrong.Offset = 6
	b.unchanged("a refused Acquire", u.ID, func() {
		_, err := b.st.Acquire(b.ctx, u.ID, wrong)
		var offset *tus.OffsetError
		if !errors.As(err, &offset) {
			b.fail("Acquire at the wrong offset: %v", err)
		}
		b.same("the OffsetError's record", u, offset.Upload)
	})
	right := claim(ttl, 1)
	right.Offset = 7
	l := b.acquire(u.ID, right)
	b.same("the lease's record", u, l.Upload)

	wrong.Nonce = tus.NewNonce()
	_, err := b.st.Acquire(b.ctx, u.ID, wrong)
	var leased *tus.LeasedError
	if !errors.As(err, &leased) {
		b.fail("Acquire at the wrong offset of a leased upload: %v, want a LeasedError", err)
	}
}

func checkCommit(b *bench) {
	u := upload()
	l := b.create(u, claim(ttl, 4))
	next := l.Upload
	next.Offset, next.NextSlot, next.Cursor = 10, 2, tus.Cursor("c1")
	b.clock.advance(2 * ttl) // over, but nobody has taken it
	kept := b.commit(l, next, claim(ttl, 3))
	b.same("the renewed lease's record", next, kept.Upload)
	if kept.Epoch != l.Epoch || kept.Slots != (tus.Slots{First: 2, N: 3}) || !kept.Expires.Equal(b.clock.now().Add(ttl)) {
		b.fail("the renewed lease is %+v", kept)
	}
	if _, err := b.st.Acquire(b.ctx, u.ID, claim(ttl, 0)); err == nil {
		b.fail("a renewed lease held nobody off")
	}
	next = kept.Upload
	next.Offset, next.Phase, next.Metadata, next.Expires = 1000, tus.Sealed, "changed", b.clock.now()
	released := b.commit(kept, next, claim(0, 3))
	b.same("the released lease's record", next, released.Upload)
	b.same("the record", next, b.load(u.ID))
	if released.Epoch != l.Epoch || released.Slots.N != 0 || !released.Expires.IsZero() {
		b.fail("the released lease is %+v", released)
	}
	next.Phase = tus.Done
	b.commit(released, next, claim(0, 0)) // the last holder may go on
	if after := b.acquire(u.ID, claim(ttl, 0)); after.Epoch != l.Epoch+1 {
		b.fail("after epoch %d was released comes %d", l.Epoch, after.Epoch)
	}
}

func checkSlots(b *bench) {
	u := upload()
	l := b.create(u, claim(ttl, 4)) // 0 to 3
	next := l.Upload
	next.NextSlot = 1
	b.commit(l, next, claim(0, 0))
	l = b.acquire(u.ID, claim(ttl, 4)) // 1 to 4, never to be committed
	if want := (tus.Slots{First: 1, N: 4}); l.Slots != want {
		b.fail("after a clean release with one slot used: %+v, want %+v", l.Slots, want)
	}
	b.clock.advance(ttl)
	l = b.acquire(u.ID, claim(ttl, 2))
	if want := (tus.Slots{First: 5, N: 2}); l.Slots != want {
		b.fail("after a crash: %+v, want %+v", l.Slots, want)
	}
	b.commit(l, l.Upload, claim(0, 0)) // unchanged gives all back
	_, err := b.st.Acquire(b.ctx, u.ID, claim(ttl, 1<<32-4))
	if err == nil {
		b.fail("slots beyond the last one were granted")
	}
	l = b.acquire(u.ID, claim(ttl, 1<<32-6)) // all that are left
	if want := (tus.Slots{First: 5, N: 1<<32 - 6}); l.Slots != want {
		b.fail("the rest of the slots: %+v, want %+v", l.Slots, want)
	}
}
