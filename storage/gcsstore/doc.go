// Package gcsstore keeps uploads in one bucket of Google Cloud Storage.
//
// # Layout
//
//	<prefix><key>                             a finished object; its metadata carry the upload's id and birth
//	<pieces><id>/<birth>/p.<epoch>.<random>   a piece: what one request brought, or a long stretch of it
//	<pieces><id>/<birth>/c.<epoch>.<random>   pieces composed into one
//	<pieces><id>/<birth>/object               a finished Partial upload, which Concat alone reads
//	<pieces><id>/<birth>/gone                 a sign: this upload was removed, and could be completed without pieces
//
// A body becomes a piece under a name of its own, which must not exist yet (ifGenerationMatch=0). One that fits into a chunk goes in one
// request; a longer one in a resumable upload, chunk after chunk. A reader that breaks off ends the piece where it is: all that was
// read counts. Pieces are named in the cursor with their generations. Where 32 of a level have come together, the next Append composes
// them into one of the next level, beside the reading, and the one after it deletes the 32: by then a commit has made them needless.
// So the cursor never names more than 160 pieces, and never takes more than 16 KiB, however many PATCHes there are. Complete
// composes what is left, as a tree, into the object, which must not exist yet, of the generations that were committed.
//
// No two leases write the same name: a piece's name carries the epoch and a random word. So a writer that wakes up late can only write
// what nobody relies on.
//
// # Costs
//
// In operations of GCS's class A (insert, compose, rewrite, list) and class B (get); deletions are free. An upload is one
// operation, in however many requests it comes.
//
//	Append     1 A for each piece, of which a body has one unless it is longer than Options.PieceSize; and 1/32 + 1/1024 + ... A on
//	           average for composing. Never a List or a look, however many pieces there are.
//	Complete   1 A; up to 5 more where more than 32 pieces are left. With a storage class 1 A more, at the price of that class.
//	           Of an upload without bytes: 2 A, 1 B
//	Concat     2 A and 1 for each 31 parts beyond 32; 1 B for each part, and 2 more
//	Remove     1 A for a list that finds nothing, 2 where there are pieces; 1 B; 1 A more for a sign
//	Open, Link 2 B; none, but for a call of IAM's where there is no key
//	Collect    1 A for each 1,000 pieces of unfinished uploads. It takes all of an upload that has no record, and all but the object of one
//	           that is Done
//
// A bucket with soft delete (GCS's default: 7 days) goes on to bill for pieces that were deleted, once for the piece and once for what
// was composed of it on the way: switch it off, or shorten it, in a bucket for uploads.
//
// # Memory
//
// A body holds at most a chunk (Options.ChunkSize) of what has arrived, in segments that grow from 16 KiB, and as much again in the client
// once it is longer than that. Beyond 240 KiB each, all bodies share Options.Memory: one that gets no more within a second stores
// what it has as a piece and goes on, without waiting again until there was some.
//
// # Whatever is killed, frozen, or answered into the void
//
//	Append, in the middle of a piece         there is no object before its end; GCS drops what was sent after a week
//	Append, after a piece                    not in the committed cursor: it does not exist. Remove and Collect list the life's directory
//	Append, an answer lost                   the piece is sent again under the same name: 412 says that it is there
//	Append, after composing                  the 32 are still there and still count. The composed one is a stray, as a piece is
//	Append, before old pieces are deleted    the next cursor lists them still; in the end Complete or Remove delete them
//	Append, late, with pieces that are gone  it composes nothing, and writes what does not count
//	Append, late, after Complete             a piece beside the finished object, until Remove or Collect
//	Complete, on the way up the tree         what was composed is a stray; the next Complete begins anew
//	Complete, object published               the key is taken, or pieces are gone: the object's birth, id and size say success
//	Complete, pieces not deleted             they lie there until Remove or Collect; nobody reads them
//	Complete, late, after Remove             no pieces: nothing to compose. Without bytes it makes a piece and then looks for the sign;
//	                                         Remove leaves the sign and then looks for pieces. One of them sees the other
//	Concat, at any place                     as Complete; the parts are as they were
//	Concat, late, after Remove               as Complete without bytes: it composes a piece of its own before it looks for the sign
//	Remove, at any place                     sign, pieces until a list finds none, object, in this order; repeated from the start
//
// # What is not guaranteed
//
// A compose and a rewrite are taken to be atomic: an object appears only if its sources are there, with their generations, at that
// moment. Google says that operations on objects are strongly consistent, not in these words. All here was run
// against a fake (gcsfake) that does what Google's documentation says, and never against Google.
package gcsstore
