package dynamostate

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go/middleware"
)

// attemptTimeout bounds one sending of a call, its answer included, which takes DynamoDB some milliseconds. A function
// that was frozen comes back with connections that are dead and do not say so; without a bound the first call would wait
// for its whole deadline.
const attemptTimeout = 4 * time.Second

// newRetryer returns the default. Its quota is shared by all calls of a Store, so that a table in distress is not
// drowned by repeats.
func newRetryer() aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = 6
		o.MaxBackoff = time.Second
	})
}

// A lateError says that an attempt took too long. The SDK would take the context's own error for the caller's wish to
// stop, and give up.
type lateError time.Duration

func (e lateError) Error() string { return fmt.Sprintf("no answer within %s", time.Duration(e)) }

// Timeout tells the SDK to try again.
func (lateError) Timeout() bool { return true }

// boundAttempts gives each attempt its own time.
func boundAttempts(d time.Duration) func(*middleware.Stack) error {
	return func(stack *middleware.Stack) error {
		return stack.Finalize.Insert(middleware.FinalizeMiddlewareFunc("fileloftAttempt", func(
			ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler,
		) (middleware.FinalizeOutput, middleware.Metadata, error) {
			attempt, cancel := context.WithTimeout(ctx, d)
			defer cancel()
			out, meta, err := next.HandleFinalize(attempt, in)
			if err != nil && attempt.Err() != nil && ctx.Err() == nil {
				err = lateError(d)
			}
			return out, meta, err
		}), "Retry", middleware.After)
	}
}
