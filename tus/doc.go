// Package tus is a resumable-upload server that stays correct when no process remembers anything: an [http.Handler] for
// tus 1.0.0 with all its extensions, over two ports, [State] and [Storage].
//
// # What it promises
//
// Any number of Handlers, in any number of processes, may serve the same uploads, with no sticky sessions and no lock
// server. No byte that was acknowledged is lost, doubled or mixed up, whatever is killed, frozen, retried or
// answered twice. Clients see an upload as complete only when its object is in place.
//
// # How
//
// The record of an upload (its offset, its phase, a digest of its bytes, the storage's own note on where they are) lives in the
// State and changes only by conditional writes. Storage makes bytes durable and returns a receipt; only the commit of
// that receipt moves the offset, so bytes whose receipt was never committed do not exist. Each writer holds a
// lease under a number of its own, the epoch; a commit under an older epoch fails. The lease keeps writers from wasting
// work, the epoch keeps them from harm. Together with the epoch a lease gets slots, numbers that no other lease ever
// gets, to name pieces with: a writer that wakes up late can only write names that nobody relies on.
//
// The engine (append.go, rounds.go, create.go, finish.go, concat.go, engine.go, sweep.go) knows no header names. A dialect
// (tus1.go) parses requests into its calls and renders what comes back; another dialect can act on the same uploads.
//
// # What it costs
//
// A PATCH costs two writes to the State, one to get the lease and one to commit and release it, and no read; the last one of an
// upload costs one more. HEAD costs one read. A body is streamed: memory is bounded by two buffers of 256 KiB a request
// and what the storage needs for its parts, never by the body. Nothing outlives the response: no goroutine, no timer.
//
// # What it does not promise
//
// A client that sends bytes past a checkpoint and dies may have to send some again: what was not committed is not there.
// Events are delivered at least once, not exactly once; [Event].ID tells repeats. Order between events of
// different uploads is not kept.
package tus
