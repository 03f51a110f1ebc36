// Package watch tells metrics and traces what the server does: requests, sweeps, the steps in the State and in the Storage, and
// the requests that a cloud's client sends for one of them. It knows neither Prometheus nor OpenTelemetry, so that functions
// can link it without them.
//
// State and Storage decorate the ports. They change nothing about a call, send nothing, and cost one allocation each; without a Watcher
// nobody needs them. What is no step of an upload passes by unseen: Ping, List, Due and Idle.
package watch

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/fileloft/fileloft/tus"
)

// A Watcher is told of acts. It is called by the goroutine that does the work, concurrently for different acts, and must
// not block.
type Watcher interface {
	// Begin is told of an act before it is done. The context that it returns goes with the act; it only adds values: what the act
	// leaves behind, such as an open object, is used after End.
	Begin(ctx context.Context, a Act) context.Context
	// End is told of it afterwards, with its results, and with the context that went with it.
	End(ctx context.Context, a Act)
}

// An Act is something that takes time: a *Request, a *Sweep, a *Call or an *Attempt. A panic ends it too.
type Act interface{ act() }

// A Request is one that the server answers.
type Request struct {
	*http.Request        // as it came in; its body and context are not the watcher's
	ID            string // request id
	Route         string // what its path stands for: /files/ and /files/{id}, or other names for them; /healthz; /readyz; "" for the rest
	Upload        tus.ID // what the path names, "" for none

	// Results.
	Status  int   // 0 where no answer was begun
	In, Out int64 // bytes of the bodies
	Took    time.Duration
}

// A Sweep is one run of the sweeper.
type Sweep struct {
	// Results.
	Report tus.SweepReport
	Err    error
	Took   time.Duration
}

// A Port is what a Call is made to.
type Port string

const (
	StatePort   Port = "state"
	StoragePort Port = "storage"
)

// A Call is one of a method of the ports, or of an optional ability of a Storage.
type Call struct {
	Port   Port
	Method string // the method's name in small letters
	ID     tus.ID
	Lease  tus.Lease  // that the call is made under: Commit, Delete, Append, Complete, Concat, Remove
	Claim  tus.Claim  // of Create, Acquire, Commit
	Next   tus.Upload // what Create and Commit write

	// Results.
	Receipt tus.Receipt // of Append
	Err     error
	Took    time.Duration
	// Waited is the part of Took that Append spent waiting for the body's next bytes: the client's time, not the storage's.
	Waited time.Duration
	// BodyFailed says that the body broke off: it, and not the storage, is the reason for Append's error.
	BodyFailed bool
}

// An Attempt is one request of a cloud's client, up to the answer's header.
type Attempt struct {
	Service string // s3, dynamodb, azure-blobs, azure-table
	*http.Request
	Number int // 1 for the first attempt at something, more where the client tries again by itself and says so, as AWS's do

	// Results.
	Status int // 0 without an answer
	Err    error
	Took   time.Duration
}

func (*Request) act() {}
func (*Sweep) act()   {}
func (*Call) act()    {}
func (*Attempt) act() {}

// errPanic is the result of a call that panicked.
var errPanic = errors.New("watch: the call panicked")

// Watchers are several, each inside those before it.
type Watchers []Watcher

// Begin tells all of them.
func (ws Watchers) Begin(ctx context.Context, a Act) context.Context {
	for _, w := range ws {
		ctx = w.Begin(ctx, a) //nolint:fatcontext // as many values as there are watchers
	}
	return ctx
}

// End tells all of them, the innermost first.
func (ws Watchers) End(ctx context.Context, a Act) {
	for i := range ws {
		ws[len(ws)-1-i].End(ctx, a)
	}
}
