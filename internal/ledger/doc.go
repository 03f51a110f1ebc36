// Package ledger counts what a run costs on AWS, as seen on the wire: by proxies in front of the S3 server and of the DynamoDB
// server, and by what the gateway tells of invocations. Whatever a driver sends is counted, retries and losers of races too.
//
// DynamoDB's units are those that the server says it would bill: the proxy asks for them with each call. A failed condition answers
// without; it is counted by the documented rule, one unit a KB of the item that it met, and one at least. S3's requests
// are counted by the classes of its price list.
//
// Its tests are the promise: they fail where a PATCH costs more than is written in docs/cost.md, and they write the table
// there (make cost).
package ledger
