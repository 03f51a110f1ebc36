package state

import (
	"testing"
	"time"

	"github.com/fileloft/fileloft/tus"
)

// A lease's version is known to the process that wrote it, and to nobody else; the memory is bounded.
func TestVersions(t *testing.T) {
	v := Versions{max: 3}
	r := func(id tus.ID, epoch tus.Epoch, nonce, birth string) Record {
		return Record{Upload: tus.Upload{ID: id, Birth: birth}, Epoch: epoch, Nonce: nonce, LeaseUntil: time.Unix(1, 0)}
	}
	mine := r("a", 1, "n", "b")
	v.Wrote(mine, "1")
	if got := v.Of(mine); got != "1" {
		t.Errorf("the version is %q", got)
	}
	for _, other := range []Record{r("a", 2, "n", "b"), r("a", 1, "m", "b"), r("a", 1, "n", "c"), r("x", 1, "n", "b"), {}} {
		if got := v.Of(other); got != "" {
			t.Errorf("%+v is known: %q", other, got)
		}
	}
	for i := range 100 {
		v.Wrote(r(tus.ID(rune('A'+i)), 1, "n", "b"), "2")
		if i < 3 && v.Of(mine) == "" {
			t.Errorf("forgotten after %d others", i+1)
		}
	}
	if v.Of(mine) != "" || len(v.young)+len(v.old) > 6 {
		t.Errorf("known for ever: %d and %d", len(v.young), len(v.old))
	}
	v.Wrote(mine, "3")
	v.Deleted("a")
	if v.Of(mine) != "" {
		t.Error("a deleted record is not forgotten")
	}
	v.Wrote(mine, "4")
	released := r("a", 1, "m", "b")
	released.LeaseUntil = time.Time{}
	v.Wrote(released, "5")
	if v.Of(mine) != "" || v.Of(released) != "" {
		t.Error("a released lease is not forgotten")
	}
}
