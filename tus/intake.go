package tus

import (
	"hash"
	"io"
	"time"
)

// stallAfter is how long a body may stand still before what has arrived is committed and the lease given back.
const stallAfter = time.Second

// An intake stands between a pump and Storage.Append: an io.Reader that hands a body over in rounds. A round
// ends, with io.EOF, at the body's end, at the checkpoint's size or age, or when no bytes come for a while. Along
// the way it keeps the rolling digest at every place where a receipt may end, the client's checksum, and the limit
// on how many bytes the upload still takes.
type intake struct {
	p       *pump
	cur     pumped // being handed over
	ended   bool   // no more rounds: err says why
	err     error  // io.EOF for a complete body
	left    int64  // bytes the upload still takes, or Unknown
	hashes  []hash.Hash
	patient bool // rounds do not end by time or size: the body counts as a whole or not at all

	// of the current round
	n       int64
	limit   int64
	until   time.Time
	stalled bool
	rolling *digest
	marks   []mark
	timer   *time.Timer

	asked   func()     // told at every Read: the storage is moving
	reading func(bool) // told when the round waits for bytes and when it has got some
}

// A mark is the rolling digest after so many bytes of the round.
type mark struct {
	n     int64
	state []byte
	crc   uint32
}

// begin starts a round of at most limit bytes and age, continuing the digest of the committed bytes.
func (in *intake) begin(d *digest, limit int64, age time.Duration) {
	in.n, in.limit, in.until, in.stalled = 0, limit, time.Now().Add(age), false
	in.rolling = d
	in.marks = in.marks[:0]
	in.mark()
}

// Read implements io.Reader for Storage.Append.
func (in *intake) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	in.asked()
	if !in.patient && in.n > 0 && (in.n >= in.limit || time.Now().After(in.until)) {
		return 0, io.EOF
	}
	if len(in.cur.b) == 0 && !in.next(!in.patient) {
		return 0, in.outcome()
	}
	if in.left == 0 {
		in.ended, in.err = true, errOverlong
		in.cur.b = nil // of no use: the body is refused as a whole
		in.release()
		return 0, errOverlong
	}
	n := int64(min(len(b), len(in.cur.b)))
	if in.left > 0 {
		n = min(n, in.left)
	}
	if !in.patient {
		n = min(n, in.limit-in.n)
	}
	copy(b, in.cur.b[:n])
	in.take(in.cur.b[:n])
	return int(n), nil
}

// outcome is what Read answers when no bytes are left in the round: io.EOF also for a stall, since the round
// is then over as far as the storage is concerned.
func (in *intake) outcome() error {
	if in.ended {
		return in.err
	}
	return io.EOF
}

// take accounts for bytes handed over.
func (in *intake) take(b []byte) {
	in.rolling.write(b)
	for _, h := range in.hashes {
		_, _ = h.Write(b)
	}
	in.n += int64(len(b))
	if in.left > 0 {
		in.left -= int64(len(b))
	}
	in.cur.b = in.cur.b[len(b):]
	in.mark()
	if len(in.cur.b) == 0 {
		in.release()
	}
}

func (in *intake) mark() {
	m := mark{n: in.n, crc: in.rolling.crc}
	if in.rolling.sha != nil {
		m.state = in.rolling.state()
	}
	in.marks = append(in.marks, m)
}

// digestAt returns the stored form of the digest after n bytes of the round, or false if no Read ended there.
func (in *intake) digestAt(n int64) ([]byte, bool) {
	for i := len(in.marks) - 1; i >= 0 && in.marks[i].n >= n; i-- {
		if m := in.marks[i]; m.n == n {
			if m.state == nil {
				m.state = (&digest{crc: m.crc}).state()
			}
			return m.state, true
		}
	}
	return nil, false
}

// next gets the next bytes from the pump. It returns false when there are none: the body has ended, or, where a
// stall may end the round, nothing came for stallAfter.
func (in *intake) next(mayStall bool) bool {
	for !in.ended {
		c, ok := in.receive(mayStall)
		if !ok {
			in.stalled = true
			return false
		}
		in.cur = c
		if c.err != nil {
			in.ended, in.err = true, c.err
		}
		if len(c.b) > 0 {
			return true
		}
		in.release()
	}
	return false
}

// receive waits for the pump.
func (in *intake) receive(mayStall bool) (pumped, bool) {
	select {
	case c := <-in.p.full:
		return c, true
	default:
	}
	in.reading(true)
	defer in.reading(false)
	if !mayStall {
		return <-in.p.full, true
	}
	if in.timer == nil {
		in.timer = time.NewTimer(stallAfter)
	} else {
		in.timer.Reset(stallAfter)
	}
	defer in.timer.Stop()
	select {
	case c := <-in.p.full:
		return c, true
	case <-in.timer.C:
		return pumped{}, false
	}
}

// await blocks until bytes are there again after a stall, or the body has ended.
func (in *intake) await() bool { return len(in.cur.b) > 0 || in.next(false) }

// release gives the current buffer back to the pump.
func (in *intake) release() {
	if in.cur.buf != nil {
		in.p.free <- in.cur.buf
		in.cur.buf = nil
	}
}

// over reports whether the body has ended and everything of it was handed over.
func (in *intake) over() bool { return in.ended && len(in.cur.b) == 0 }
