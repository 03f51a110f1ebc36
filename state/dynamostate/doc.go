// Package dynamostate keeps upload records in a DynamoDB table: the [tus.State] of AWS. It owns the items of that table,
// one for each upload, and nothing else.
//
// # What it promises
//
// Each change is one conditional write, made of the rules of package state: DynamoDB decides in one place whether the
// lease is free, the offset right and the lease's birth, epoch and nonce still those of the record. A failed condition
// brings the item back with it, so a refused call explains itself without a read. Any number of processes may share a
// table. A global table with eventual consistency is not supported: its regions would decide without each other.
//
//	what went wrong                  what the table holds      what happens
//	request lost, throttled          nothing new               the SDK sends it again, with jitter, inside the deadline
//	answer lost                      the call's own nonce      the repeat fails its condition, finds its own nonce in the
//	                                                           item that comes back, and returns the same lease
//	connection dead, without a word  either of the two         after 4 s the attempt is given up and repeated
//	crash after the request          the call's own nonce      nobody asks; the lease ends by its time
//	copy of a request, late          a later nonce             as package state says: it changes nothing, or burns an epoch
//	deadline over, table in distress either of the first two   ErrUnavailable; the caller repeats with the same nonce
//	no sweep ever runs               expired records           DynamoDB's TTL takes unfinished ones away, 30 days later
//
// # Cost
//
// An ordinary record is below 1 KB, which is one write unit, however many parts the upload has. Reads are strongly
// consistent. Failed conditions are billed as writes.
//
//	Create      1 PutItem      1 write unit, and 1 for the index where the record will ever be due
//	Load        1 GetItem      1 read unit
//	Acquire     1 UpdateItem   1 write unit
//	Commit      1 UpdateItem   1 write unit, and 2 for the index where due moves to another bucket of ten minutes
//	Delete      1 DeleteItem   1 write unit, and 1 for the index as with Create
//	Due         16 Query, and a BatchGetItem for each hundred that may be due: half a read unit and more for each Query,
//	            1 for each record
//	List        a Scan of the whole table, and 1 read unit for each record: for administration
//	Ping        1 GetItem      half a read unit
//
// So a PATCH is two write units and no read. docs/decisions/0010-dynamodb-item-and-due-index.md has the item, the index,
// and why they are so.
package dynamostate
