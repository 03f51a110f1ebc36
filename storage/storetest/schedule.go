package storetest

import (
	"errors"
	"time"

	"github.com/fileloft/fileloft/tus"
)

var errBroken = errors.New("storetest: the connection broke")

// A play is one schedule: up to three lives of one id, one after the other, each with its zombies.
type play struct {
	*world
	past  past
	lives []*life
}

func (w *world) schedule() {
	p := &play{world: w}
	id := tus.NewID()
	key := ""
	if w.rng.IntN(3) == 0 {
		key = "keys/" + string(id) + "/object"
	}
	for n := 1 + w.rng.IntN(3); n > 0; n-- {
		l := w.newLife(int64(p.size()))
		l.up.ID, l.up.Key = id, key
		if w.rng.IntN(8) == 0 {
			l.up.Concat.Role = tus.Partial
		}
		p.lives = append(p.lives, l)
		w.note("life %s, key %q, role %d, length %d", l.up.Birth, key, l.up.Concat.Role, l.up.Length)
		p.live(l, n == 1)
	}
	p.drain()
	p.finale(p.lives[len(p.lives)-1])
}

// size picks a length around the places where drivers change their ways.
func (w *world) size() int {
	n := w.rng.IntN(4) * w.part
	switch w.rng.IntN(4) {
	case 0:
		n += w.rng.IntN(3) - 1
	case 1:
		n += w.rng.IntN(w.part)
	case 2:
		n += w.rng.IntN(9)
	}
	return max(n, 0)
}

// live takes a life to its end: to Done if it is the last, else to its removal.
func (p *play) live(l *life, last bool) {
	length := l.up.Length
	if length > 0 && p.rng.IntN(5) == 0 {
		l.up.Length = tus.Unknown
	}
	target := int(length)
	if !last && p.rng.IntN(4) == 0 {
		target = p.rng.IntN(target + 1) // it will be removed before it is complete
	}
	lease := l.acquire(p.s, int64(target))
	for l.up.Offset < int64(target) {
		p.stir(2)
		lease = p.appendSome(l, lease, target)
	}
	if l.up.Offset == length {
		lease = p.finish(l, lease, length)
	}
	if !last {
		p.kill(l, lease)
	}
}

// takeover leaves the lease to a zombie and takes the next.
func (p *play) takeover(l *life, n int64) tus.Lease {
	lease := l.acquire(p.s, n)
	p.note("epoch %d takes over at %d", lease.Epoch, lease.Upload.Offset)
	return lease
}

// appendSome is one Append of the current holder, and what becomes of it.
func (p *play) appendSome(l *life, lease tus.Lease, target int) tus.Lease {
	left := target - int(l.up.Offset)
	n := 1 + p.rng.IntN(left)
	if p.rng.IntN(3) == 0 {
		n = left
	}
	if p.rng.IntN(12) == 0 { // superseded before it could begin
		p.past.appends = append(p.past.appends, late{l, lease})
		lease = p.takeover(l, int64(n))
	}
	var broken error
	if p.rng.IntN(6) == 0 {
		broken = errBroken
	}
	body := p.bytes(n)
	p.note("epoch %d appends %d at %d", lease.Epoch, n, lease.Upload.Offset)
	a := p.start(l, lease, body, broken)
	for !a.over() {
		if p.rng.IntN(10) == 0 {
			p.past.actors = append(p.past.actors, a) // frozen here
			return p.takeover(l, int64(left))
		}
		a.advance(p.world, 1+p.rng.IntN(p.part*3/2))
		p.stir(4)
	}
	p.judge(a)
	return p.settle(l, lease, a, left)
}

func (p *play) judge(a *actor) {
	broken := a.broken
	if !a.ended {
		broken = nil
	}
	p.checkReceipt(a.lease, a.res.rec, a.res.err, a.ends, broken)
}

// settle decides what becomes of the current holder's receipt.
func (p *play) settle(l *life, lease tus.Lease, a *actor, left int) tus.Lease {
	rec, err := a.res.rec, a.res.err
	if err != nil && !errors.Is(err, errBroken) {
		p.fail("append under the newest epoch %d: %w", lease.Epoch, err)
	}
	if errors.Is(err, errBroken) && rec.N != int64(a.sent) {
		p.fail("append: of %d bytes before the connection broke only %d count", a.sent, rec.N)
	}
	n := int64(left) - rec.N
	switch p.rng.IntN(10) {
	case 0: // the checksum did not match
		p.note("epoch %d drops %d bytes", lease.Epoch, rec.N)
		next, _ := l.drop(p.s, lease, rec, int64(left))
		return next
	case 1: // killed before the commit
		return p.takeover(l, int64(left))
	case 2: // killed after the commit, or its answer was lost
		l.record(p.s, lease, rec, a.body, 0)
		p.note("epoch %d commits %d bytes and dies", lease.Epoch, rec.N)
		return p.takeover(l, n)
	default:
		next, ok := l.record(p.s, lease, rec, a.body, n)
		if !ok {
			p.fail("storetest: the model lost its own lease")
		}
		p.note("epoch %d commits %d bytes", lease.Epoch, rec.N)
		return next
	}
}

// finish seals and completes, with lost answers and late calls.
func (p *play) finish(l *life, lease tus.Lease, length int64) tus.Lease {
	lease.Upload.Length = length
	lease = l.to(p.world, lease, tus.Sealed)
	p.note("epoch %d seals", lease.Epoch)
	for p.rng.IntN(4) == 0 { // frozen, or killed, before Complete
		p.past.completes = append(p.past.completes, late{l, lease})
		lease = p.takeover(l, 0)
		p.stir(2)
	}
	p.complete(l, lease)
	for p.rng.IntN(3) == 0 { // the answer was lost
		p.stir(2)
		if p.rng.IntN(2) == 0 {
			lease = p.takeover(l, 0)
		}
		p.complete(l, lease)
	}
	p.check(l, "sealed and complete")
	if p.rng.IntN(4) == 0 { // killed between Complete and Done: the record stays Sealed
		return lease
	}
	lease = l.to(p.world, lease, tus.Done)
	p.stir(1)
	p.check(l, "done")
	return lease
}

// kill dooms and removes.
func (p *play) kill(l *life, lease tus.Lease) {
	if p.rng.IntN(2) == 0 {
		if lease.Upload.Phase == tus.Sealed {
			p.past.completes = append(p.past.completes, late{l, lease})
		}
		lease = p.takeover(l, 0)
	}
	lease = l.to(p.world, lease, tus.Doomed)
	p.note("epoch %d dooms", lease.Epoch)
	for p.rng.IntN(3) == 0 {
		p.past.removes = append(p.past.removes, late{l, lease})
		lease = p.takeover(l, 0)
	}
	for again := true; again; again = p.rng.IntN(3) == 0 {
		p.stir(2)
		p.noErr(p.s.Remove(p.ctx, lease), "remove")
	}
	p.note("removed")
	p.checkGone(l, "removed")
	p.stir(2)
	p.checkGone(l, "removed, zombies stirred")
}

// finale checks the last life, then removes it too and checks that nothing stays.
func (p *play) finale(l *life) {
	p.check(l, "in the end")
	if c, ok := find[tus.Collector](p.s); ok {
		_, err := c.Collect(p.ctx, time.Now().Add(time.Hour), lookAmong(nil, l)) // of all uploads only l has a record
		p.noErr(err, "collect")
		p.check(l, "collected")
		if p.rng.IntN(4) == 0 { // it takes an upload to compare with
			p.checkTidy(l, "collected")
		}
	}
	lease := l.to(p.world, l.acquire(p.s, 0), tus.Doomed)
	p.noErr(p.s.Remove(p.ctx, lease), "remove")
	for _, l := range p.lives { // only now: some storages know the newest owner of a key alone
		p.checkGone(l, "removed in the end")
	}
	if _, ok := find[tus.Collector](p.s); ok || len(p.lives) == 1 {
		p.checkPieces(l, "removed in the end")
	}
}
