package sim

import (
	"cmp"
	"slices"
	"time"
)

// ready lists the calls that may go on, in an order of their own, and says when the next of the others may.
func (s *scheduler) ready() ([]*call, time.Duration) {
	now := time.Now()
	next := 24 * time.Hour
	var ready []*call
	for _, c := range s.parked {
		at := c.notBefore
		if c.rep != nil && !c.orphan && c.rep.frozen.After(at) {
			at = c.rep.frozen
		}
		if s.calm.IsZero() && at.After(now) {
			next = min(next, at.Sub(now))
			continue
		}
		ready = append(ready, c)
	}
	slices.SortStableFunc(ready, func(a, b *call) int {
		return cmp.Or(cmp.Compare(a.who, b.who), cmp.Compare(a.op, b.op), cmp.Compare(a.id, b.id))
	})
	return ready, next
}

// arriving lists the copies that can arrive by now, and says when the next of the others can.
func (s *scheduler) arriving() ([]*call, time.Duration) {
	now := time.Now()
	next := 24 * time.Hour
	var late []*call
	for _, c := range s.late {
		if c.notBefore.After(now) {
			next = min(next, c.notBefore.Sub(now))
			continue
		}
		late = append(late, c)
	}
	return late, next
}

// copyLater sends a copy of a call on a way that takes its time.
func (s *scheduler) copyLater(c *call) {
	d := pick(s.rng, 0, 0, time.Second, 8*time.Second, 20*time.Second, time.Minute, 20*time.Minute)
	s.late = append(s.late, &call{who: c.who, op: c.op, id: c.id, rep: c.rep, again: c.again, notBefore: time.Now().Add(d)})
}

// step lets one call go on, or something happen to it.
func (s *scheduler) step() {
	if s.failed != "" {
		return
	}
	ready, _ := s.ready()
	late, _ := s.arriving()
	if len(late) > 0 && (len(ready) == 0 || s.rng.IntN(6) == 0) {
		c := late[s.rng.IntN(len(late))]
		i := slices.Index(s.late, c)
		s.late = slices.Delete(s.late, i, i+1)
		s.note(c, "copy arrives")
		c.again()
		return
	}
	if len(ready) == 0 {
		return
	}
	c := ready[s.rng.IntN(len(ready))]
	spared := s.end && !slices.Contains(s.kinds.endings, c.name())
	if !spared {
		s.steps--
	}
	if s.steps == 0 && s.calm.IsZero() {
		s.calm = time.Now()
	}
	switch {
	case c.orphan:
		s.drop(c)
		if c.again != nil && s.rng.IntN(2) == 0 {
			s.note(c, "arrives in vain")
			c.again()
		}
	case !s.calm.IsZero(), spared:
		s.let(c, passed, "passes")
	default:
		s.disturb(c)
	}
}

func (s *scheduler) drop(c *call) {
	i := slices.Index(s.parked, c)
	s.parked = slices.Delete(s.parked, i, i+1)
}

// let answers a call; with lost and a run that is to be made, the caller of let has made it.
func (s *scheduler) let(c *call, v verdict, what string) {
	s.drop(c)
	s.note(c, what)
	if v == passed && c.run != nil {
		c.run()
	}
	c.verdict <- v
}
