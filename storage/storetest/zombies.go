package storetest

import "github.com/fileloft/fileloft/tus"

// A past is what superseded processes may still do, each at any time from now on.
type past struct {
	actors    []*actor // in an Append
	appends   []late   // about to call Append
	completes []late   // about to call Complete
	removes   []late   // about to call Remove; their leases are of doomed uploads, or they would not
}

type late struct {
	life  *life
	lease tus.Lease
}

// stir lets zombies do something, one time in n.
func (p *play) stir(n int) {
	for p.rng.IntN(n) == 0 {
		n++
		switch p.rng.IntN(6) {
		case 0:
			p.lateAppend()
		case 1:
			p.lateComplete()
		case 2:
			p.lateRemove()
		default:
			p.moveZombie()
		}
	}
}

func (p *play) moveZombie() {
	if len(p.past.actors) == 0 {
		return
	}
	i := p.rng.IntN(len(p.past.actors))
	a := p.past.actors[i]
	n := 1 + p.rng.IntN(p.part*3/2)
	if p.rng.IntN(4) == 0 {
		n = 0
	}
	a.advance(p.world, n)
	p.note("zombie of epoch %d: %d bytes", a.lease.Epoch, n)
	if a.over() {
		p.judge(a)
		p.past.actors = append(p.past.actors[:i], p.past.actors[i+1:]...)
	}
}

func take(rng interface{ IntN(int) int }, from *[]late) (late, bool) {
	if len(*from) == 0 {
		return late{}, false
	}
	i := rng.IntN(len(*from))
	l := (*from)[i]
	*from = append((*from)[:i], (*from)[i+1:]...)
	return l, true
}

func (p *play) lateAppend() {
	if z, ok := take(p.rng, &p.past.appends); ok {
		p.note("late append of epoch %d", z.lease.Epoch)
		a := p.start(z.life, z.lease, p.bytes(1+p.rng.IntN(2*p.part)), nil)
		p.past.actors = append(p.past.actors, a)
		if a.over() {
			p.judge(a)
			p.past.actors = p.past.actors[:len(p.past.actors)-1]
		}
	}
}

// lateComplete: whatever it answers, it must change nothing; the checks after it tell.
func (p *play) lateComplete() {
	if z, ok := take(p.rng, &p.past.completes); ok {
		_, err := p.s.Complete(p.ctx, z.lease)
		p.note("late complete of epoch %d: %v", z.lease.Epoch, err)
	}
}

func (p *play) lateRemove() {
	if z, ok := take(p.rng, &p.past.removes); ok {
		p.note("late remove of epoch %d: %v", z.lease.Epoch, p.s.Remove(p.ctx, z.lease))
	}
}

// drain lets every zombie come to its end, in any order.
func (p *play) drain() {
	for len(p.past.actors)+len(p.past.appends)+len(p.past.completes)+len(p.past.removes) > 0 {
		p.stir(1)
	}
}
