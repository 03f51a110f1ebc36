package state

import (
	"sync"

	"github.com/fileloft/fileloft/tus"
)

// maxVersions is how many leases a process remembers versions of, twice that at most: some hundred bytes each.
const maxVersions = 4096

// Versions makes a [Versioner] of a Swapper whose database gives each write a version of its own making: an ETag, an update time.
// It remembers which version the writes of this process got whose leases are not released yet, and so spares a Commit its read.
// A version is that of one write, named by epoch, nonce and birth, and no other's: a write since then, by whomever, has made it
// another one, and the condition fails. A version that is forgotten costs a read. The zero Versions is ready for use.
type Versions struct {
	mu         sync.Mutex
	max        int                // 0: maxVersions
	young, old map[tus.ID]written // when young is full, it becomes old, and old is dropped
}

// written names one write, and the version that it got.
type written struct {
	epoch                 tus.Epoch
	nonce, birth, version string
}

// Wrote tells what version the write got that left r. It is remembered while r's lease may need it.
func (v *Versions) Wrote(r Record, version string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.old, r.Upload.ID)
	if r.LeaseUntil.IsZero() || version == "" {
		delete(v.young, r.Upload.ID)
		return
	}
	most := v.max
	if most == 0 {
		most = maxVersions
	}
	if v.young == nil || len(v.young) >= most {
		v.old, v.young = v.young, map[tus.ID]written{}
	}
	v.young[r.Upload.ID] = written{r.Epoch, r.Nonce, r.Upload.Birth, version}
}

// Deleted tells that a record is gone.
func (v *Versions) Deleted(id tus.ID) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.young, id)
	delete(v.old, id)
}

// Of returns the version of the write that left r, empty where this process does not know it.
func (v *Versions) Of(r Record) string {
	v.mu.Lock()
	defer v.mu.Unlock()
	w, ok := v.young[r.Upload.ID]
	if !ok {
		w = v.old[r.Upload.ID]
	}
	if w.epoch == r.Epoch && w.nonce == r.Nonce && w.birth == r.Upload.Birth {
		return w.version
	}
	return ""
}
