package statetest

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/fileloft/fileloft/tus"
)

// ledger keeps what was granted and acknowledged in one life of an upload. It knows the promises and no rules: what
// it finds would be a lost byte or a piece overwritten, whatever the rules of package state say.
type ledger struct {
	winners map[tus.Epoch]string // the grant that won the epoch, by nonce
	owners  map[uint32]string    // who may use a slot, by the nonce of the grant
	used    map[uint32]string    // who has used it
	offset  int64                // acknowledged
	cursor  string               // acknowledged
}

func newLedger() *ledger {
	return &ledger{winners: map[tus.Epoch]string{}, owners: map[uint32]string{}, used: map[uint32]string{}}
}

// granted notes a lease that a caller was told of. Holder is the nonce of the grant that began the lease.
func (g *ledger) granted(l tus.Lease, holder string) error {
	if w, ok := g.winners[l.Epoch]; ok && w != holder {
		return fmt.Errorf("the epoch %d was granted to %s and to %s", l.Epoch, w, holder)
	}
	g.winners[l.Epoch] = holder
	if l.Upload.NextSlot != l.Slots.First {
		return fmt.Errorf("a lease of the slots %+v has the NextSlot %d", l.Slots, l.Upload.NextSlot)
	}
	for s := l.Slots.First; s < l.Slots.End(); s++ {
		if w, ok := g.used[s]; ok {
			return fmt.Errorf("the slot %d was granted to %s after %s had used it", s, holder, w)
		}
		if w, ok := g.owners[s]; ok && w != holder {
			return fmt.Errorf("the slot %d was granted to %s while it was %s's", s, holder, w)
		}
		g.owners[s] = holder
	}
	return g.seen(l.Upload)
}

// committing notes that the holder tries to commit: it has used the slots below next.NextSlot and will not touch the
// others again, whatever becomes of the call.
func (g *ledger) committing(l tus.Lease, next tus.Upload, holder string) error {
	for s := l.Slots.First; s < l.Slots.End(); s++ {
		if s < next.NextSlot {
			if w, ok := g.used[s]; ok && w != holder {
				return fmt.Errorf("the slot %d was used by %s and by %s", s, w, holder)
			}
			g.used[s] = holder
		} else if g.owners[s] == holder {
			delete(g.owners, s)
		}
	}
	return nil
}

// committed notes that a commit was acknowledged.
func (g *ledger) committed(next tus.Upload) {
	if next.Offset >= g.offset {
		g.offset, g.cursor = next.Offset, string(next.Cursor)
	}
}

// seen checks a record that a call returned against what was acknowledged before. Each commit adds its bytes and its
// nonce to the cursor, "+3:n17;", so the cursor is the upload's whole history.
func (g *ledger) seen(u tus.Upload) error {
	if u.Offset < g.offset || !strings.HasPrefix(string(u.Cursor), g.cursor) {
		return fmt.Errorf("acknowledged bytes are lost: offset %d and history %q after %d and %q", u.Offset, u.Cursor, g.offset, g.cursor)
	}
	var sum int64
	once := make(map[string]bool)
	for entry := range strings.SplitSeq(strings.TrimSuffix(string(u.Cursor), ";"), ";") {
		bytes, nonce, _ := strings.Cut(strings.TrimPrefix(entry, "+"), ":")
		n, _ := strconv.ParseInt(bytes, 10, 64) // an empty history counts 0
		if once[nonce] {
			return fmt.Errorf("the commit %s counts twice in the history %q", nonce, u.Cursor)
		}
		once[nonce] = true
		sum += n
	}
	if sum != u.Offset {
		return fmt.Errorf("the offset %d and the history %q do not agree", u.Offset, u.Cursor)
	}
	return nil
}

// progress returns the record after a commit of n bytes.
func progress(l tus.Lease, n int64, nonce string) tus.Upload {
	next := l.Upload
	next.Offset += n
	next.Cursor = append(append(tus.Cursor(nil), next.Cursor...), fmt.Sprintf("+%d:%s;", n, nonce)...)
	return next
}
