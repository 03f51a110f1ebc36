package state

import (
	"time"

	"github.com/fileloft/fileloft/tus"
)

// A Record is what a database keeps of one upload. It is a value; the rules return changed copies.
type Record struct {
	// Upload as committed, but for NextSlot: here it is the first slot that was never granted, so after a grant
	// of the slots [First, First+N) it is First+N. In a [tus.Lease] it is First.
	Upload tus.Upload
	// Epoch numbers the leases, from 1 on. Releasing keeps it.
	Epoch tus.Epoch
	// Nonce is that of the call that wrote the record last. With the Epoch and the Upload's Birth it names one write.
	// Alone it does not, because a late copy of an Acquire is granted anew: under its old nonce and the next epoch,
	// or, after a deletion, in another life of the ID, where the epoch may be its old one too.
	Nonce string
	// LeaseUntil is when the lease may be taken over; zero: nobody holds it. All times have whole milliseconds.
	LeaseUntil time.Time
	// Due is when a sweep should look at the record; zero: never. See [DueAt].
	Due time.Time
}

// Grace is how long the holder of an upload that wants attention is left to see to it before a sweep does.
const Grace = time.Minute

// DueAt says when a sweep should look at an upload whose lease ends at leaseUntil (zero: none):
//
//   - Something is left to do on it (an object to put in place, pieces to remove, events to deliver, parts to wait
//     for): a Grace from now.
//   - Otherwise when it expires, if ever.
//   - Never before the lease ends: whoever holds it is at work.
func DueAt(u tus.Upload, leaseUntil, now time.Time) time.Time {
	due := u.Expires
	if u.Phase == tus.Sealed || u.Phase == tus.Doomed || u.Pending != 0 ||
		(u.Phase == tus.Open && u.Concat.Role == tus.Final) {
		due = now.Add(Grace)
	}
	if !due.IsZero() && due.Before(leaseUntil) {
		due = leaseUntil
	}
	return millis(due)
}

// Held returns the record as the grant or commit that returned l wrote it, but for Due. If nobody has written since,
// it is what the database holds: a Commit can be worked out from it without a read.
func Held(l tus.Lease) Record {
	u := l.Upload
	u.NextSlot = l.Slots.End()
	return Record{Upload: u, Epoch: l.Epoch, Nonce: l.Nonce, LeaseUntil: l.Expires}
}

// lease returns the lease that r stands for, whose slots are the n newest.
func (r Record) lease(n uint32) tus.Lease {
	u := r.Upload
	u.NextSlot -= n
	return tus.Lease{
		Upload:  u,
		Epoch:   r.Epoch,
		Slots:   tus.Slots{First: u.NextSlot, N: n},
		Expires: r.LeaseUntil,
		Nonce:   r.Nonce,
	}
}

// leased reports whether somebody holds r at the time now.
func (r Record) leased(now time.Time) bool { return r.LeaseUntil.After(now) }

// leaseEnd returns the end of a lease of ttl from now on, in whole milliseconds and never before its time.
func leaseEnd(now time.Time, ttl time.Duration) time.Time {
	if ttl == 0 {
		return time.Time{}
	}
	return millis(now.Add(ttl).Add(time.Millisecond - 1))
}

// millis returns t as it is stored: in UTC, cut to milliseconds, without a monotonic reading.
func millis(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return time.UnixMilli(t.UnixMilli()).UTC()
}

// normal returns u as it will be read back, so that what a call returns and what a Load returns later are equal.
func normal(u tus.Upload) tus.Upload {
	u.Created, u.Expires = millis(u.Created), millis(u.Expires)
	if len(u.Cursor) == 0 {
		u.Cursor = nil
	}
	if len(u.Digest) == 0 {
		u.Digest = nil
	}
	if len(u.Concat.Parts) == 0 {
		u.Concat.Parts = nil
	}
	return u
}
