// Command lambda is fileloft as an AWS Lambda function: uploads into S3, records in DynamoDB.
//
// One binary answers the events of an HTTP API (payload 2.0 or 1.0), a REST API, a Function URL and an Application Load
// Balancer, told apart by their shape, and runs the sweeper on a schedule event. It reads the same FILELOFT_ variables as the
// standalone server; storage is s3, state is dynamodb.
//
// # What the platform sets
//
// An event is 6,291,456 bytes at most and carries the body as base64, so a request takes 4 MiB: more is answered
// 413 with a sentence that names the size. (The gateways answer for themselves where the event would not fit.) The function sees a
// body when all of it is there: there are no trailers and no progress within a request. Downloads are redirects to signed URLs.
//
// An invocation ends at its timeout, whatever the function does. The engine keeps a reserve: it starts nothing that
// would not end before, commits what is stored, and answers. See [tus.Handler.ServeHTTP].
//
// # What it costs
//
// Starting sends nothing: the clients are made with the process, connections with the first request that needs them. Nothing
// is remembered between invocations but connections. An event's body
// is decoded from where it stands in the event, once.
//
// # The adapter
//
// aws-lambda-go-api-proxy makes requests out of events. Four things are put right around it: it splits header values at
// commas, which Upload-Metadata does not survive; it leaves the stage in the path; it fails on bad base64 where the client should
// hear of it; and it cannot know that a REST API without binary media types has changed the bytes of a body into
// replacement characters, which must never be stored.
package main
