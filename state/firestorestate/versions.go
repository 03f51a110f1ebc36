package firestorestate

import (
	"sync"
	"time"

	"github.com/fileloft/fileloft/state"
	"github.com/fileloft/fileloft/tus"
)

// maxVersions is how many leases a process remembers versions of, twice that at most: some hundred bytes each.
const maxVersions = 4096

// versions remembers which update time Firestore gave to the writes of this process whose leases are not released yet. It
// spares a Commit its read. A time is that of one write, named by epoch, nonce and birth, and no other's: a write since then,
// by whomever, has made the document's time another one, and the precondition fails. A time that is forgotten costs a read.
type versions struct {
	mu         sync.Mutex
	max        int
	young, old map[tus.ID]made // when young is full, it becomes old, and old is dropped
}

// made names one write, and the time that it got.
type made struct {
	epoch        tus.Epoch
	nonce, birth string
	at           time.Time
}

func newVersions(most int) *versions {
	return &versions{max: most, young: map[tus.ID]made{}, old: map[tus.ID]made{}}
}

func (v *versions) remember(r state.Record, at time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.old, r.Upload.ID)
	if len(v.young) >= v.max {
		v.old, v.young = v.young, map[tus.ID]made{}
	}
	v.young[r.Upload.ID] = made{r.Epoch, r.Nonce, r.Upload.Birth, at}
}

func (v *versions) forget(id tus.ID) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.young, id)
	delete(v.old, id)
}

// of returns the time of the write that left r.
func (v *versions) of(r state.Record) (time.Time, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	m, ok := v.young[r.Upload.ID]
	if !ok {
		m, ok = v.old[r.Upload.ID]
	}
	return m.at, ok && m.epoch == r.Epoch && m.nonce == r.Nonce && m.birth == r.Upload.Birth
}
