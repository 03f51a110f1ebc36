package tus

import (
	"context"
	"io"
	"iter"
	"time"
)

// State keeps the record of every upload and is the only memory there is. Package state holds its rules as pure
// functions and a Store that implements it over any compare-and-swap; package statetest holds what every
// implementation must pass.
//
// All methods are linearizable per upload and safe for concurrent use by any number of processes. A nil error
// means that the change is durable. Any other error than the named ones leaves it open whether the change was
// made; the caller may repeat the same call with the same nonce, any number of times, and gets the answer that
// the first one would have got (unless another lease came in between).
type State interface {
	// Create stores a new record; with claim.TTL > 0 it grants the first lease in the same write, with
	// claim.TTL == 0 the returned lease is already released.
	// Errors: ErrExists.
	Create(ctx context.Context, u Upload, claim Claim) (Lease, error)

	// Load returns the record and leaves its lease alone.
	// Errors: ErrNotFound.
	Load(ctx context.Context, id ID) (Upload, error)

	// Acquire grants a lease under the next epoch, with claim.Slots fresh slots, in one conditional write.
	// Errors, checked in this order: ErrNotFound; *LeasedError where another lease has not expired and
	// claim.Steal is not set; *OffsetError where claim.Offset is neither AnyOffset nor the record's offset.
	// A failed call changes nothing.
	Acquire(ctx context.Context, id ID, claim Claim) (Lease, error)

	// Commit replaces the record by next, if the record still carries lease's Birth, epoch and nonce. With claim.TTL > 0
	// it renews the lease and grants the slots [next.NextSlot, next.NextSlot+claim.Slots); with zero it releases
	// it, keeping the epoch. next.NextSlot must lie in [lease.Slots.First, lease.Slots.End()]: slots below it are
	// used up, slots from it on were not touched and go back. The lease need not be unexpired: until somebody else
	// acquires the upload, its last holder may go on.
	// Errors: ErrSuperseded, also where the record is gone.
	Commit(ctx context.Context, lease Lease, next Upload, claim Claim) (Lease, error)

	// Delete removes the record, if it still carries lease's Birth, epoch and nonce. A record that is gone, or that has
	// another Birth, counts as deleted.
	// Errors: ErrSuperseded.
	Delete(ctx context.Context, lease Lease) error
}

// Storage keeps the bytes. It never decides where an upload stands: the record does. Bytes whose receipt was not
// committed do not exist, and a driver must cope with finding them. Package storetest holds what every
// implementation must pass.
//
// All methods are safe for concurrent use, by processes that hold different leases of the same upload too:
// a writer whose lease was superseded may call, or be in the middle of a call, at any time up to the end of the
// upload and after it, and must not be able to change a byte that a committed receipt covers.
type Storage interface {
	// Slots returns how many slots Append may use for a body of n bytes, or of unknown size if n < 0.
	// It costs nothing.
	Slots(n int64) uint32

	// Append reads r to its end and stores the bytes behind lease.Upload.Offset. When it returns, receipt.N bytes are
	// durable, and committing the receipt is all that is missing. The receipt counts even when the error is not nil:
	// what was stored before r or the store failed is kept, and receipt.NextSlot tells which slots are spoilt.
	// receipt.N is the sum of the lengths of the first k calls of r.Read, for some k: the caller knows the
	// digest at those places only. An error of r is returned wrapped or as it is. ctx bounds the storing;
	// r ends by itself. Memory use is bounded by the driver's part size and parallelism, never by the body.
	// Errors: ErrNoSpace; ErrSuperseded where the driver noticed a newer epoch; ErrCorrupt where committed bytes are
	// known to be lost, for good: the engine then removes the upload; ErrUnavailable.
	Append(ctx context.Context, lease Lease, r io.Reader) (receipt Receipt, err error)

	// Complete puts the object of a Sealed upload in place and says what the store holds. The upload's bytes are
	// Upload.Length in number, or nothing is published. It succeeds when repeated after any crash, and after it
	// succeeded. It never replaces an object that is not this upload's own.
	// For a Partial upload the object is one that Concat can read; it need not be visible to anybody else.
	// Errors: ErrExists (the key is taken), ErrCorrupt (what is stored is not what was committed, for good: the engine
	// then removes the upload), ErrNoSpace, ErrSuperseded, ErrUnavailable.
	Complete(ctx context.Context, lease Lease) (Stored, error)

	// Remove takes away all that the upload has in the store: first what a late Complete would need, then the object.
	// An upload that has nothing there counts as removed; it can be repeated.
	Remove(ctx context.Context, lease Lease) error
}

// A Receipt tells what an Append stored. It counts once it is committed.
type Receipt struct {
	N        int64  // bytes stored behind the lease's offset
	Cursor   Cursor // the upload's new cursor
	NextSlot uint32 // first slot of the lease's run that was not touched
}

// Stored is what a storage says it holds of a completed upload.
type Stored struct {
	Size int64 // bytes
	// CRC32C is the checksum of the whole object (Castagnoli), where HasCRC32C says that the storage knows it.
	CRC32C    uint32
	HasCRC32C bool
}

// The optional abilities of a State or a Storage: one-method interfaces, looked for once, in NewHandler. A decorator
// passes them on by an Unwrap method that returns what it wraps.

// A DueLister is a State that can tell which records want attention: expired, sealed but unassembled,
// doomed but not removed, with events still owed. Sweep needs it. The order is by due time, the cost proportional
// to what is due.
type DueLister interface {
	Due(ctx context.Context, now time.Time) iter.Seq2[ID, error]
}

// A Lister is a State that can list all records, in the order of their ids, from after on.
type Lister interface {
	List(ctx context.Context, after ID) iter.Seq2[Upload, error]
}

// A Concatenator is a Storage that can join the objects of completed Partial uploads into the object of a Sealed
// Final upload, without moving the bytes through this process where the store can do that. It takes the place of
// Complete and promises what Complete promises. The parts are as loaded, in order.
type Concatenator interface {
	Concat(ctx context.Context, lease Lease, parts []Upload) (Stored, error)
}

// An Opener is a Storage that can read n bytes from offset off of a Done upload.
type Opener interface {
	Open(ctx context.Context, u Upload, off, n int64) (io.ReadCloser, error)
}

// A Linker is a Storage that can make a URL from which anyone can download a Done upload for a while, under the
// given Content-Disposition and Content-Type.
type Linker interface {
	Link(ctx context.Context, u Upload, disposition, contentType string) (string, error)
}

// A Limiter is a Storage that knows the size of the largest object it can hold. Larger uploads are refused when they are created, not when
// most of their bytes have been sent.
type Limiter interface {
	MaxSize() int64
}

// A Prober is a Storage that can tell that nobody is writing to an upload, because a holder would be seen (an OS
// lock). False means that it cannot tell. A lease without a living holder is then taken over at once.
type Prober interface {
	Idle(ctx context.Context, u Upload) bool
}

// A Collector is a Storage that can find pieces that nobody needs, left by a writer that died or woke up late, and remove those that
// are older than before. look returns the record of that id and birth; its error is ErrNotFound where there is none, or one of
// another birth. Without a record all pieces go. Of a Done upload all go but its object, which may be a piece too, if the upload is
// Partial: from Done on nobody reads a piece, a late Complete finds the object first or last, and no phase follows but Doomed, of
// which Remove makes an end. So it does not matter what becomes of the record after the look. In any other phase pieces are left alone:
// the next commit may need them. It returns how many uploads' pieces were removed.
type Collector interface {
	Collect(ctx context.Context, before time.Time, look func(ctx context.Context, id ID, birth string) (Upload, error)) (int, error)
}

// A Pinger is a State or Storage that can say whether it can be reached, at the cost of one cheap call.
type Pinger interface {
	Ping(ctx context.Context) error
}

// ability looks for T in v and in what v wraps.
func ability[T any](v any) (T, bool) {
	for v != nil {
		if t, ok := v.(T); ok {
			return t, true
		}
		switch w := v.(type) {
		case interface{ Unwrap() Storage }:
			v = w.Unwrap()
		case interface{ Unwrap() State }:
			v = w.Unwrap()
		default:
			v = nil
		}
	}
	var none T
	return none, false
}
