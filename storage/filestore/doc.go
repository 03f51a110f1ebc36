// Package filestore keeps uploads in a directory, in files that can be found and read without fileloft.
//
//	files/<key>                 a finished object; the key is the upload's id where no hook chose another
//	files/<key>.meta.json       what is known of it: see [Meta]
//	partial/<id>.<birth>/       the pieces of an unfinished upload, and the object of a Partial one:
//	    <epoch>                 a data file, named by the epoch that made it (then <epoch>-1, ...)
//	    <epoch>.fence           the newest epoch that has held the lock of that data file: 8 bytes, big endian
//	    <epoch>.meta            metadata on their way to files/
//	    done                    the object of a finished Partial upload
//	partial/<id>.<birth>.gone/  empty: the upload was removed; see Remove below
//
// It promises what tus.Storage promises, to any number of processes on one host, whichever of them is killed or frozen
// and woken at whatever moment. It wants a local file system with hard links, flock and fsync, with both directories on it;
// New tries them out. Every call costs system calls on the directory alone; an Append holds one buffer of 256 KiB,
// whatever the body.
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
// the same epoch nothing is raised: no other epoch that appends has ever known it.
//
// # What a late call can do
//
// The directory of an upload carries its birth, and all ways into files/ are hard links from inside of it. Remove takes
// the directory away first. After that no late call finds anything to link, and a directory that a late first Append makes
// anew is found by Collect. Only a Complete of an empty upload, or a Concat, could make what it links; for these Remove first leaves
// the ".gone" directory, for which they look after they have made theirs. Collect removes it when it is older than any call.
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
//	 Power: the file is synced before the receipt, and where it is new its name and its directory's name after it. Fences are
//	 not synced: after a loss of power no late writer is alive.
//
//	Complete stops           in the directory                client sees            then (every Complete repeats from the top)
//	 before the metadata     at most a longer file cut off   sealed, not finished   a frozen one's links fail or are equal
//	 after the metadata      the key is taken, no object     sealed, not finished   the next finds its own metadata and links
//	 after the object        the object under two names      sealed, then finished  the next removes the directory
//	 answer lost             the object                      sealed, then finished  the next finds it and says the same
//	 Power: metadata are synced before they are linked, and that link before the object's. So an object without metadata
//	 is not ours; Complete reports ErrExists and leaves it alone.
//
//	Concat stops             as Complete, with the joined file being new each time; what was joined before goes with the directory.
//
//	Remove stops             in the directory                client sees            then
//	 before the directory    everything                      gone (doomed)          Remove is repeated by Sweep
//	 before the object       object and metadata             gone                   the same; a late Complete finds no directory
//	 before the metadata     metadata alone                  gone                   the same; the key is still taken
//	 answer lost             nothing, or an empty .gone      gone                   the same: nothing to do
//	 Power: the directories are synced before Remove returns, so that what was removed stays so.
package filestore
