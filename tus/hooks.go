package tus

import (
	"context"
	"net/http"
)

// Hooks are the places where a program takes part. Every one may be nil. The Pre hooks and Access run before the
// thing happens and can prevent it by an error: a [*Rejection] becomes the answer as it is, any other error a 500
// (and for PreFinish a 503, to be tried again).
type Hooks struct {
	// Access runs on every request that touches an upload, and for every source of a concatenation.
	Access func(ctx context.Context, a *Access) error
	// PreCreate runs before a record is made and may change what it will be.
	PreCreate func(ctx context.Context, c *Creation) error
	// PreFinish runs when all bytes are committed and before the object is put in place; not for partial uploads. A
	// Rejection is final: the upload and its bytes are removed. It may run again for one upload, after a crash.
	PreFinish func(ctx context.Context, u Upload) error
	// PreTerminate runs before a client's DELETE, or a clean-up of partial uploads, removes anything.
	PreTerminate func(ctx context.Context, u Upload) error
	// Event is told what has happened, at least once, in spite of crashes: an event whose delivery failed or was cut
	// short is delivered by the next request on the upload or by Sweep, with the same Event.ID.
	Event func(ctx context.Context, e Event) error
	// Events are the kinds that Event wants. Default: Created, Finished and Terminated. Progress costs one more
	// database write a PATCH.
	Events Events
}

// An Action is what a request is about to do to an upload.
type Action string

// The actions.
const (
	ActionCreate    Action = "create"
	ActionHead      Action = "head"
	ActionAppend    Action = "append"
	ActionTerminate Action = "terminate"
	ActionDownload  Action = "download"
	ActionConcat    Action = "concat" // use as a source of a final upload
)

// Access is a question to the Access hook.
type Access struct {
	Action Action
	ID     ID // empty for ActionCreate
	Header http.Header
	load   func(ctx context.Context) (Upload, error)
}

// Upload loads the record that the request is about, at the cost of one database read for an append and none else.
func (a *Access) Upload(ctx context.Context) (Upload, error) { return a.load(ctx) }

// Creation is what PreCreate sees and may change. Only ID, Key and Metadata are read back.
type Creation struct {
	ID       ID     // a random one; another must be free, unguessable, and pass [ID.Validate]
	Key      string // where the finished object goes; empty: the ID
	Metadata string // as in the Upload-Metadata header
	Length   int64  // or Unknown
	Concat   Concat
	Header   http.Header
}

// A Rejection is a hook's answer to the client in place of what would have happened.
type Rejection struct {
	Status int    // 400 to 599; default 403
	Body   string // default: a sentence
	Header http.Header
}

func (r *Rejection) Error() string { return "tus: rejected by a hook: " + r.Body }

// An Event is something that has happened to an upload.
type Event struct {
	ID     string // the same for repeats of one event
	Kind   Events // one of Created, Progress, Finished, Terminated
	Upload Upload // the record when it happened
}
