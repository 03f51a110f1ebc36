package lambdagate

import (
	"encoding/json"
	"errors"
	"fmt"
)

// ErrThrottled is the service's 429: all instances that there may be are busy.
var ErrThrottled = errors.New("lambdagate: rate exceeded")

// ErrTooLarge is the service's 413: the event has more bytes than an invocation may carry.
var ErrTooLarge = fmt.Errorf("lambdagate: Request must be smaller than %d bytes for the InvokeFunction operation", maxEvent)

// A FunctionError is an invocation that the function did not answer: it said so itself, ended, or took too long. The service
// reports it with the status 200 and X-Amz-Function-Error, the doors with their 5xx.
type FunctionError struct {
	Type    string `json:"errorType"`
	Message string `json:"errorMessage"`
}

func (e *FunctionError) Error() string {
	return "lambdagate: function error: " + e.Type + ": " + e.Message
}

// The types of errors that the platform reports and not the function.
const (
	exitError     = "Runtime.ExitError"
	timeoutError  = "Sandbox.Timedout"
	tooLargeError = "Function.ResponseSizeTooLarge"
)

// functionError reads what a runtime posts to /error.
func functionError(b []byte) error {
	e := &FunctionError{}
	if err := json.Unmarshal(b, e); err != nil {
		e.Type, e.Message = "Runtime.Unknown", string(b)
	}
	return e
}
