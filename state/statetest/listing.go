package statetest

import (
	"fmt"
	"slices"
	"time"

	"github.com/fileloft/fileloft/state"
	"github.com/fileloft/fileloft/tus"
)

// checkDue is for a state that is a tus.DueLister; any other passes. The state may hold records of others.
func checkDue(b *bench) {
	lister, ok := b.st.(tus.DueLister)
	if !ok {
		return
	}
	now := b.clock.now()
	var mine []tus.ID
	make1 := func(change func(u *tus.Upload)) tus.ID {
		u := upload()
		change(&u)
		b.create(u, claim(0, 0))
		mine = append(mine, u.ID)
		return u.ID
	}
	never := make1(func(*tus.Upload) {})
	late := make1(func(u *tus.Upload) { u.Expires = now.Add(2 * time.Hour) })
	soon := make1(func(u *tus.Upload) { u.Expires = now.Add(time.Hour) })
	owed := make1(func(u *tus.Upload) { u.Pending = tus.Created })

	listed := func(at time.Time) []tus.ID {
		var got []tus.ID
		for id, err := range lister.Due(b.ctx, at) {
			b.must("Due", err)
			if slices.Contains(mine, id) {
				got = append(got, id)
			}
		}
		return got
	}
	if got := listed(now.Add(state.Grace - time.Millisecond)); len(got) != 0 {
		b.fail("due within the grace: %v of never %s, late %s, soon %s, owed %s", got, never, late, soon, owed)
	}
	b.same("due after the grace", []tus.ID{owed}, listed(now.Add(state.Grace)))
	b.same("due in an hour", []tus.ID{owed, soon}, listed(now.Add(time.Hour)))
	b.same("due in a day", []tus.ID{owed, soon, late}, listed(now.Add(24*time.Hour)))

	// A lease holds it off, a commit settles it, a deletion ends it.
	l := b.acquire(owed, claim(90*time.Minute, 0))
	b.same("one leased", []tus.ID{soon}, listed(now.Add(time.Hour)))
	next := l.Upload
	next.Pending = 0
	b.commit(l, next, claim(0, 0))
	b.must("Delete", b.st.Delete(b.ctx, b.acquire(soon, claim(ttl, 0))))
	b.same("one settled, one deleted", []tus.ID{late}, listed(now.Add(24*time.Hour)))
}

// checkList is for a state that is a tus.Lister; any other passes.
func checkList(b *bench) {
	lister, ok := b.st.(tus.Lister)
	if !ok {
		return
	}
	const n = 12
	prefix := tus.NewID()
	want := make(map[tus.ID]tus.Upload)
	for i := range n {
		u := upload()
		u.ID, u.Offset = prefix+tus.ID(fmt.Sprintf("-%02d", i)), int64(i)
		b.create(u, claim(0, 0))
		want[u.ID] = u
	}
	after := prefix + "-03"
	last, seen := after, 0
	for u, err := range lister.List(b.ctx, after) {
		b.must("List", err)
		if u.ID <= last {
			b.fail("%s is listed after %s", u.ID, last)
		}
		last = u.ID
		if w, ok := want[u.ID]; ok {
			b.same("a listed record", w, u)
			seen++
		}
	}
	if seen != n-4 {
		b.fail("%d records listed behind the fourth of %d", seen, n)
	}
	for range lister.List(b.ctx, "") {
		break // a caller may stop
	}
}
