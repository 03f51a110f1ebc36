package lambdagate

import (
	"errors"
	"net/http"
)

// FunctionURL is a function's own URL, public, buffered, without CORS of its own:
// https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html.
func FunctionURL(f *Function, opt *DoorOptions) http.Handler {
	d := newDoor(f, opt, functionURL{})
	d.opt.Stage = "$default"
	d.domain = or(d.opt.Domain, apiID+".lambda-url."+region+".on.aws")
	return d
}

type functionURL struct{}

func (functionURL) check(*door, *http.Request) *refusal { return nil } // its header limit is not documented

// tooLargeURL has the words of the service behind it (unverified for the URL).
var tooLargeURL = &refusal{
	status: http.StatusRequestEntityTooLarge, kind: "RequestEntityTooLargeException",
	body: `{"Message":"Request must be smaller than 6291456 bytes for the InvokeFunction operation"}`,
}

func (functionURL) bodyLimit() (int64, *refusal) { return maxEvent, tooLargeURL }

func (functionURL) event(d *door, q *request) any {
	return newEvent2(d, q, q.URL.EscapedPath(), "anonymous")
}

func (functionURL) answer(_ *door, q *request, payload []byte) *answer {
	a := read2(payload, "application/json")
	if a != nil {
		a.header.Set("X-Amzn-Requestid", q.id)
		a.header.Set("X-Amzn-Trace-Id", q.trace)
	}
	return a
}

// failed: 502 for a function that fails or answers nonsense, 429 for throttling, in the words of the Invoke API.
func (functionURL) failed(err error) *refusal {
	switch {
	case errors.Is(err, ErrTooLarge):
		return tooLargeURL
	case errors.Is(err, ErrThrottled):
		return &refusal{
			status: http.StatusTooManyRequests, kind: "TooManyRequestsException",
			body: `{"Reason":"ReservedFunctionConcurrentInvocationLimitExceeded","Type":"User","message":"Rate Exceeded."}`,
		}
	}
	return &refusal{status: http.StatusBadGateway, body: "Internal Server Error"}
}
