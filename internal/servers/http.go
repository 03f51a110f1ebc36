package servers

import (
	"net/http"
	"time"
)

// NewClient returns a client with connections of its own, as http.DefaultClient otherwise. Tests that run beside others use it:
// httptest.Server.Close closes the idle connections of http.DefaultTransport, whoever they lead to, and a request that has just been
// given one of them fails. A timeout of 0 is none.
func NewClient(timeout time.Duration) *http.Client {
	return &http.Client{Timeout: timeout, Transport: http.DefaultTransport.(*http.Transport).Clone()}
}
