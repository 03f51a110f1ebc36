// Package filestore keeps uploads in a directory, in files that can be found and read without fileloft.
//
//	files/<key>                 a finished object; the key is the upload's id where no hook chose another
//	files/<key>.meta.json       what is known of it: see [Meta]
//	partial/<xx>/               the pieces of uploads, in 256 shards by a hash of the id, all named <id>.<birth>. and:
//	    <epoch>                 a data file, named by the epoch that made it (then <epoch>-1, ...)
//	    <epoch>.fence           the newest epoch that has held the lock of that data file: 8 bytes, big endian
//	    <epoch>.meta            metadata on their way to files/
//	    done                    the object of a finished Partial upload
//	    gone                    empty: the upload was removed; see Remove below
//
// It promises what tus.Storage promises, to any number of processes on one host, whichever of them is killed or frozen
// and woken at whatever moment. It wants a local file system with hard links, flock and fsync, with both directories on it;
// New tries them out. Every call costs system calls on the directory alone, about 25 for a small upload from its first byte to
// its end; an Append holds one buffer of 256 KiB, whatever the body. A Store keeps its directories open, up to 258 descriptors.
// Remove and Collect list a shard, and so does every Complete but that of an upload made by one Append: a shard has
// a 256th of the names of all unfinished uploads. Shards are made when they are first needed; a person may remove
// an empty one at any time.
//
// # Why a committed byte never changes
//
// The cursor names one data file. Of its bytes those below the committed offset are the upload. A file is written only
// behind the offset of the lease under which it is written, and:
//
//  1. A new data file gets a name that begins with the epoch of the lease, made with O_EXCL. Nobody else makes or guesses
//     that name, and nobody else learns it before a cursor with it is committed, which is after the Append has returned.
//  2. Who continues a committed file opens it, locks it (flock, without waiting), and only then looks at the fence: an
//     epoch above its own sends it away (ErrSuperseded), a lower one is raised to its own. Then it looks whether the name still
//     stands for the file that it opened. The lock stays until the Append returns.
//  3. Who finds the lock taken knows that the holder's lease is over, because its own is newer, and that the holder may write at
//     any time. It copies the committed bytes into a new file (1) and goes on there. The holder keeps the old one.
//
// So let C be the bytes of file F that the newest committed record covers, and let some process W write to F. W holds F's lock,
// or made F in this very call (then no record names F). W's lease had an offset o, and W writes at o or behind it. If C is longer than
// o, somebody committed an Append to F since W's lease was granted. It was not W, who is still in its Append. So it was a holder
// of a newer epoch, who had F's lock (2): either before W took it, then the fence would have sent W away, or after W let it
// go, then W is not writing. Hence C never reaches beyond o, and W changes no byte of it.
//
// Complete gives the file a second name (a hard link) in files/, so the same must hold for the file itself, for ever: Complete
// takes the lock and raises the fence like an Append, or copies; Appends come under older epochs only, since the record is
// Sealed; and the name that they would open goes before the fence that would stop them. Only where the file was made by
// the same epoch nothing is asked or raised: no other epoch that appends has ever known it.
//
// # What a late call can do
//
// The names of pieces carry the upload's birth, and all ways into files/, and to the name "done", are hard links from pieces.
// Whether a piece may still be made for that, a witness says. Where a data file is committed, that is its name: it is there from
// the commit until a Complete has ended or a Remove begun, and nobody makes it a second time. So whoever makes another
// piece on the way to files/ (a copy, the staged metadata) looks afterwards whether the committed name still stands for
// the file that it opened. If it does not, the call unlinks what it made and ends.
//
// Remove unlinks the committed name first, then lists the shard and unlinks what it finds of this birth: data, staged metadata and
// fences, in this order, and then "done". A piece whose maker saw the witness was made before that, so it is in the list. A
// link from it is made either before it is unlinked, and then "done" or the key is there when Remove comes to it; or after, and
// then it fails. A piece whose maker did not see the witness is linked to nothing.
//
// A Complete of an empty upload, or a Concat, has no committed file. For these the witness is that the sign "gone" is missing:
// Remove puts it up before it lists, and Collect takes it down when it is older than any call. No other upload has a Complete
// without a committed file. A first Append may be late, too, and a writer may be killed before it takes back what it made: such
// pieces are linked by nobody, and go with the upload or with Collect. Collect takes them where the upload is gone, and where it is Done:
// then its object has a name of its own, in files/ or "done", whatever other names its file had, and all of these may go, data before
// fences. A late Complete sees the object first, and if it did not, finds its witness gone.
//
// The end of a Complete clears the shard as Remove does, but for "done". It does not list where nothing can be there that it does
// not know: the data file was made under its own epoch, which is the second or first, so that the only older epoch is the one
// that created the upload.
//
// A key belongs to whom its metadata name. They are linked before the object and unlinked after it, never in place of
// others, and unlinked only by who holds their lock and sees his own birth in them: so a Remove that sleeps for a year
// between looking and unlinking removes nothing that came later. A second Remove of the same upload gets ErrUnavailable meanwhile.
//
// # Crashes
//
// The state always wins: what the record says is true, and the storage is brought in line with it. The table says what
// a process leaves that stops at a point, and what its client sees; frozen is a process that goes on after others have,
// killed is one that does not, and a lost answer is the last row of each call. "Power" is what a loss of power adds, with fsync.
//
//	Append stops             in the directory                client sees            then
//	 before the first byte   an empty file, unnamed          offset as before       a first Append removes files of older epochs
//	 in the middle           bytes behind the offset, or     offset as before       the next Append overwrites them (killed), or goes on
//	                         in a file that no cursor names                         in a copy (frozen); awake, it writes into what no
//	                                                                                record names, and its commit fails
//	 in a copy               a part of a copy                offset as before       removed with the upload
//	 after fsync, answer or  durable bytes that no record    offset as before       as in the middle
//	 receipt lost            covers
//	 Power: the file is synced before the receipt, and where it is new its name after it; the name of a shard before the shard is
//	 used. Fences are not synced: after a loss of power no late writer is alive.
//
//	Complete stops           in the directory                client sees            then (every Complete repeats from the top)
//	 before the metadata     at most a longer file cut off   sealed, not finished   a frozen one's links fail or are equal
//	 after the metadata      the key is taken, no object     sealed, not finished   the next finds its own metadata and links
//	 after the object        the object under two names      sealed, then finished  the next unlinks the pieces
//	 while it clears         some pieces                     sealed, then finished  the same
//	 answer lost             the object                      sealed, then finished  the next finds it and says the same
//	 Power: metadata are synced before they are linked, and that link before the object's. So an object without metadata
//	 is not ours; Complete reports ErrExists and leaves it alone. Unlinked pieces may come back; they go with the upload.
//
//	Concat stops             as Complete, with the joined file being new each time; the next one unlinks what was joined before.
//
//	Remove stops             in the directory                client sees            then
//	 before the first name   everything                      gone (doomed)          Remove is repeated by Sweep
//	 among the pieces        some pieces, but not the        gone                   the same; a late Complete finds its witness gone
//	                         committed one; all else
//	 before the object       object and metadata             gone                   the same; a late Complete finds nothing to link
//	 before the metadata     metadata alone                  gone                   the same; the key is still taken
//	 answer lost             nothing, or an empty "gone"     gone                   the same: nothing to do
//	 Power: the shard is synced before the object is touched, and files/ before Remove returns, so that what was removed stays so.
package filestore
