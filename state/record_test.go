package state

import (
	"testing"
	"time"

	"github.com/fileloft/fileloft/tus"
)

func TestDueAt(t *testing.T) {
	expires := t0.Add(24 * time.Hour)
	lease := t0.Add(6 * time.Second)
	long := t0.Add(10 * time.Minute)
	for name, tc := range map[string]struct {
		u          tus.Upload
		lease      time.Time
		want       time.Time
		hasExpires bool
	}{
		"an open upload that never expires": {},
		"an open upload":                    {hasExpires: true, want: expires},
		"a finished one":                    {u: tus.Upload{Phase: tus.Done}},
		"sealed":                            {u: tus.Upload{Phase: tus.Sealed}, want: t0.Add(Grace)},
		"doomed":                            {u: tus.Upload{Phase: tus.Doomed}, hasExpires: true, want: t0.Add(Grace)},
		"events owed":                       {u: tus.Upload{Phase: tus.Done, Pending: tus.Finished}, want: t0.Add(Grace)},
		"sealed, leased for less":           {u: tus.Upload{Phase: tus.Sealed}, lease: lease, want: t0.Add(Grace)},
		"sealed, leased for longer":         {u: tus.Upload{Phase: tus.Sealed}, lease: long, want: long},
		"a final that waits for its parts":  {u: tus.Upload{Concat: tus.Concat{Role: tus.Final}}, want: t0.Add(Grace)},
		"a final that is done":              {u: tus.Upload{Phase: tus.Done, Concat: tus.Concat{Role: tus.Final}}},
		"a partial":                         {u: tus.Upload{Concat: tus.Concat{Role: tus.Partial}}},
		"leased beyond its expiry":          {hasExpires: true, lease: expires.Add(time.Hour), want: expires.Add(time.Hour)},
		"leased, never due":                 {lease: lease},
	} {
		if tc.hasExpires {
			tc.u.Expires = expires
		}
		if got := DueAt(tc.u, tc.lease, t0); !got.Equal(tc.want) {
			t.Errorf("%s: %s, want %s", name, got, tc.want)
		}
	}
}

func TestTimesAreWholeMillisecondsAndLeasesNeverShort(t *testing.T) {
	now := t0.Add(123456 * time.Nanosecond).In(time.FixedZone("", 3600))
	u := upload()
	u.Created, u.Expires = now, now.Add(time.Hour)
	r, _, err := New(u, tus.Claim{TTL: time.Nanosecond, Nonce: "n"}, now)
	if err != nil {
		t.Fatal(err)
	}
	if !r.leased(now) {
		t.Errorf("a lease of a nanosecond from %s until %s", now, r.LeaseUntil)
	}
	for _, got := range []time.Time{r.Upload.Created, r.Upload.Expires, r.LeaseUntil, r.Due} {
		if got != time.UnixMilli(got.UnixMilli()).UTC() {
			t.Errorf("%s is not in whole milliseconds of UTC", got)
		}
	}
}
