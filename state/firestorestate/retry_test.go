package firestorestate

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fileloft/fileloft/tus"
)

func TestPatience(t *testing.T) {
	p := patience{attempt: attemptTimeout, total: callTimeout, wait: backoff}
	refuse := func(code codes.Code) func(context.Context) error {
		return func(context.Context) error { return status.Error(code, "injected") }
	}
	for _, tt := range []struct {
		name     string
		deadline time.Duration // of the caller, 0: none
		call     func(ctx context.Context) error
		least    int           // calls
		least2   time.Duration // and time
		most     time.Duration
		is       error // what the explained error is
	}{
		{name: "no such database", call: refuse(codes.NotFound), least: 1},
		{name: "a refusal", call: refuse(codes.PermissionDenied), least: 1},
		{name: "contention", call: refuse(codes.Aborted), least: 8, least2: 10 * time.Second, most: 11 * time.Second, is: tus.ErrUnavailable},
		{name: "out of quota", call: refuse(codes.ResourceExhausted), least: 8, least2: 10 * time.Second, most: 11 * time.Second, is: tus.ErrUnavailable},
		{name: "a deadline", deadline: time.Second, call: refuse(codes.Unavailable), least: 2, most: time.Second, is: tus.ErrUnavailable},
		{
			name: "silence", call: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
			least: 3, least2: 12 * time.Second, most: 15 * time.Second, is: tus.ErrUnavailable,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx := t.Context()
				if tt.deadline > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, tt.deadline)
					defer cancel()
				}
				n, start := 0, time.Now()
				err := p.call(ctx, func(ctx context.Context) error { n++; return tt.call(ctx) })
				took := time.Since(start)
				if err == nil || n < tt.least || tt.least == 1 && n > 1 || took < tt.least2 || took > tt.most {
					t.Errorf("%d calls in %s: %v", n, took, err)
				}
				if tt.is != nil && !errors.Is(explain(ctx, "test", err), tt.is) {
					t.Errorf("%v", explain(ctx, "test", err))
				}
			})
		})
	}

	synctest.Test(t, func(t *testing.T) {
		n := 0
		err := p.call(t.Context(), func(ctx context.Context) error {
			if n++; n < 4 {
				return status.Error(codes.Aborted, "injected")
			}
			return nil
		})
		if err != nil || n != 4 {
			t.Errorf("after %d calls: %v", n, err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		err = explain(ctx, "test", p.call(ctx, func(context.Context) error { return status.FromContextError(ctx.Err()).Err() }))
		if !errors.Is(err, context.Canceled) || errors.Is(err, tus.ErrUnavailable) {
			t.Errorf("a caller who has gone: %v", err)
		}
	})
}

// What a person can do about an error must be in it.
func TestErrorsSayWhatToDo(t *testing.T) {
	for _, tt := range []struct {
		code codes.Code
		text string
		want string
	}{
		{codes.NotFound, "The database (default) does not exist for project p", "gcloud firestore databases create"},
		{codes.PermissionDenied, "Missing or insufficient permissions.", "roles/datastore.user"},
		{codes.Unauthenticated, "no token", "no valid credentials"},
		{codes.FailedPrecondition, "The query requires an index. You can create it here: https://", "fileloft state init"},
		{codes.FailedPrecondition, "The Cloud Firestore API is not available for Firestore in Datastore Mode database", "Native mode"},
		{codes.InvalidArgument, "too large", "too large"},
	} {
		err := explain(t.Context(), "do something", status.Error(tt.code, tt.text))
		if !strings.HasPrefix(err.Error(), "firestorestate: do something: ") || !strings.Contains(err.Error(), tt.want) ||
			!strings.Contains(err.Error(), tt.text) || errors.Is(err, tus.ErrUnavailable) {
			t.Errorf("%v", err)
		}
	}
}
