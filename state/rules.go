package state

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/fileloft/fileloft/tus"
)

// New returns the record of a new upload and its first lease, which is already released where c.TTL is zero.
// Its first epoch is 1, in a second life of an ID too: the births and nonces tell the lives apart.
func New(u tus.Upload, c tus.Claim, now time.Time) (Record, tus.Lease, error) {
	if err := errors.Join(checkClaim(c), checkUpload(u)); err != nil {
		return Record{}, tus.Lease{}, fmt.Errorf("state: create %s: %w", u.ID, err)
	}
	r, l, err := write(Record{Upload: normal(u), Epoch: 1}, c, now)
	if err != nil {
		return Record{}, tus.Lease{}, fmt.Errorf("state: create %s: %w", u.ID, err)
	}
	return r, l, nil
}

// Grant returns the record under a new lease, with fresh slots. A call that finds its own nonce in the record was
// granted before: it gets r back unchanged, and the same lease.
func Grant(r Record, c tus.Claim, now time.Time) (Record, tus.Lease, error) {
	err := checkClaim(c)
	switch {
	case err == nil && c.TTL == 0:
		err = errors.New("a lease to acquire needs a TTL")
	case err == nil && r.Nonce == c.Nonce:
		return again(r, c)
	case err == nil && r.leased(now) && !c.Steal:
		return Record{}, tus.Lease{}, &tus.LeasedError{Upload: r.Upload, Expires: r.LeaseUntil}
	case err == nil && c.Offset != tus.AnyOffset && c.Offset != r.Upload.Offset:
		return Record{}, tus.Lease{}, &tus.OffsetError{Upload: r.Upload}
	}
	var l tus.Lease
	if err == nil {
		next := r
		next.Epoch++
		next, l, err = write(next, c, now)
		if err == nil {
			return next, l, nil
		}
	}
	return Record{}, tus.Lease{}, fmt.Errorf("state: acquire %s: %w", r.Upload.ID, err)
}

// Advance returns the record that holds next in place of what l's holder had committed before, with the lease
// renewed (c.TTL > 0) or released. A call that finds its own nonce in the record was made before: it gets r back
// unchanged, and the same lease. Anything else than l's epoch and nonce means that another call came in between.
func Advance(r Record, l tus.Lease, next tus.Upload, c tus.Claim, now time.Time) (Record, tus.Lease, error) {
	if err := errors.Join(checkClaim(c), checkUpload(next), checkStep(l, next, c)); err != nil {
		return Record{}, tus.Lease{}, fmt.Errorf("state: commit %s: %w", l.Upload.ID, err)
	}
	if r.Upload.Birth != l.Upload.Birth || r.Epoch != l.Epoch {
		return Record{}, tus.Lease{}, tus.ErrSuperseded
	}
	if r.Nonce == c.Nonce {
		return again(r, c)
	}
	if r.Nonce != l.Nonce {
		return Record{}, tus.Lease{}, tus.ErrSuperseded
	}
	r.Upload = normal(next)
	r, nl, err := write(r, c, now)
	if err != nil {
		return Record{}, tus.Lease{}, fmt.Errorf("state: commit %s: %w", l.Upload.ID, err)
	}
	return r, nl, nil
}

// Remove says whether the holder of l may delete r: nil, or ErrSuperseded. The first result is true where there is
// nothing to delete, because r belongs to another life of the ID.
func Remove(r Record, l tus.Lease) (gone bool, err error) {
	if r.Upload.Birth != l.Upload.Birth {
		return true, nil
	}
	if r.Epoch != l.Epoch || r.Nonce != l.Nonce {
		return false, tus.ErrSuperseded
	}
	return false, nil
}

// write finishes a change: the slots, the lease and the marks of the call c.
func write(r Record, c tus.Claim, now time.Time) (Record, tus.Lease, error) {
	n := slots(c)
	if n > math.MaxUint32-r.Upload.NextSlot {
		return Record{}, tus.Lease{}, fmt.Errorf("%d slots from %d on: an upload has %d in its life",
			n, r.Upload.NextSlot, uint32(math.MaxUint32))
	}
	r.Upload.NextSlot += n
	r.Nonce = c.Nonce
	r.LeaseUntil = leaseEnd(now, c.TTL)
	r.Due = DueAt(r.Upload, r.LeaseUntil, now)
	return r, r.lease(n), nil
}

// again returns what the call c, which wrote r, was told or should have been told.
func again(r Record, c tus.Claim) (Record, tus.Lease, error) {
	n := slots(c)
	if n > r.Upload.NextSlot {
		return Record{}, tus.Lease{}, fmt.Errorf("state: upload %s: the nonce of an earlier call came with another claim",
			r.Upload.ID)
	}
	return r, r.lease(n), nil
}

// slots is how many slots c gets: a lease that is released at once has no use for any.
func slots(c tus.Claim) uint32 {
	if c.TTL == 0 {
		return 0
	}
	return c.Slots
}

// checkClaim finds mistakes of the caller in a claim.
func checkClaim(c tus.Claim) error {
	switch {
	case c.Nonce == "":
		return errors.New("a claim needs a nonce: see tus.NewNonce")
	case c.TTL < 0:
		return fmt.Errorf("a negative TTL: %s", c.TTL)
	}
	return nil
}

// checkUpload finds mistakes of the caller in a record to be written.
func checkUpload(u tus.Upload) error {
	if err := u.ID.Validate(); err != nil {
		return err
	}
	switch {
	case u.Phase > tus.Doomed:
		return fmt.Errorf("an unknown phase: %s", u.Phase)
	case u.Length < tus.Unknown:
		return fmt.Errorf("a negative length: %d", u.Length)
	case u.Offset < 0, u.Length != tus.Unknown && u.Offset > u.Length:
		return fmt.Errorf("the offset %d lies outside of the length %d", u.Offset, u.Length)
	case len(u.Cursor) > tus.MaxCursor:
		return fmt.Errorf("a cursor of %d bytes: %d are allowed", len(u.Cursor), tus.MaxCursor)
	}
	return nil
}

// checkStep finds mistakes of the caller in a commit. It compares with the lease, not with the record, so that
// they show whether or not the lease still counts.
func checkStep(l tus.Lease, next tus.Upload, c tus.Claim) error {
	was := l.Upload
	switch {
	case c.Nonce == l.Nonce:
		return errors.New("the nonce of the lease was used again: every call needs a fresh one")
	case next.ID != was.ID:
		return fmt.Errorf("the ID became %s", next.ID)
	case next.Birth != was.Birth:
		return fmt.Errorf("the birth changed from %q to %q", was.Birth, next.Birth)
	case next.Phase < was.Phase:
		return fmt.Errorf("the phase went back from %s to %s", was.Phase, next.Phase)
	case next.Offset < was.Offset:
		return fmt.Errorf("the offset went back from %d to %d", was.Offset, next.Offset)
	case next.NextSlot < l.Slots.First || next.NextSlot > l.Slots.End():
		return fmt.Errorf("NextSlot %d lies outside of the lease's slots, %d to %d",
			next.NextSlot, l.Slots.First, l.Slots.End())
	}
	return nil
}
