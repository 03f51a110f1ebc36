// Package ledger counts what a run costs on AWS, Google Cloud and Azure, as seen on the wire: by proxies in front of the servers that
// stand for the clouds' stores, and by what the gateways tell of invocations. Whatever a driver sends is counted, retries and
// losers of races too. What the proxies for Google and Azure cannot name they do not pass on.
//
// DynamoDB's units are those that the server says it would bill: the proxy asks for them with each call. A failed condition answers
// without; it is counted by the documented rule, one unit a KB of the item that it met, and one at least. Firestore's are
// documents: as many as a commit names, and as a read or a query returns, of which a query is one at least. Azure's tables bill
// operations; a transaction is counted as its parts. Requests to S3, Cloud Storage and Azure's blobs are counted by the classes of
// their price lists.
//
// Its tests are the promise: they fail where a PATCH costs more than is written in docs/cost.md, they write the tables there (make
// cost), and they hold what was called to what the deployments' roles allow.
package ledger
