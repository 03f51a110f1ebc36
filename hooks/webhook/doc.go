// Package webhook has a program elsewhere take part in uploads, over HTTP: [New] makes [tus.Hooks] that send CloudEvents,
// signed as Standard Webhooks 1.0.0 says, to one address.
//
// # What it promises
//
// What has happened (created, progress, finished, terminated) is told at least once, in spite of crashes of either side: a
// delivery that is not answered with 200 to 299 leaves the event owed, and the next request on the upload or Sweep
// delivers it, under the same id.
//
// What is about to happen (access, pre-create, pre-finish, pre-terminate) is asked before it happens, and happens only if the
// receiver says so. Where it cannot be reached, or says what is not understood, nothing happens: the client gets 503 or 500,
// and its retries ask again. Only a [Reject] is a no; and nothing else of what a receiver says reaches a client.
//
// The whole message is in the body and so under the signature: CloudEvents' binary mode would leave its attributes out of it.
// [Verify] is for receivers in Go; others find libraries for Standard Webhooks in most languages.
//
// # What it costs
//
// One request a hook, and more where it fails: network errors, 5xx, 408 and 429 are tried again, under the same id, after pauses
// that double, or as long as Retry-After says. All of them end with the request's context, and so with the time that a
// platform gives it. The client waits meanwhile: access costs a round trip a request, and a read of the record; progress one for
// each time that bytes are committed. Events are given one attempt's time for all attempts, as they can be told later.
// Between messages nothing is kept but idle connections.
//
// # What it does not promise
//
// Order: an event that is told again comes after later ones. Exactly once: receivers drop ids that they have seen. An event that
// the receiver never takes stays owed for ever, and keeps the record of a removed upload.
package webhook
