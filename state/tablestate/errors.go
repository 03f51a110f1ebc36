package tablestate

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/data/aztables"

	"github.com/fileloft/fileloft/state"
	"github.com/fileloft/fileloft/tus"
)

// A refusal is Azure's answer that a request failed, in one line: the library's own text has ten.
type refusal struct {
	status        int
	code, message string
	err           error
}

func (r *refusal) Error() string {
	return fmt.Sprintf("Azure answered %d %s: %s", r.status, r.code, r.message)
}

func (r *refusal) Unwrap() error { return r.err }

// asRefusal makes a refusal of what the library returns for one. Where a transaction failed, that says 202, and its body says why.
func asRefusal(err error) error {
	var answer *azcore.ResponseError
	if !errors.As(err, &answer) {
		return err
	}
	no := &refusal{status: answer.StatusCode, code: answer.ErrorCode, err: err}
	if answer.RawResponse == nil {
		return no
	}
	body, _ := runtime.Payload(answer.RawResponse) // the library has read it
	if no.status == http.StatusAccepted {
		no.status, _ = firstPart(body)
	}
	var said struct {
		Error struct {
			Code    string `json:"code"`
			Message struct {
				Value string `json:"value"`
			} `json:"message"`
		} `json:"odata.error"`
	}
	if i := bytes.IndexByte(body, '{'); i >= 0 {
		_ = json.NewDecoder(bytes.NewReader(body[i:])).Decode(&said) // else the status has to do
	}
	if said.Error.Code != "" {
		no.code = said.Error.Code
	}
	line, _, _ := bytes.Cut([]byte(said.Error.Message.Value), []byte("\n")) // the others name the request and the time
	no.message = string(line)
	return no
}

// A lateError says that a call took too long, in all its attempts.
type lateError struct {
	after time.Duration
	err   error
}

func (e *lateError) Error() string {
	return fmt.Sprintf("no good answer within %s: %v", e.after, e.err)
}

// missing reports whether Azure says that there is no such entity, in a table that is there.
func missing(err error) bool {
	var no *refusal
	return errors.As(err, &no) && no.status == http.StatusNotFound && no.code != string(aztables.TableNotFound)
}

// explain adds to an error what was wanted, and what a person can do about it. What may be over soon is ErrUnavailable.
func explain(ctx context.Context, verb string, err error) error {
	if err == nil || errors.Is(err, tus.ErrExists) || errors.Is(err, state.ErrConflict) {
		return err
	}
	return fmt.Errorf("tablestate: %s: %w", verb, explained(ctx, err))
}

func explained(ctx context.Context, err error) error {
	cause := ctx.Err()
	switch {
	case errors.Is(cause, context.Canceled):
		return cause
	case cause != nil:
		return fmt.Errorf("%w: %w: %w", tus.ErrUnavailable, cause, err)
	case transient(err):
		return fmt.Errorf("%w: %w", tus.ErrUnavailable, err)
	}
	var no *refusal
	if !errors.As(err, &no) {
		return err
	}
	switch {
	case no.code == string(aztables.TableNotFound):
		return fmt.Errorf("there is no such table in the storage account: make it with the project's Terraform or by fileloft state "+
			"init, or name another one: %w", err)
	case no.status == http.StatusUnauthorized, no.code == "AuthenticationFailed":
		return fmt.Errorf("the credentials are none for this storage account, or this machine's clock is wrong: %w", err)
	case no.status == http.StatusForbidden:
		return fmt.Errorf("the identity must be allowed to use the table, by the role Storage Table Data Contributor, and the storage "+
			"account's network rules must let it in: %w", err)
	case no.status == http.StatusRequestEntityTooLarge, no.code == string(aztables.EntityTooLarge),
		no.code == string(aztables.PropertyValueTooLarge):
		return fmt.Errorf("the record is larger than an entity may be: lower the limits of metadata and of partial uploads: %w", err)
	}
	return err
}

// transientStatus are the answers that mean: try again. ServerBusy is a 503, OperationTimedOut a 500.
var transientStatus = []int{
	http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusBadGateway,
	http.StatusServiceUnavailable, http.StatusGatewayTimeout,
}

// transient reports whether a call may succeed if it is sent again.
func transient(err error) bool {
	var no *refusal
	if errors.As(err, &no) {
		return slices.Contains(transientStatus, no.status)
	}
	return errors.As(err, new(*lateError)) || errors.As(err, new(net.Error)) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}
