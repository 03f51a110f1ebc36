package s3store

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fileloft/fileloft/tus"
)

// Half a second is enough for two megabytes, as inTime reckons, and not for more.
func TestNothingIsSentThatWouldNotBeThereInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const mib = 1 << 20
		s, f := onFake(Options{PartSize: 8 * mib})
		for _, tt := range []struct {
			size  int
			sent  int64
			calls string
		}{
			{1 * mib, 1 * mib, "PutObject"},
			{3 * mib, 0, ""},
			{9 * mib, 0, ""},
		} {
			f.calls = map[string]int{}
			p := newUpload(t, s, tus.Unknown)
			p.lease.Slots = tus.Slots{First: 1, N: 4}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second/2)
			rc, err := s.Append(ctx, p.lease, strings.NewReader(strings.Repeat("x", tt.size)))
			cancel()
			if rc.N != tt.sent || (err == nil) != (rc.N == int64(tt.size)) || err != nil && !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%d bytes: %d sent, %v", tt.size, rc.N, err)
			}
			for name, n := range f.calls {
				if n > 0 && name != tt.calls {
					t.Errorf("%d bytes: %d x %s", tt.size, n, name)
				}
			}
		}
	})
}
