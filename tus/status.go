package tus

import (
	"context"
	"errors"
	"net/http"
)

// A code is the stable name of a reason for not doing what was asked. Clients see it as the first word of
// an error's body.
type code string

const (
	codeBadID        code = "invalid-id"
	codeBadHeader    code = "invalid-header"
	codeBadMetadata  code = "invalid-metadata"
	codeBadConcat    code = "invalid-concat"
	codeBadChecksum  code = "invalid-checksum"
	codeBadLength    code = "inconsistent-upload-length"
	codeUnfinished   code = "unfinished-upload"
	codeFinal        code = "final-upload"
	codeRejected     code = "rejected"
	codeNotFound     code = "not-found"
	codeGone         code = "expired"
	codeMethod       code = "method-not-allowed"
	codeStalled      code = "stalled-body"
	codeBody         code = "unreadable-body"
	codeNoLength     code = "length-required"
	codeOffset       code = "mismatching-offset"
	codeTaken        code = "already-exists"
	codeVersion      code = "unsupported-version"
	codeTooLarge     code = "too-large"
	codeChunk        code = "chunk-too-large"
	codeMediaType    code = "unsupported-media-type"
	codeLocked       code = "locked"
	codeMismatch     code = "checksum-mismatch"
	codeInternal     code = "internal"
	codeCorrupt      code = "corrupt"
	codeUnavailable  code = "unavailable"
	codeShuttingDown code = "shutting-down"
	codeOutOfTime    code = "out-of-time"
	codeNoSpace      code = "no-space"
)

// status is the one place where reasons become HTTP status codes.
var status = map[code]int{
	codeBadID:        http.StatusBadRequest,
	codeBadHeader:    http.StatusBadRequest,
	codeBadMetadata:  http.StatusBadRequest,
	codeBadConcat:    http.StatusBadRequest,
	codeBadChecksum:  http.StatusBadRequest,
	codeBadLength:    http.StatusBadRequest,
	codeUnfinished:   http.StatusBadRequest,
	codeBody:         http.StatusBadRequest,
	codeFinal:        http.StatusForbidden,
	codeRejected:     http.StatusForbidden,
	codeNotFound:     http.StatusNotFound,
	codeMethod:       http.StatusMethodNotAllowed,
	codeStalled:      http.StatusRequestTimeout,
	codeNoLength:     http.StatusLengthRequired,
	codeOffset:       http.StatusConflict,
	codeTaken:        http.StatusConflict,
	codeGone:         http.StatusGone,
	codeVersion:      http.StatusPreconditionFailed,
	codeTooLarge:     http.StatusRequestEntityTooLarge,
	codeChunk:        http.StatusRequestEntityTooLarge,
	codeMediaType:    http.StatusUnsupportedMediaType,
	codeLocked:       http.StatusLocked,
	codeMismatch:     460, // tus 1.0.0, "Checksum"
	codeInternal:     http.StatusInternalServerError,
	codeCorrupt:      http.StatusInternalServerError,
	codeUnavailable:  http.StatusServiceUnavailable,
	codeShuttingDown: http.StatusServiceUnavailable,
	codeOutOfTime:    http.StatusServiceUnavailable,
	codeNoSpace:      http.StatusInsufficientStorage,
}

// A fault is the engine's way to say that a request was not done. It knows no header names: the dialect
// renders it.
type fault struct {
	code   code
	text   string // one sentence for the client
	offset int64  // the upload's true offset where that helps the client, else Unknown
	reject *Rejection
	cause  error // for the log only
}

func (f *fault) Error() string {
	if f.cause != nil {
		return string(f.code) + ": " + f.text + ": " + f.cause.Error()
	}
	return string(f.code) + ": " + f.text
}

func (f *fault) Unwrap() error { return f.cause }

// refuse makes a fault.
func refuse(c code, text string) *fault { return &fault{code: c, text: text, offset: Unknown} }

// because adds the cause, for the log.
func (f *fault) because(err error) *fault {
	f.cause = err
	return f
}

var (
	faultNotFound = refuse(codeNotFound, "there is no such upload")
	faultExpired  = refuse(codeGone, "the upload has expired")
	faultFinal    = refuse(codeFinal, "a final upload takes no bytes itself")
	faultLocked   = refuse(codeLocked, "another request is writing to this upload; ask for its offset and go on from there")
)

// asFault says what an error means to a client. Errors that nobody planned for go out opaque.
func asFault(err error) *fault {
	if f, ok := errors.AsType[*fault](err); ok {
		return f
	}
	if r, ok := errors.AsType[*Rejection](err); ok {
		return &fault{code: codeRejected, text: r.Body, offset: Unknown, reject: r}
	}
	switch {
	case errors.As(err, new(*LeasedError)):
		return faultLocked
	case errors.Is(err, ErrNotFound):
		return refuse(codeNotFound, faultNotFound.text).because(err)
	case errors.Is(err, ErrSuperseded):
		return refuse(codeLocked, faultLocked.text).because(err)
	case errors.Is(err, ErrExists):
		return refuse(codeTaken, "the name chosen for this upload is taken").because(err)
	case errors.Is(err, ErrNoSpace):
		return refuse(codeNoSpace, "the storage is full; what is stored so far is kept").because(err)
	case errors.Is(err, ErrCorrupt):
		return refuse(codeCorrupt, "the storage does not hold what was sent; upload it anew").because(err)
	case errors.Is(err, ErrUnavailable), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return refuse(codeUnavailable, "the service cannot reach what it depends on; try again soon").because(err)
	}
	return refuse(codeInternal, "something went wrong on the server; the request id tells which entry in its log").because(err)
}

func offsetFault(offset int64) *fault {
	return &fault{code: codeOffset, text: "the upload is at another offset than the request", offset: offset}
}
