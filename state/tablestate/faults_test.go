package tablestate_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/fileloft/fileloft/state/tablestate"
	"github.com/fileloft/fileloft/tus"
)

// nowhere is an account that nobody serves: what reaches it fails.
const nowhere = "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=a2V5;TableEndpoint=http://127.0.0.1:1/a;"

// nobody returns a state in a table of it.
func nobody(t *testing.T, retry *policy.RetryOptions) (*tablestate.Store, *wire) {
	t.Helper()
	w := &wire{}
	return try(tablestate.New(connect(t, nowhere, "uploads", w), &tablestate.Options{Retry: retry}))(t), w
}

var (
	lost = fault{cut: true, late: true}
	busy = fault{status: http.StatusServiceUnavailable, code: "ServerBusy"}
)

func TestLostAnswersAreHarmlessByTheNonce(t *testing.T) {
	st, tab, w := open(t, azurite(t), &tablestate.Options{Retry: atOnce()})
	ctx := t.Context()
	w.script(busy, lost, busy)
	u := tus.Upload{ID: "a", Birth: "b", Length: 9, Expires: time.Now().Add(time.Hour)}
	l := try(st.Create(ctx, u, claim(time.Minute, 2)))(t)
	called(t, w, "Create", batch, batch, batch, batch, read)
	if l.Epoch != 1 || l.Slots != (tus.Slots{First: 0, N: 2}) {
		t.Errorf("Create: %+v", l)
	}
	w.script(fault{}, lost)
	l = try(st.Acquire(ctx, "a", tus.Claim{Offset: 0, TTL: time.Minute, Slots: 3, Steal: true, Nonce: tus.NewNonce()}))(t)
	called(t, w, "Acquire", read, replace, replace, read)
	if l.Epoch != 2 || l.Slots != (tus.Slots{First: 2, N: 3}) {
		t.Errorf("Acquire: %+v", l)
	}
	next := l.Upload
	next.Offset, next.NextSlot = 9, 3
	next.Expires = next.Expires.Add(time.Hour)
	w.script(fault{}, lost) // the read that a lost answer costs
	l = try(st.Commit(ctx, l, next, claim(time.Minute, 3)))(t)
	called(t, w, "Commit", read, batch, batch, read)
	if l.Epoch != 2 || l.Slots != (tus.Slots{First: 3, N: 3}) || l.Upload.Offset != 9 {
		t.Errorf("Commit: %+v", l)
	}
	if got := index(t, tab); len(got) != 1 {
		t.Errorf("the index holds %q", got)
	}
	w.since()
	w.script(fault{}, lost)
	noError(t, st.Delete(ctx, l))
	called(t, w, "Delete", read, batch, batch, batch, read) // without what is gone already, then to see whether all is
	if got := index(t, tab); len(got) != 0 {
		t.Errorf("the index holds %q", got)
	}
}

func TestAHolderWhoWasSupersededFindsOut(t *testing.T) {
	st, client, w := open(t, azurite(t), nil)
	other := try(tablestate.New(client, nil))(t)
	ctx := t.Context()
	l := try(st.Create(ctx, tus.Upload{ID: "a", Birth: "b"}, claim(time.Minute, 0)))(t)
	steal := claim(time.Minute, 0)
	steal.Steal = true
	try(other.Acquire(ctx, "a", steal))(t)
	w.since()
	_, err := st.Commit(ctx, l, l.Upload, claim(0, 0))
	refused(t, "Commit", err, tus.ErrSuperseded)
	called(t, w, "a superseded Commit", replace, read)
	next := l.Upload
	next.Expires = time.Now().Add(time.Hour)
	_, err = st.Commit(ctx, l, next, claim(0, 0))
	refused(t, "Commit that would write the index", err, tus.ErrSuperseded)
	called(t, w, "it", batch, read)
	refused(t, "Delete", st.Delete(ctx, l), tus.ErrSuperseded)
	if got := index(t, client); len(got) != 0 {
		t.Errorf("the index holds %q", got)
	}
}

func TestATableInDistressIsUnavailable(t *testing.T) {
	st, w := nobody(t, &policy.RetryOptions{MaxRetries: 1, RetryDelay: 1, MaxRetryDelay: 1})
	st.Patient(40 * time.Millisecond)
	ctx := t.Context()
	l := tus.Lease{Upload: tus.Upload{ID: "a", Birth: "b"}, Epoch: 1, Nonce: "n"}
	for _, f := range []fault{
		busy,
		{status: http.StatusTooManyRequests},
		{status: http.StatusInternalServerError, code: "OperationTimedOut"},
		{status: http.StatusBadGateway},
		{cut: true},
		{hang: true},
		{},
	} {
		w.plan(func(string) fault { return f })
		type call struct {
			verb string
			err  error
		}
		calls := []call{{"ping", st.Ping(ctx)}, {"read upload a", st.Delete(ctx, l)}}
		_, err := st.Create(ctx, tus.Upload{ID: "c"}, claim(0, 0))
		calls = append(calls, call{"create upload c", err})
		_, err = st.Load(ctx, "d")
		calls = append(calls, call{"read upload d", err})
		_, err = st.Acquire(ctx, "e", claim(time.Minute, 0))
		calls = append(calls, call{"read upload e", err})
		_, err = st.Commit(ctx, l, l.Upload, claim(0, 0))
		calls = append(calls, call{"read upload a", err})
		for _, err := range st.Due(ctx, time.Now()) {
			calls = append(calls, call{"list what is due", err})
		}
		for _, err := range st.List(ctx, "") {
			calls = append(calls, call{"list uploads", err})
		}
		if len(calls) != 8 {
			t.Errorf("%d calls under %+v", len(calls), f)
		}
		for _, c := range calls {
			if !errors.Is(c.err, tus.ErrUnavailable) || !strings.Contains(c.err.Error(), "tablestate: "+c.verb+": ") {
				t.Errorf("%s under %+v: %v", c.verb, f, c.err)
			}
		}
	}
}

// The default waits a little longer each time, and no longer than ten seconds in all.
func TestPatience(t *testing.T) {
	for _, tt := range []struct {
		name        string
		fault       fault
		deadline    time.Duration // of the caller
		few, many   int           // sendings
		least, most time.Duration
		says        string
	}{
		{"throttled", busy, time.Minute, 9, 9, 4 * time.Second, 8 * time.Second, "503 ServerBusy: injected"},
		{"silence", fault{hang: true}, time.Minute, 3, 3, 10 * time.Second, 10 * time.Second, "no good answer within 10s"},
		{"a caller in haste", busy, time.Second, 3, 4, time.Second, time.Second, context.DeadlineExceeded.Error()},
		{"no rights", fault{status: http.StatusForbidden}, time.Minute, 1, 1, 0, 0, "Storage Table Data Contributor"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				st, w := nobody(t, nil)
				w.plan(func(string) fault { return tt.fault })
				ctx, cancel := context.WithTimeout(t.Context(), tt.deadline)
				defer cancel()
				start := time.Now()
				_, err := st.Load(ctx, "a")
				took := time.Since(start)
				if err == nil || !strings.Contains(err.Error(), tt.says) || took < tt.least || took > tt.most {
					t.Errorf("after %s: %v", took, err)
				}
				if calls := w.since(); len(calls) < tt.few || len(calls) > tt.many {
					t.Errorf("sent %d times, want %d to %d", len(calls), tt.few, tt.many)
				}
			})
		})
	}
}

func TestAnAnswerThatNeverComesIsAskedForAgain(t *testing.T) {
	retry := atOnce()
	retry.TryTimeout = 500 * time.Millisecond
	st, _, w := open(t, azurite(t), &tablestate.Options{Retry: retry})
	ctx := t.Context()
	try(st.Create(ctx, tus.Upload{ID: "a", Birth: "b"}, claim(0, 0)))(t)
	for _, script := range [][]fault{{{hang: true}}, {{}, {hang: true}}, {{}, {hang: true, late: true}}} {
		w.script(script...)
		l := try(st.Acquire(ctx, "a", claim(time.Minute, 2)))(t)
		try(st.Commit(ctx, l, l.Upload, claim(0, 0)))(t)
	}
	w.since()
	st.Patient(1200 * time.Millisecond)
	w.plan(func(string) fault { return fault{hang: true} })
	if _, err := st.Load(ctx, "a"); !errors.Is(err, tus.ErrUnavailable) || !strings.Contains(err.Error(), "no good answer within 1.2s") {
		t.Errorf("silence: %v", err)
	}
	if calls := w.since(); len(calls) < 2 || slices.Contains(calls, replace) {
		t.Errorf("a Load sent %q", calls)
	}
	cancelled, cancel := context.WithCancel(ctx)
	time.AfterFunc(20*time.Millisecond, cancel)
	if _, err := st.Load(cancelled, "a"); !errors.Is(err, context.Canceled) || errors.Is(err, tus.ErrUnavailable) {
		t.Errorf("a caller who has gone: %v", err)
	}
}

// What a person can do about an error must be in it, in one line.
func TestErrorsSayWhatToDo(t *testing.T) {
	st, w := nobody(t, nil)
	for _, tt := range []struct {
		status int
		code   string
		want   string
	}{
		{http.StatusNotFound, "TableNotFound", "fileloft state init"},
		{http.StatusForbidden, "AuthorizationPermissionMismatch", "Storage Table Data Contributor"},
		{http.StatusForbidden, "AuthenticationFailed", "clock is wrong"},
		{http.StatusUnauthorized, "NoAuthenticationInformation", "credentials"},
		{http.StatusRequestEntityTooLarge, "RequestBodyTooLarge", "larger than an entity may be"},
		{http.StatusBadRequest, "EntityTooLarge", "larger than an entity may be"},
		{http.StatusBadRequest, "InvalidInput", "400 InvalidInput: injected"},
	} {
		w.plan(func(string) fault { return fault{status: tt.status, code: tt.code} })
		err := st.Ping(t.Context())
		if err == nil || !strings.HasPrefix(err.Error(), "tablestate: ping: ") || !strings.Contains(err.Error(), tt.want) ||
			!strings.Contains(err.Error(), tt.code) || strings.Contains(err.Error(), "\n") || errors.Is(err, tus.ErrUnavailable) {
			t.Errorf("%v", err)
		}
		if calls := w.since(); len(calls) != 1 {
			t.Errorf("%s was asked %d times", tt.code, len(calls))
		}
	}
}

func TestCreateTable(t *testing.T) {
	w := &wire{}
	client := connect(t, azurite(t), "missing", w)
	st := try(tablestate.New(client, nil))(t)
	called(t, w, "New")
	_, err := st.Load(t.Context(), "a")
	if err == nil || errors.Is(err, tus.ErrNotFound) || !strings.Contains(err.Error(), "no such table") {
		t.Errorf("Load: %v", err)
	}
	u := tus.Upload{ID: "a", Birth: "b", Expires: time.Now()}
	if _, err := st.Create(t.Context(), u, claim(0, 0)); err == nil || !strings.Contains(err.Error(), "no such table") {
		t.Errorf("Create: %v", err)
	}
	if err := st.Ping(t.Context()); err == nil || !strings.Contains(err.Error(), "no such table") {
		t.Errorf("Ping: %v", err)
	}
	for range 2 {
		noError(t, tablestate.CreateTable(t.Context(), client))
	}
	noError(t, st.Ping(t.Context()))
	try(st.Create(t.Context(), u, claim(0, 0)))(t)
	w.plan(func(string) fault { return fault{status: http.StatusConflict, code: "TableBeingDeleted"} })
	if err := tablestate.CreateTable(t.Context(), client); !errors.Is(err, tus.ErrUnavailable) {
		t.Errorf("a table that is being deleted: %v", err)
	}
	if _, err := tablestate.New(nil, nil); err == nil {
		t.Error("a state without a client")
	}
}
