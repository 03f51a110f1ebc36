package sqlitestate

import (
	"fmt"
	"os"
	"time"

	"github.com/fileloft/fileloft/tus"
)

// A reserve is a file of some size and no meaning beside the database. Where the disk is full it is given up, so that what is in the WAL can
// be moved into the database and the WAL be written from its beginning again: it needs no new space then. Otherwise nothing could be
// recorded any more, not even that something is deleted to make room.
//
// What is spent for that must not be used up by new uploads: until the reserve is whole again there are none.
//
// Several processes may use one. It is a help and no guarantee: others may take the space that is given up before the database does.
type reserve struct {
	path  string
	tried time.Time // when it was last attempted to make it whole
	whole bool      // as far as this process knows
	spent bool      // by this process
}

const (
	reserveSize = 1 << 20 // what the database can have grown by in a WAL of 1,000 pages, of which most change what is there
	reserveWait = time.Second
)

var errSpent = fmt.Errorf("%w: the disk of the state file has been full, and there is not yet space for the reserve of 1 MiB beside the file", tus.ErrNoSpace)

// fill makes the reserve whole, where there is space. One that was made by another process counts.
func (r *reserve) fill() {
	if r.whole || time.Since(r.tried) < reserveWait {
		return
	}
	r.tried = time.Now()
	if info, err := os.Stat(r.path); err == nil && info.Size() >= reserveSize {
		r.whole, r.spent = true, false
		return
	}
	f, err := os.OpenFile(r.path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return
	}
	b := make([]byte, reserveSize) // written, because a hole takes no space
	_, err = f.Write(b)
	if cerr := f.Close(); err != nil || cerr != nil {
		_ = os.Truncate(r.path, 0) // there is no space for it now
		return
	}
	r.whole, r.spent = true, false
}

// spend gives the space up, if there is some.
func (r *reserve) spend() {
	if info, err := os.Stat(r.path); err == nil && info.Size() > 0 {
		r.spent = os.Truncate(r.path, 0) == nil || r.spent
	}
	r.whole = false
	r.tried = time.Now() // others go first
}
