package proof

import (
	"errors"
	"strconv"
)

// learn takes the offset out of an answer to a request that was sent when before was acknowledged.
func (u *upload) learn(a *answer, before int64) error {
	v := a.header.Get("Upload-Offset")
	if v == "" && u.final {
		return errors.New("not assembled yet")
	}
	off, err := strconv.ParseInt(v, 10, 64)
	switch {
	case err != nil:
		return found("refused", "%s: Upload-Offset %q in %s", u.id, v, a)
	case u.setup.byTheBook && off < before:
		u.goBack(off, before)
		return nil
	case off < before:
		return found("lost", "%s: offset %d in %s, after %d was acknowledged", u.id, off, a, before)
	case off > int64(len(u.data)):
		return found("corrupt", "%s: offset %d in %s, of %d bytes", u.id, off, a, len(u.data))
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.acked >= before { // else what was acknowledged when this was asked is no more
		u.acked = max(u.acked, off)
	}
	if u.acked > u.best {
		u.best = u.acked
		u.gotOn()
	}
	return nil
}

// goBack has the client send again what was acknowledged: tus 1.0.0 does not say in so many words that it stays, and who still has the bytes can.
func (u *upload) goBack(off, before int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.acked < before { // by another answer
		return
	}
	u.acked = off
	u.tally.add(takenBack, 1)
	u.tally.add(takenBack+", bytes", int(before-off))
}

const takenBack = "acknowledged and taken back"

// offset is how far the upload is for sure.
func (u *upload) offset() int64 {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.acked
}
