package awsbackend

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/fileloft/fileloft/internal/watch"
	"github.com/fileloft/fileloft/tus"
)

// attempts keeps the numbers and the statuses of what it is told.
type attempts struct{ numbers, statuses []int }

func (*attempts) Begin(ctx context.Context, _ watch.Act) context.Context { return ctx }

func (a *attempts) End(_ context.Context, act watch.Act) {
	if at, ok := act.(*watch.Attempt); ok && at.Service == "dynamodb" && at.Header.Get("X-Amz-Target") == "DynamoDB_20120810.GetItem" {
		a.numbers, a.statuses = append(a.numbers, at.Number), append(a.statuses, at.Status)
	}
}

// The client tries again by itself, and each of its tries is told.
func TestEachAttemptIsToldToWhoWatches(t *testing.T) {
	alone(t)
	var calls atomic.Int32
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		if calls.Add(1) == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_, _ = w.Write([]byte("{}"))
	}))
	defer srv.Close()
	st, err := State(t.Context(), settings(t, "FILELOFT_DYNAMODB_ENDPOINT="+srv.URL))
	if err != nil {
		t.Fatal(err)
	}
	var a attempts
	if _, err := st.Load(watch.Into(t.Context(), &a), "x"); !errors.Is(err, tus.ErrNotFound) {
		t.Fatal(err)
	}
	if !slices.Equal(a.numbers, []int{1, 2}) || !slices.Equal(a.statuses, []int{503, 200}) {
		t.Errorf("attempts %v with statuses %v", a.numbers, a.statuses)
	}
}
