// Package azurestore keeps uploads in one container of Azure Blob Storage, as blocks of block blobs.
//
// # Layout
//
//	<prefix><key>                             a finished object; its metadata carry the upload's id and birth
//	<pieces><id>/<birth>/s.<number>           a stage: a blob on which blocks are staged; nobody sees it before its list is committed
//	<pieces><id>/<birth>/j.<epoch>.<random>   stages, or the parts of a Final upload, joined into one blob
//	<pieces><id>/<birth>/object               a finished Partial upload, which Concat alone reads
//	<pieces><id>/<birth>/gone                 a sign: this upload was removed, and could be completed without blocks
//
// A body becomes blocks of Options.BlockSize, sent side by side; the last one, and a short body's only one, may be as short as it likes.
// Their ids are made of the lease's slots, all of one length. The cursor names the committed slots in runs. Complete commits the
// stage's list, once, with the committed blocks and no others, and has the store copy that blob to its key. What was staged by
// anybody else is in no list, and Azure drops it.
//
// Blocks that are staged cannot be read, so many small ones cannot be merged on the way. Instead a stage is full with 45,000 blocks
// (Azure's limit is 50,000): the cursor says so, later blocks go to the next stage, and the next Append binds the full one: it commits
// its list, which makes one readable blob of it under a name that nobody looks at. Complete then has the store join the stages, each
// of which is a block, or one for each 256 MiB. There may be 200 stages, so nine million PATCHes; the cursor never takes more than 16 KiB.
//
// No two leases write the same block, and no two lives of an id, or uploads of one key, the same stage. So a writer that wakes up late
// can only write what nobody relies on, and a Remove that comes late takes nothing of what came after it.
//
// # Costs
//
// In operations as Azure bills them: W for writes and lists, R for reads and looks; deletions are free.
//
//	Append     1 W for each block, of which a body has one unless it is longer than Options.BlockSize; where it is the first after a
//	           stage became full, 1 W and 1 R more. Never a List or a look otherwise, however many blocks there are.
//	Complete   2 W, 1 R. For each stage of several 1 W and 1 R more, and 1 W if it was not bound; 1 W for the joined one.
//	           Of an upload without bytes: 2 W, 2 R
//	Concat     2 W, 3 R; 1 R for each part, and 1 W for each part's 256 MiB
//	Remove     1 W for a list that finds nothing, 2 where there are pieces, and 1 W for each; 1 R; 1 W more for a sign
//	Open, Link 1 R; none, but for one call a day for a user's delegated key
//	Collect    1 W for each 5,000 pieces of unfinished uploads, 1 W for each that it removes. It takes all of an upload that has no
//	           record, and all but the object of one that is Done
//
// # Memory
//
// A body holds the blocks on their way, at most Options.Parallel, and the one that is being filled, in segments that grow from 16 KiB. Beyond
// 240 KiB each, all bodies share Options.Memory: one that gets no more within a second waits for blocks of its own that are on their way;
// without any it sends what it has as a block and goes on, without waiting again until there was some.
//
// # What is proven
//
// Each block carries its CRC64, and Azure keeps only what matches. A list names the blocks, so their order is the cursor's. The blob that
// the list made is looked at, before it is published, and must be as long as the upload. Azure has no checksum of the whole to compare with
// the rolling crc32c: the Content-MD5 of a finished object is what this driver reckoned on the way (see Options.NoMD5), and Azure keeps it
// without looking, for those who download. A Final upload has none.
//
// # Whatever is killed, frozen, or answered into the void
//
//	Append, between blocks sent in parallel  the receipt ends before the first that failed; ids behind it are spoilt
//	Append, after a block                    not in the committed cursor: it does not exist. No list will name it
//	Append, an answer lost                   the block is sent again under its id, with the same bytes
//	Append, late, to a stage that is full    bound or not, nobody adds to its list: the block is in none
//	Append, binding a stage                  its list is in the committed cursor, and nobody adds to it: whoever commits it, and how often,
//	                                         makes the same blob. If-None-Match keeps what the first one made
//	Append, bound and not committed          the next Append, or Complete, finds that the blob is there already
//	Append, late, after Complete or Remove   its blocks make a blob that nobody sees: the next Remove or Collect discards it, and Azure a
//	                                         week after its last block
//	Complete, list committed                 the next one finds it: birth, id and length say whose it is
//	Complete, an answer to the copy lost     the key is taken: the object's birth, id and length say success
//	Complete, while the store copies         as a rule a copy has ended when it is answered. Else it is waited for, and what it copies is
//	                                         kept, also where nobody can look how far it is; one that failed is taken away, and made again
//	Complete, stages not deleted             they lie there until the next Complete, Remove or Collect. Since a copy has ended before an
//	                                         upload is Done, nobody reads them
//	Complete, while another one is at it     both commit the same list; one of them publishes. Blocks that are gone, and no object: lost
//	Complete, late, after Remove             no blocks: nothing to commit; no blob: nothing to copy. Without bytes it makes a blob and then looks
//	                                         for the sign; Remove leaves the sign and then looks for blobs. One of them sees the other.
//	                                         It takes the blob back for a sign, and not because it cannot look: another call may copy it
//	Concat, at any place                     as Complete; the parts are as they were
//	Concat, late, after Remove               as Complete without bytes: it makes a blob of its own before it looks for the sign
//	Remove, at any place                     sign, pieces until a list finds none, object, in this order; repeated from the start
//
// Remove discards a piece by committing an empty list, which throws away all that is staged on it, and then deletes the blob: Azure does
// not delete one that has nothing but staged blocks. Its lists ask for such ones too.
//
// # The account's settings
//
// Versioning and soft delete change nothing of this: what was deleted, or is an older version, is in no list and under no name that the
// driver asks for. But Azure goes on to bill for it: an object's stage, which is deleted when it was copied, for as long as the account
// keeps what was deleted, and older versions until a lifecycle rule deletes them. Switch both off in an account for uploads, or have such a rule
// for the pieces' prefix. Snapshots that others take of pieces and objects are deleted with them. A lease or an immutability policy that others put on
// an object makes Remove fail.
//
// Staged blocks live for a week after the last one, and are billed: uploads must expire before that. A full stage that was bound stays.
//
// # Requests
//
// The Store says itself how often a request is tried: five times, 200 ms apart and then longer, each for 30 s and a second for each MiB, as far
// as the context allows.
//
// # What is not guaranteed
//
// That a copy under the condition of its source's ETag is atomic: an object appears only if its source is there at that moment. That
// a request which the network held back, and delivers after the upload was removed, does nothing: where that are all blocks of an upload, and a
// Complete comes still later, the object is back. Accounts with hierarchical namespaces: nothing was tried there. All here was run against
// Azurite 3.37.0, and never against a real account; answers that Azurite does not give, copies that take their time and delegated keys, were
// played to it.
// The whole engine is played over each request, under simulated faults, with a store of the tests' own: package sim says how.
package azurestore
