// Package firestorestate keeps upload records in a collection of Google's Firestore: the [tus.State] of Google Cloud. It owns
// the documents of that collection, one for each upload, and nothing else. The database is one of the Standard edition in
// Native mode. The rules are those of [state.Store]; this package is the table below it.
//
// # What it promises
//
// Each change is one conditional write of one document: it must not exist yet, or must have been written last at a given
// time. Firestore gives each write its own time and decides in one place, so no transaction is needed. Reads and queries are
// strongly consistent. Any number of processes may share a collection.
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
//	after the write            the lease ends by its     another took the lease:     sent again, the write fails its
//	                           time; a sweep or the      its next Commit fails with  condition; a read finds the call's
//	                           client goes on from what  ErrSuperseded               own nonce, and the same lease is
//	                           was committed                                         returned
//	after Delete's write       the record is gone        it is gone                  a read finds nothing: deleted
//
// Beyond one step:
//
//	what went wrong                    what happens
//	contention (Aborted), throttling   sent again after random waits of at most a second, for 10 s, within the caller's
//	                                   deadline; then ErrUnavailable, and the caller repeats with the same nonce
//	connection dead, without a word    after 4 s the attempt is given up and repeated; see New about keepalives
//	the process has forgotten, or      a version is not known: the Commit reads first
//	never saw, its lease's write
//	copy of a write, late              its condition holds no more: it changes nothing. A copy of a Create that comes after a
//	                                   deletion brings the record back, as package state says
//	the index is missing               Due and Sweep fail and say so; uploads go on
//	no sweep ever runs                 the TTL policy takes unfinished records away, 30 days after their expiry
//
// # Cost
//
// In documents billed. A refused write is counted here as a write: Google's price list does not say.
//
//	Create      1 write
//	Load        1 read
//	Acquire     1 read, 1 write
//	Commit      1 write; and 1 read where this process did not make the lease's last write, or has released it
//	Delete      1 delete; and 1 read as with Commit
//	Due         1 query: 1 read for each document that is due or will be within ten minutes, at least 1
//	List        1 read for each record
//	Ping        1 read
//
// So a PATCH is one read and two writes, however large the upload is. A Swapper's Commit would be a read more: but the
// process that acquired the lease has just seen the document's update time, and remembers it for as long as the lease lasts.
// Nothing hangs on that memory: where another process has written since, the condition fails, and where it is empty the
// document is read.
//
// Firestore takes about one write a second to one document, sustained. A PATCH is two, so chunks should take some seconds:
// 8 MiB and more. More often than that works for a while and is slowed down by Aborted after.
//
// docs/decisions/0014-firestore.md has the document, the index, what a deployment must create, and why they are so.
package firestorestate
