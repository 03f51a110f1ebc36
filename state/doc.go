// Package state owns the lease rules: who may change the record of an upload, under which epoch, and which slots
// come with it.
//
// The rules are pure functions over a [Record]: [New], [Grant], [Advance] and [Remove]. They read no clock and
// touch no network, so they are tested once, for every database. [Store] turns them into a [tus.State] over a
// [Swapper], four methods that any database with a conditional write has. A database that can do a step in one
// conditional write of its own uses the rules directly, to build the write and to explain why one failed.
//
// # What happens when an answer is lost
//
// Every write stores the nonce of the call that made it, and every write but Create and Acquire succeeds only on a
// record that carries the nonce before it. So each call can find its own work:
//
//	what went wrong                    what the record shows         what the caller sees
//	request lost                       the nonce before              a repeat makes the change
//	answer lost                        the call's own nonce          a repeat returns the same lease, changes nothing
//	crash after the request            the call's own nonce          nobody asks; the lease ends by its time
//	duplicate of a Commit, late        a later nonce                 the duplicate fails, nothing changes
//	duplicate of an Acquire, late      a later nonce                 at worst a lease that nobody uses: an epoch and
//	                                                                 its slots are burnt, a holder may be superseded;
//	                                                                 the first copy's lease stays superseded
//	duplicate of a Create, late        any                           ErrExists
//	holder frozen, upload taken over   a higher epoch                the holder's Commit fails with ErrSuperseded
//
// Not guaranteed: a Create that is delivered after the record was deleted brings the record back, empty, under its
// old birth. Nothing short of keeping every record for good prevents that. It costs an upload that expires.
//
// # Cost
//
// Over a Swapper, Load is one read. Acquire is a read and a conditional write. Commit and Delete are the same, or
// one conditional write where the Swapper is a [Versioner]. Create is one conditional write.
package state
