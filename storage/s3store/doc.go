// Package s3store keeps uploads in one bucket of Amazon S3, or of a store like it, by multipart uploads.
//
// # Layout
//
//	<prefix><key>                         a finished object; its metadata carry the upload's id and birth
//	<pieces><id>/<birth>/t.<epoch>.<random>   a tail: bytes short of a part, never rewritten
//	<pieces><id>/<birth>/s.<session>      a note: this session (multipart upload) is of this life; written before its first part
//	<pieces><id>/<birth>/object           a finished Partial upload, which Concat alone reads
//	<pieces><id>/<birth>/gone             a sign: this upload was removed, and could be completed without a session
//
// Bytes become parts of one size, which the upload's first body decides, numbered by the slots of the lease; what is short
// of a part becomes a tail. When tails and new bytes make a part's worth, one UploadPart streams them, the tails by ranged GETs. The
// cursor names the session, the committed part numbers in runs, the tails, the tails that were replaced, and two MD5 states: over the
// tails, so that a part's MD5 is known before it is sent, and over the parts' MD5s, which make the object's ETag. It takes some 300
// bytes and never more than 16 KiB.
//
// Each part and tail is held against its MD5: by the store, as Content-MD5, until its ETags are known to be MD5s, and from then on by
// its ETag. What does not match is not in the receipt.
//
// No two leases write the same name: a part number belongs to one lease, a tail's name carries the epoch and a random word.
// So a writer that wakes up late can only write what nobody relies on.
//
// # Costs
//
// In requests of S3's PUT class (PUT, POST, LIST) and GET class (GET, HEAD); deletions and aborts are free.
//
//	Append     1 PUT for each part, 1 for a tail at the end; 1 GET for each tail that goes into a part; 2 PUT more for the upload's
//	           first part (the session, its note). Never a List or a Head, however many parts there are.
//	Complete   1 PUT and 1 for each 1,000 parts of the list, 1 GET; 1 PUT and a GET for each tail, where some are left.
//	           Without a session: 1 PUT, 1 GET for each tail, 2 GET for the sign of removal
//	Concat     3 PUT and 1 for each part; 1 GET for each source and 2 more; bytes that are merged are read twice
//	Remove     1 PUT (the list), 1 GET; 1 PUT more for a sign
//	Open, Link 1 GET, none
//	Collect    1 PUT for each 1,000 pieces of unfinished uploads, 1 GET for each sign and session that is collected. It
//	           takes all of an upload that has no record, and all but the object of one that is Done
//
// # Memory
//
// A body holds what arrived of the parts on their way, in segments that grow from 16 KiB, at most Options.Parallel parts and one
// that is being filled; parts longer than 64 MiB are put together from tails. Beyond 240 KiB each, all
// bodies share Options.Memory: one that gets no more within a second waits for parts of its own that are on their way; without any it
// stores what it has as a tail and goes on, without waiting again until there was some. Segments are used again by other bodies.
//
// # Whatever is killed, frozen, or answered into the void
//
//	Append, after CreateMultipartUpload      a session without parts and without a note costs nothing; a lifecycle rule ends it
//	Append, after the note or a part         not in the committed cursor: it does not exist. Remove finds the note; so does Collect
//	Append, after a tail                     as a part; Remove and Collect list the life's directory
//	Append, late, after Complete             the same: a session with a note, or a tail, beside the finished object. Collect ends the
//	                                         one and deletes the other, or Remove, whichever comes first
//	Append, between parts sent in parallel   the receipt ends before the first that failed; numbers behind it are spoilt
//	Append, before old tails are deleted     the next cursor lists them still; in the end Complete or Remove delete them
//	Append, late, with tails that are gone   ErrCorrupt, from a lease that can commit nothing, not even that
//	Complete, last part sent                 the next Complete sends the same bytes under the same number
//	Complete, object published               the session is gone, or the key taken: the object's birth, id and size say success
//	Complete, while another one is at it     it looks again for most of a second, then ErrUnavailable: never ErrCorrupt, and never
//	                                         success before the object is seen, even where the store says yes
//	Complete, tails not deleted              they lie there until Remove or Collect; nobody reads them
//	Complete, late, after Remove             no session: nothing to complete. Without one: the sign stops it before the PutObject; one
//	                                         that was overtaken just there sees the sign behind it and deletes what it put; killed even
//	                                         there, Collect does when it takes away the sign
//	Concat, at any place                     its session is noted: Remove or Collect end it; the next Concat begins anew
//	Concat, late, after Remove               it notes its session and then looks for the sign; Remove leaves the sign and then looks for
//	                                         notes. One of them sees the other
//	Remove, at any place                     sign, session, pieces, object, in this order; repeated from the start
//
// # Other stores
//
// The tests run on versitygw. The whole suite and uploads of all kinds were also run by hand on MinIO (of February 2026), where:
//
//	a second Complete     404 NoSuchUpload, or 412 with the condition; versitygw repeats its 200, and says so while the first is still at
//	                      work. All are understood
//	gaps, ETags           as on S3: parts 3, 7, 10 make an object, with the ETag of their MD5s
//	If-None-Match         as on S3, on PutObject and on CompleteMultipartUpload
//	x-amz-mp-object-size  not looked at; the sum of the listed parts is what Complete goes by
//	If-Match on a delete  not looked at: two Removes of one upload at once, with another upload completed under its key in
//	                      between, can delete the other's object
//	an abort, repeated    204 instead of 404
//
// # What is not guaranteed
//
// An AbortMultipartUpload is taken to be atomic against a CompleteMultipartUpload, as S3's strong consistency says. A part that is
// being sent while its session is aborted may stay, says S3: a lifecycle rule (AbortIncompleteMultipartUpload) is the net, and
// it must be longer than uploads may last.
// With Options.Unconditional two uploads that are completed under one key at once replace each other.
package s3store
