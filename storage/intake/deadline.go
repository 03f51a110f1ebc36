package intake

import (
	"context"
	"fmt"
	"time"
)

// Slowest is how many bytes a second are reckoned with when the time is short: a tenth of what a small function gets.
const Slowest = 4 << 20

// InTime refuses to send bytes that would not be there before the context's deadline. What was sent before them counts, and
// the caller has time left to commit it.
func InTime(ctx context.Context, n int64) error {
	end, ok := ctx.Deadline()
	if !ok {
		return nil
	}
	need := time.Duration(n) * time.Second / Slowest
	if left := time.Until(end); left < need {
		return fmt.Errorf("%d bytes are not sent with %s left: %w", n, left.Round(time.Millisecond), context.DeadlineExceeded)
	}
	return nil
}
