package tus

import "time"

// An Epoch numbers the leases of one upload, from 1 up, without reuse. Only the holder of the newest can change
// anything: the epoch is the fence, the lease around it a courtesy that keeps writers from wasting work.
type Epoch uint64

// Slots is a run of numbers, [First, First+N), that belongs to one lease alone and is never granted again
// once a piece may carry it. An upload's first is 1, as S3 numbers parts. Storage drivers name pieces after slots (S3 part
// numbers, Azure block ids), so that a writer that wakes up late can only write names that nobody relies on.
type Slots struct{ First, N uint32 }

// End returns the first slot after the run.
func (s Slots) End() uint32 { return s.First + s.N }

// AnyOffset is the [Claim.Offset] that accepts whatever offset the record has.
const AnyOffset int64 = -1

// A Claim asks for a lease: to be granted (Create, Acquire) or to be kept (Commit).
type Claim struct {
	// Offset must equal the record's offset for Acquire to succeed. Create and Commit ignore it.
	Offset int64
	// TTL is how long the lease holds others off from now on. In Create and Commit zero means no lease:
	// Commit then releases the one it has.
	TTL time.Duration
	// Slots is how many slots to grant.
	Slots uint32
	// Steal takes the lease from whoever holds it. Safe by the epoch, but rude: the holder's uncommitted bytes
	// are lost. For deletions, and for holders known to be dead.
	Steal bool
	// Nonce tells one call from another. It is stored with the record: a call repeated with the same nonce,
	// because its answer was lost, finds its own work and returns it; and Commit succeeds only on a record that still
	// carries the nonce of the lease it continues, so that a delayed duplicate of an earlier Commit changes
	// nothing. It must be fresh for every new call; see [NewNonce].
	Nonce string
}

// A Lease is the right to change one upload, as granted. It is a value; Commit returns the next one.
type Lease struct {
	// Upload is the record as committed. Its NextSlot equals Slots.First: committing it unchanged gives every
	// slot back.
	Upload  Upload
	Epoch   Epoch
	Slots   Slots
	Expires time.Time // by the clock of the process that wrote it; zero once released
	Nonce   string    // of the call that granted it or committed last
}
