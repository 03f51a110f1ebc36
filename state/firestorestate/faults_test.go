package firestorestate_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/fileloft/fileloft/state/firestorestate"
	"github.com/fileloft/fileloft/tus"
)

// nowhere is an address that nobody listens at: what reaches it fails.
const nowhere = "127.0.0.1:1"

func TestLostAnswersAreHarmlessByTheNonce(t *testing.T) {
	st, _, w := open(t, emulator(t), &firestorestate.Options{Backoff: atOnce})
	ctx := t.Context()
	lost, aborted := fault{code: codes.Unknown, late: true}, fault{code: codes.Aborted}
	w.script(aborted, lost, aborted)
	l := try(st.Create(ctx, tus.Upload{ID: "a", Birth: "b", Length: 9}, claim(time.Minute, 2)))(t)
	called(t, w, "Create", 1, 4, commit, commit, commit, commit, get)
	if l.Epoch != 1 || l.Slots != (tus.Slots{First: 0, N: 2}) {
		t.Errorf("Create: %+v", l)
	}
	w.script(fault{}, lost)
	l = try(st.Acquire(ctx, "a", tus.Claim{Offset: 0, TTL: time.Minute, Slots: 3, Steal: true, Nonce: tus.NewNonce()}))(t)
	called(t, w, "Acquire", 2, 2, get, commit, commit, get)
	if l.Epoch != 2 || l.Slots != (tus.Slots{First: 2, N: 3}) {
		t.Errorf("Acquire: %+v", l)
	}
	next := l.Upload
	next.Offset, next.NextSlot = 9, 3
	w.script(fault{}, lost) // the read that a lost answer costs
	l = try(st.Commit(ctx, l, next, claim(time.Minute, 3)))(t)
	called(t, w, "Commit", 2, 2, get, commit, commit, get)
	if l.Epoch != 2 || l.Slots != (tus.Slots{First: 3, N: 3}) || l.Upload.Offset != 9 {
		t.Errorf("Commit: %+v", l)
	}
	w.script(fault{}, lost)
	noError(t, st.Delete(ctx, l))
	called(t, w, "Delete", 2, 2, get, commit, commit, get)
}

func TestAHolderWhoWasSupersededFindsOut(t *testing.T) {
	st, client, w := open(t, emulator(t), nil)
	other := try(firestorestate.New(client, collection, nil))(t)
	ctx := t.Context()
	l := try(st.Create(ctx, tus.Upload{ID: "a", Birth: "b"}, claim(time.Minute, 0)))(t)
	steal := claim(time.Minute, 0)
	steal.Steal = true
	try(other.Acquire(ctx, "a", steal))(t)
	w.since()
	_, err := st.Commit(ctx, l, l.Upload, claim(0, 0))
	refused(t, "Commit", err, tus.ErrSuperseded)
	called(t, w, "a superseded Commit", 1, 1, commit, get)
	refused(t, "Delete", st.Delete(ctx, l), tus.ErrSuperseded)
}

func TestADatabaseInDistressIsUnavailable(t *testing.T) {
	st, _, w := open(t, nowhere, &firestorestate.Options{Backoff: atOnce})
	st.Patient(40*time.Millisecond, 20*time.Millisecond)
	ctx := t.Context()
	l := tus.Lease{Upload: tus.Upload{ID: "a", Birth: "b"}, Epoch: 1, Nonce: "n"}
	for _, f := range []fault{
		{code: codes.ResourceExhausted},
		{code: codes.Unavailable},
		{code: codes.DeadlineExceeded},
		{code: codes.Aborted},
		{code: codes.Internal},
		{hang: true},
	} {
		w.plan(func(string) fault { return f })
		calls := map[string]error{"ping": st.Ping(ctx), "read upload a": st.Delete(ctx, l)}
		_, calls["create upload c"] = st.Create(ctx, tus.Upload{ID: "c"}, claim(0, 0))
		_, calls["read upload d"] = st.Load(ctx, "d")
		_, calls["read upload e"] = st.Acquire(ctx, "e", claim(time.Minute, 0))
		_, calls["read upload a"] = st.Commit(ctx, l, l.Upload, claim(0, 0))
		for _, err := range st.Due(ctx, time.Now()) {
			calls["list what is due"] = err
		}
		for _, err := range st.List(ctx, "") {
			calls["list uploads"] = err
		}
		for what, err := range calls {
			if !errors.Is(err, tus.ErrUnavailable) || !strings.Contains(err.Error(), "firestorestate: "+what+": ") {
				t.Errorf("%s under %s: %v", what, f.code, err)
			}
		}
	}
}

func TestAnAnswerThatNeverComesIsAskedForAgain(t *testing.T) {
	st, _, w := open(t, emulator(t), &firestorestate.Options{Backoff: atOnce})
	ctx := t.Context()
	try(st.Create(ctx, tus.Upload{ID: "a", Birth: "b"}, claim(0, 0)))(t)
	st.Patient(500*time.Millisecond, 10*time.Second)
	for _, script := range [][]fault{{{hang: true}}, {{}, {hang: true}}, {{}, {hang: true, late: true}}} {
		w.script(script...)
		l := try(st.Acquire(ctx, "a", claim(time.Minute, 2)))(t)
		try(st.Commit(ctx, l, l.Upload, claim(0, 0)))(t)
	}
	w.since()
	st.Patient(100*time.Millisecond, 250*time.Millisecond)
	w.plan(func(string) fault { return fault{hang: true} })
	if _, err := st.Load(ctx, "a"); !errors.Is(err, tus.ErrUnavailable) || !strings.Contains(err.Error(), "no answer within 100ms") {
		t.Errorf("silence: %v", err)
	}
	if calls := w.since(); len(calls) < 2 || slices.Contains(calls, commit) {
		t.Errorf("a Load sent %q", calls)
	}
	cancelled, cancel := context.WithCancel(ctx)
	time.AfterFunc(20*time.Millisecond, cancel)
	if _, err := st.Load(cancelled, "a"); !errors.Is(err, context.Canceled) || errors.Is(err, tus.ErrUnavailable) {
		t.Errorf("a caller who has gone: %v", err)
	}
}

// New sends nothing: a function must start before its database is there.
func TestNew(t *testing.T) {
	w := &wire{}
	client := connect(t, nowhere, w)
	try(firestorestate.New(client, "fileloft", nil))(t)
	for _, name := range []string{"", "a/b", "a/b/c", ".", "..", "__a__", "\xff", strings.Repeat("x", 1501)} {
		if _, err := firestorestate.New(client, name, nil); err == nil || !strings.Contains(err.Error(), "name of a collection") {
			t.Errorf("the collection %q: %v", name, err)
		}
	}
	called(t, w, "New", 0, 0)
}
