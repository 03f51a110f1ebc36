// Package ledger counts what a run costs on AWS and on Google Cloud, as seen on the wire: by proxies in front of the servers that stand
// for the clouds' stores, and by what the gateway tells of invocations. Whatever a driver sends is counted, retries and losers
// of races too.
//
// DynamoDB's units are those that the server says it would bill: the proxy asks for them with each call. A failed condition answers
// without; it is counted by the documented rule, one unit a KB of the item that it met, and one at least. Firestore's are
// documents: as many as a commit names, and as a read or a query returns, of which a query is one at least. Requests to S3 and
// to Cloud Storage are counted by the classes of their price lists.
//
// Its tests are the promise: they fail where a PATCH costs more than is written in docs/cost.md, they write the tables there (make
// cost), and they hold what was called to what the templates' roles allow.
package ledger
