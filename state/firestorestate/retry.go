package firestorestate

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	// attemptTimeout bounds one sending of a call, its answer included, which takes Firestore some tens of milliseconds.
	// The client library sends calls again by itself within it.
	attemptTimeout = 4 * time.Second
	// callTimeout is how long a call is sent again at most, where the caller's deadline is later or there is none.
	callTimeout = 10 * time.Second
)

// patience says how long and how often a call is sent. All calls can be sent again: reads change nothing, and a write whose
// precondition was met once can never meet it again.
type patience struct {
	attempt, total time.Duration
	wait           func(n int) time.Duration
}

// call makes f succeed, if that is a matter of trying again.
func (p patience) call(ctx context.Context, f func(ctx context.Context) error) error {
	start := time.Now()
	for n := 1; ; n++ {
		err := p.once(ctx, f)
		if err == nil || ctx.Err() != nil || !transient(err) || time.Since(start) >= p.total {
			return err
		}
		if sleep(ctx, p.wait(n)) != nil {
			return err
		}
	}
}

func (p patience) once(ctx context.Context, f func(ctx context.Context) error) error {
	attempt, cancel := context.WithTimeout(ctx, p.attempt)
	defer cancel()
	err := f(attempt)
	if err != nil && attempt.Err() != nil && ctx.Err() == nil {
		return &lateError{p.attempt, err}
	}
	return err
}

// A lateError says that an attempt took too long.
type lateError struct {
	after time.Duration
	err   error
}

func (e *lateError) Error() string { return fmt.Sprintf("no answer within %s: %v", e.after, e.err) }

// transient reports whether a call may succeed if it is sent again.
func transient(err error) bool {
	if errors.As(err, new(*lateError)) {
		return true
	}
	s, ok := status.FromError(err)
	if !ok {
		return false
	}
	switch s.Code() {
	case codes.Aborted, // contention: nothing was written
		codes.ResourceExhausted, codes.Unavailable, codes.DeadlineExceeded, codes.Internal, codes.Unknown,
		codes.Canceled: // by the server or the connection: the caller's own wish shows in ctx
		return true
	}
	return false
}

func backoff(n int) time.Duration {
	return rand.N(min(50*time.Millisecond<<min(n, 5), time.Second))
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
