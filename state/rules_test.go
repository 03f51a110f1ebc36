package state

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fileloft/fileloft/tus"
)

var t0 = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

func upload() tus.Upload {
	return tus.Upload{ID: "u1", Birth: "b1", Length: 100}
}

// fresh returns a record that nobody holds and the lease that it was made with.
func fresh(t *testing.T) (Record, tus.Lease) {
	t.Helper()
	r, l, err := New(upload(), tus.Claim{Nonce: "new"}, t0)
	if err != nil {
		t.Fatal(err)
	}
	return r, l
}

// held returns a record under a lease of a minute with the slots 0 to 3.
func held(t *testing.T) (Record, tus.Lease) {
	t.Helper()
	r, _ := fresh(t)
	r, l, err := Grant(r, tus.Claim{TTL: time.Minute, Slots: 4, Nonce: "held"}, t0)
	if err != nil {
		t.Fatal(err)
	}
	return r, l
}

func TestNewGrantsTheFirstLeaseOrNone(t *testing.T) {
	u := upload()
	u.NextSlot = 1 // a driver whose slots begin with 1
	r, l, err := New(u, tus.Claim{TTL: time.Minute, Slots: 3, Nonce: "n"}, t0)
	if err != nil {
		t.Fatal(err)
	}
	if r.Epoch != 1 || r.Nonce != "n" || r.Upload.NextSlot != 4 || !r.LeaseUntil.Equal(t0.Add(time.Minute)) {
		t.Errorf("record %+v", r)
	}
	want := tus.Lease{Upload: u, Epoch: 1, Slots: tus.Slots{First: 1, N: 3}, Expires: t0.Add(time.Minute), Nonce: "n"}
	if diff := cmp.Diff(want, l); diff != "" {
		t.Error(diff)
	}

	r, l, err = New(u, tus.Claim{Slots: 3, Nonce: "n"}, t0)
	if err != nil || !r.LeaseUntil.IsZero() || r.Upload.NextSlot != 1 || l.Slots.N != 0 || !l.Expires.IsZero() {
		t.Errorf("a claim without a TTL: record %+v, lease %+v, %v", r, l, err)
	}
}

func TestGrantGivesTheNextEpochAndFreshSlots(t *testing.T) {
	r, _ := held(t)
	c := tus.Claim{Offset: 0, TTL: time.Minute, Slots: 2, Nonce: "n"}
	got, l, err := Grant(r, c, t0.Add(time.Minute)) // the moment the lease ends
	if err != nil {
		t.Fatal(err)
	}
	if l.Epoch != r.Epoch+1 || l.Slots != (tus.Slots{First: 4, N: 2}) || l.Upload.NextSlot != 4 || got.Upload.NextSlot != 6 {
		t.Errorf("lease %+v, record %+v", l, got)
	}
	if diff := cmp.Diff(Held(l), got); diff != "" {
		t.Errorf("Held does not rebuild the record:\n%s", diff)
	}
}

func TestGrantRefuses(t *testing.T) {
	free, _ := fresh(t)
	taken, _ := held(t)
	full := free
	full.Upload.NextSlot = math.MaxUint32 - 1
	var leased *tus.LeasedError
	var offset *tus.OffsetError
	for name, tc := range map[string]struct {
		r    Record
		c    tus.Claim
		want any    // for errors.As
		text string // or a part of the text
	}{
		"another's lease":             {taken, tus.Claim{TTL: 1, Nonce: "n"}, &leased, ""},
		"another's lease first":       {taken, tus.Claim{TTL: 1, Nonce: "n", Offset: 7}, &leased, ""},
		"another offset":              {free, tus.Claim{TTL: 1, Nonce: "n", Offset: 7}, &offset, ""},
		"another offset, stealing":    {taken, tus.Claim{TTL: 1, Nonce: "n", Offset: 7, Steal: true}, &offset, ""},
		"an empty nonce":              {free, tus.Claim{TTL: 1}, nil, "needs a nonce"},
		"no TTL":                      {free, tus.Claim{Nonce: "n"}, nil, "needs a TTL"},
		"a negative TTL":              {free, tus.Claim{Nonce: "n", TTL: -1}, nil, "negative TTL"},
		"slots beyond the last":       {full, tus.Claim{Nonce: "n", TTL: 1, Slots: 2}, nil, "2 slots from 4294967294 on"},
		"an old nonce, other slots":   {free, tus.Claim{Nonce: "new", TTL: 1, Slots: 9}, nil, "another claim"},
		"no TTL and another's lease ": {taken, tus.Claim{Nonce: "n"}, nil, "needs a TTL"},
	} {
		t.Run(name, func(t *testing.T) {
			got, l, err := Grant(tc.r, tc.c, t0)
			switch {
			case err == nil:
				t.Fatalf("granted: %+v", l)
			case tc.want != nil && !errors.As(err, tc.want):
				t.Errorf("error %v", err)
			case tc.want == nil && !strings.Contains(err.Error(), tc.text):
				t.Errorf("error %q, want %q in it", err, tc.text)
			}
			if diff := cmp.Diff(Record{}, got); diff != "" {
				t.Errorf("a record came with the error:\n%s", diff)
			}
		})
	}
	if leased == nil || !leased.Expires.Equal(taken.LeaseUntil) || leased.Upload.NextSlot != taken.Upload.NextSlot {
		t.Errorf("LeasedError %+v", leased)
	}
	if offset == nil || offset.Upload.Offset != 0 || offset.Upload.ID != "u1" {
		t.Errorf("OffsetError %+v", offset)
	}
	if _, l, err := Grant(full, tus.Claim{Nonce: "n", TTL: 1, Slots: 1}, t0); err != nil || l.Slots.End() != math.MaxUint32 {
		t.Errorf("the last slot: %+v, %v", l.Slots, err)
	}
}

func TestGrantRepeatedChangesNothing(t *testing.T) {
	r, l := held(t)
	for _, now := range []time.Time{t0, t0.Add(-time.Hour), t0.Add(time.Hour)} {
		got, again, err := Grant(r, tus.Claim{TTL: time.Minute, Slots: 4, Nonce: "held", Offset: 99}, now)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(r, got); diff != "" {
			t.Errorf("at %s the record changed:\n%s", now, diff)
		}
		if diff := cmp.Diff(l, again); diff != "" {
			t.Errorf("at %s another lease:\n%s", now, diff)
		}
	}
}

func TestAdvanceCommitsRenewsAndReleases(t *testing.T) {
	r, l := held(t)
	next := l.Upload
	next.Offset, next.NextSlot, next.Cursor = 10, 3, tus.Cursor("c")

	later := t0.Add(time.Hour) // the lease is over, but nobody has taken it
	got, nl, err := Advance(r, l, next, tus.Claim{TTL: time.Minute, Slots: 5, Nonce: "n"}, later)
	if err != nil {
		t.Fatal(err)
	}
	if nl.Epoch != l.Epoch || nl.Slots != (tus.Slots{First: 3, N: 5}) || got.Upload.NextSlot != 8 || nl.Upload.Offset != 10 ||
		!nl.Expires.Equal(later.Add(time.Minute)) {
		t.Errorf("renewed lease %+v, record %+v", nl, got)
	}

	next = nl.Upload
	next.NextSlot = 4
	got, rel, err := Advance(got, nl, next, tus.Claim{Nonce: "m", Slots: 5}, later)
	if err != nil {
		t.Fatal(err)
	}
	if rel.Epoch != l.Epoch || got.Upload.NextSlot != 4 || rel.Slots.N != 0 || !got.LeaseUntil.IsZero() || !rel.Expires.IsZero() {
		t.Errorf("released lease %+v, record %+v", rel, got)
	}

	// The last holder may go on.
	if _, _, err := Advance(got, rel, rel.Upload, tus.Claim{Nonce: "k"}, later); err != nil {
		t.Errorf("after the release: %v", err)
	}
}

func TestAdvanceRepeatedChangesNothing(t *testing.T) {
	r, l := held(t)
	next := l.Upload
	next.Offset, next.NextSlot = 10, 3
	c := tus.Claim{TTL: time.Minute, Slots: 5, Nonce: "n"}
	r, nl, err := Advance(r, l, next, c, t0)
	if err != nil {
		t.Fatal(err)
	}
	got, again, err := Advance(r, l, next, c, t0.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(r, got) + cmp.Diff(nl, again); diff != "" {
		t.Error(diff)
	}
}

func TestAdvanceIsFencedByEpochAndNonce(t *testing.T) {
	r, l := held(t)
	step := func(r Record, l tus.Lease, nonce string) (Record, tus.Lease, error) {
		next := l.Upload
		next.Offset++
		return Advance(r, l, next, tus.Claim{TTL: time.Minute, Nonce: nonce}, t0)
	}
	second, _, err := step(r, l, "n1")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := step(second, l, "late"); !errors.Is(err, tus.ErrSuperseded) {
		t.Errorf("the same epoch, an older nonce: %v", err)
	}
	taken, _, err := Grant(r, tus.Claim{TTL: time.Minute, Steal: true, Nonce: "thief"}, t0)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := step(taken, l, "n2"); !errors.Is(err, tus.ErrSuperseded) {
		t.Errorf("an older epoch: %v", err)
	}
	other := r
	other.Upload.Birth = "b2"
	if _, _, err := step(other, l, "n3"); !errors.Is(err, tus.ErrSuperseded) {
		t.Errorf("another birth: %v", err)
	}
}

func TestAdvanceFindsMistakesOfTheCaller(t *testing.T) {
	r, l := held(t)
	r.Upload.Offset, r.Upload.Phase = 10, tus.Sealed
	l.Upload.Offset, l.Upload.Phase = 10, tus.Sealed
	l.Slots, l.Upload.NextSlot = tus.Slots{First: 2, N: 2}, 2
	for want, change := range map[string]func(u *tus.Upload, c *tus.Claim){
		"the ID became":          func(u *tus.Upload, _ *tus.Claim) { u.ID = "u2" },
		"the birth changed":      func(u *tus.Upload, _ *tus.Claim) { u.Birth = "b2" },
		"phase went back":        func(u *tus.Upload, _ *tus.Claim) { u.Phase = tus.Open },
		"an unknown phase":       func(u *tus.Upload, _ *tus.Claim) { u.Phase = 9 },
		"the offset went back":   func(u *tus.Upload, _ *tus.Claim) { u.Offset = 9 },
		"outside of the length":  func(u *tus.Upload, _ *tus.Claim) { u.Offset = 101 },
		"NextSlot 1 lies":        func(u *tus.Upload, _ *tus.Claim) { u.NextSlot = 1 },
		"NextSlot 5 lies":        func(u *tus.Upload, _ *tus.Claim) { u.NextSlot = 5 },
		"a cursor of 16385":      func(u *tus.Upload, _ *tus.Claim) { u.Cursor = make(tus.Cursor, tus.MaxCursor+1) },
		"a negative length":      func(u *tus.Upload, _ *tus.Claim) { u.Length = -2 },
		"needs a nonce":          func(_ *tus.Upload, c *tus.Claim) { c.Nonce = "" },
		"was used again":         func(_ *tus.Upload, c *tus.Claim) { c.Nonce = l.Nonce },
		"4294967295 slots from ": func(_ *tus.Upload, c *tus.Claim) { c.Slots = math.MaxUint32 },
	} {
		next, c := l.Upload, tus.Claim{TTL: time.Minute, Nonce: "n"}
		change(&next, &c)
		_, _, err := Advance(r, l, next, c, t0)
		if err == nil || !strings.Contains(err.Error(), want) || errors.Is(err, tus.ErrSuperseded) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

func TestRemove(t *testing.T) {
	r, l := held(t)
	if gone, err := Remove(r, l); gone || err != nil {
		t.Errorf("by the holder: %v, %v", gone, err)
	}
	other := r
	other.Upload.Birth = "b2"
	if gone, err := Remove(other, l); !gone || err != nil {
		t.Errorf("another birth: %v, %v", gone, err)
	}
	for _, change := range []func(*Record){
		func(r *Record) { r.Epoch++ },
		func(r *Record) { r.Nonce = "n" },
	} {
		newer := r
		change(&newer)
		if gone, err := Remove(newer, l); gone || !errors.Is(err, tus.ErrSuperseded) {
			t.Errorf("superseded: %v, %v", gone, err)
		}
	}
}
