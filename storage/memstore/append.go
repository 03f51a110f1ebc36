package memstore

import (
	"context"
	"errors"
	"io"

	"github.com/fileloft/fileloft/tus"
)

var (
	errNoSession = errors.New("the session is gone: completed or removed")
	errNoSlots   = errors.New("the lease has no slot left")
	errSlotZero  = errors.New("slot 0: parts are numbered from 1 up")
	errNoTail    = errors.New("a tail is gone: a newer lease took it into a part")
)

// An appender is one Append under way.
type appender struct {
	s      *Store
	lease  tus.Lease
	cursor cursor
	next   uint32 // next slot to use
	tail   int    // bytes in the cursor's tails
	buf    []byte // bytes behind them, not stored yet
	n      int64  // bytes stored
}

// Append implements tus.Storage.
func (s *Store) Append(ctx context.Context, lease tus.Lease, r io.Reader) (tus.Receipt, error) {
	u := &lease.Upload
	a := &appender{s: s, lease: lease, next: lease.Slots.First}
	c, err := parseCursor(u.Cursor)
	if err == nil {
		a.cursor = c
		err = a.begin()
	}
	if err != nil {
		return tus.Receipt{Cursor: u.Cursor, NextSlot: a.next}, wrap("append", u.ID, err)
	}
	err = a.run(ctx, r)
	rec := tus.Receipt{N: a.n, Cursor: u.Cursor, NextSlot: a.next}
	if a.n > 0 {
		rec.Cursor = a.cursor.format()
	}
	return rec, wrap("append", u.ID, err)
}

// begin takes away what the committed cursor dropped, and makes the session of a first Append.
func (a *appender) begin() error {
	a.s.mu.Lock()
	defer a.s.mu.Unlock()
	if a.cursor.Session == "" {
		name := "s" + a.s.fresh(a.lease.Epoch)
		a.cursor = cursor{Version: 1, Session: name, Part: a.s.partSize}
		l := lifeOf(&a.lease.Upload)
		a.s.sessions[name] = &session{life: l, born: a.s.now(), parts: map[uint32]part{}, tails: map[string][]byte{}}
		a.s.lives[l] = append(a.s.lives[l], name)
		return nil
	}
	ses := a.s.sessions[a.cursor.Session]
	if ses == nil {
		return errNoSession
	}
	for _, name := range a.cursor.Drop {
		delete(ses.tails, name)
	}
	a.cursor.Drop = nil
	a.tail = a.cursor.tailSize()
	return nil
}

// run reads r to its end. No Read crosses the end of a part, so that every part ends with a Read.
func (a *appender) run(ctx context.Context, r io.Reader) error {
	for {
		room := a.cursor.Part - a.tail - len(a.buf)
		if room == 0 {
			switch a.next {
			case 0:
				return errSlotZero
			case a.lease.Slots.End():
				return errors.Join(a.flush(), errNoSlots)
			}
			if err := a.putPart(); err != nil {
				return err
			}
			continue
		}
		if err := ctx.Err(); err != nil {
			return errors.Join(a.flush(), err)
		}
		a.grow(room)
		n, rerr := r.Read(a.buf[len(a.buf):min(cap(a.buf), len(a.buf)+room)])
		a.buf = a.buf[:len(a.buf)+n]
		if rerr != nil {
			if rerr == io.EOF {
				rerr = nil
			}
			return errors.Join(a.flush(), rerr)
		}
	}
}

// grow makes space for at least one byte and at most room: all that is left where the length is known, else
// little at first, so that a small body does not set up a whole part.
func (a *appender) grow(room int) {
	if len(a.buf) < cap(a.buf) {
		return
	}
	want := max(32<<10, 2*cap(a.buf))
	if left := a.lease.Upload.Left(); left >= 0 {
		want = max(int(min(left-a.n, int64(a.cursor.Part))), len(a.buf)) + 1 // one more, to see the end
	}
	buf := make([]byte, len(a.buf), min(len(a.buf)+room, want))
	copy(buf, a.buf)
	a.buf = buf
}

// putPart stores the tails and the buffer as the next part.
func (a *appender) putPart() error {
	a.s.mu.Lock()
	defer a.s.mu.Unlock()
	ses := a.s.sessions[a.cursor.Session]
	if ses == nil {
		return errNoSession
	}
	data, err := a.withTails(ses)
	if err != nil {
		return err
	}
	n := a.next
	a.next++
	if old, ok := ses.parts[n]; ok {
		a.s.violate("%s: part %d was written by epoch %d and again by epoch %d", ses.life.id, n, old.epoch, a.lease.Epoch)
	}
	ses.parts[n] = part{a.lease.Epoch, data}
	a.cursor.add(n)
	a.cursor.dropTails()
	a.n += int64(len(a.buf))
	a.tail, a.buf = 0, nil
	return nil
}

// withTails returns the cursor's tails and the buffer in one piece.
func (a *appender) withTails(ses *session) ([]byte, error) {
	if len(a.cursor.Tails) == 0 {
		return a.buf, nil
	}
	data := make([]byte, 0, a.tail+len(a.buf))
	for _, t := range a.cursor.Tails {
		b, ok := ses.tails[t.Name]
		if !ok || len(b) != t.Size {
			return nil, errNoTail
		}
		data = append(data, b...)
	}
	return append(data, a.buf...), nil
}

// flush stores what is short of a part as a tail.
func (a *appender) flush() error {
	if len(a.buf) == 0 {
		return nil
	}
	a.s.mu.Lock()
	defer a.s.mu.Unlock()
	ses := a.s.sessions[a.cursor.Session]
	if ses == nil {
		return errNoSession
	}
	data := a.buf
	if len(a.cursor.Tails) >= maxTails {
		var err error
		if data, err = a.withTails(ses); err != nil {
			return err
		}
		a.cursor.dropTails()
	}
	name := a.s.fresh(a.lease.Epoch)
	ses.tails[name] = data
	a.cursor.Tails = append(append([]tail(nil), a.cursor.Tails...), tail{name, len(data)})
	a.n += int64(len(a.buf))
	a.tail, a.buf = a.tail+len(a.buf), nil
	return nil
}
