// Package tablestate keeps upload records in a table of Azure Table storage: the [tus.State] of Azure. It owns the entities of that
// table: one for each upload, and for each that will ever be due an entry in an index of what is due. The rules are those of
// [state.Store]; this package is the table below it.
//
// # What it promises
//
// Each change of a record is one request: a write of its entity under a condition on the entity's ETag, or, where its entry in
// the index moves, a transaction of that write and the entry's. The entry lies in the partition of its record, so that Azure makes
// both changes or none: there is no moment between them. Reads and queries are strongly consistent. Any number of
// processes may share a table, and any number of them may sweep.
//
// A step is: read the record (Create and, as a rule, Commit and Delete do without), ask the rules, write. What may come in
// between:
//
//	where                      killed here               frozen here, and woken      answer lost here
//	before the read            nothing has happened      it goes on                  the read is sent again
//	between read and write     nothing has happened      another write came first:   -
//	                                                     the condition fails, and it
//	                                                     reads and decides anew
//	before the write arrives   nothing has happened      the same                    the write is sent again
//	within a transaction       all of it or nothing      the same                    the same
//	after the write            the lease ends by its     another took the lease:     sent again, the write fails its
//	                           time; a sweep or the      its next Commit fails with  condition; a read finds the call's
//	                           client goes on from what  ErrSuperseded               own nonce, and the same lease is
//	                           was committed                                         returned
//	after Delete's write       record and entry are      they are gone               a read finds nothing: deleted
//	                           gone
//	in Due, behind the index   nothing has happened      what it lists may be done   the query is sent again
//	                                                     already: the record tells
//
// Beyond one step:
//
//	what went wrong                    what happens
//	throttling (503), 500, 429, or     sent again after random waits of at most a second, eight times, for 10 s at most, within
//	a connection that breaks           the caller's deadline; then ErrUnavailable, and the caller repeats with the same nonce
//	connection dead, without a word    after 4 s the attempt is given up and repeated on another connection
//	the process has forgotten, or      a version is not known: the Commit reads first
//	never saw, its lease's write
//	copy of a write, late              its condition holds no more: it changes nothing. A copy of a Create that comes after a
//	                                   deletion brings the record back, as package state says
//	an entry that a person deleted     the record's next write in another bucket puts it back; until then no sweep sees it
//	an entry whose record a person     the next sweep that comes to it removes it, under a condition: an entry that came back
//	deleted or restored                meanwhile stays
//	two clocks that differ             what is due is found earlier or later by as much; the record's rules decide again under
//	                                   the clock of whoever acquires it
//	no sweep ever runs                 records stay: Table storage has no TTL
//
// # Cost
//
// In requests. A transaction is counted as one; whether Azure bills it as one was not checked against a bill.
//
//	Create      1 write
//	Load        1 read
//	Acquire     1 read, 1 write
//	Commit      1 write; and 1 read where this process did not make the lease's last write, or has released it
//	Delete      1 write; and 1 read as with Commit
//	Due         32 queries, and 1 read for each record that is due or will be within ten minutes
//	List        32 queries at least, and 1 more for each 256 records
//	Ping        1 read
//
// So a PATCH is one read and two writes, however large the upload is, and no query. One of these writes is a transaction of three
// changes once in ten minutes. A Swapper's Commit would be a read more: but the process that acquired the lease has just seen
// the ETag, and remembers it for as long as the lease lasts; see [state.Versions].
//
// # What was run
//
// All of it on Azurite 3.37.0, and nothing on a storage account. Azurite takes transactions over several partitions, which Azure
// refuses: the index is in the partition of its record by construction. Its queries read the whole table, so that it says nothing
// about their speed. Throttling, timeouts and refusals were injected below the client library. Cosmos DB, which speaks the same
// protocol, was not tried.
//
// docs/decisions/0016-table.md has the entity, the index, and why they are so.
package tablestate
