package watch

import (
	"context"
	"net/http"
	"regexp"
	"strconv"
	"time"
)

type contextKey struct{}

// Into returns a context in which the clients of clouds find w.
func Into(ctx context.Context, w Watcher) context.Context {
	return context.WithValue(ctx, contextKey{}, w)
}

// A Doer sends requests, as an *http.Client does.
type Doer interface {
	Do(r *http.Request) (*http.Response, error)
}

// Client returns next with each request told to the Watcher in its context, if there is one.
func Client(service string, next Doer) Doer { return &client{service, next} }

type client struct {
	service string
	next    Doer
}

func (c *client) Do(r *http.Request) (*http.Response, error) {
	w, ok := r.Context().Value(contextKey{}).(Watcher)
	if !ok {
		return c.next.Do(r)
	}
	a := &Attempt{Service: c.service, Request: r, Number: number(r.Header), Err: errPanic}
	ctx := w.Begin(r.Context(), a)
	start := time.Now()
	defer func() {
		a.Took = time.Since(start)
		w.End(ctx, a)
	}()
	resp, err := c.next.Do(r)
	if a.Err = err; resp != nil {
		a.Status = resp.StatusCode
	}
	return resp, err
}

// attemptNumber is how AWS's clients say in a header which attempt a request is: "attempt=2; max=6".
var attemptNumber = regexp.MustCompile(`attempt=(\d{1,4})`)

func number(h http.Header) int {
	if m := attemptNumber.FindStringSubmatch(h.Get("Amz-Sdk-Request")); m != nil {
		n, _ := strconv.Atoi(m[1]) // digits
		return n
	}
	return 1
}
