package sim

import (
	"math/rand/v2"
	"slices"
	"time"
)

// odds say how often what goes wrong in one schedule. Each schedule has its own: some know one kind of trouble only, and much of
// it, because kinds of trouble hide each other.
type odds struct {
	crash, freeze, hold, loseRequest, loseAnswer, late, twice, hook float64

	oversleep float64 // how often a process freezes just before it stores bytes, for longer than others need for the rest
}

func drawOdds(rng *rand.Rand) odds {
	p := func(most float64) float64 {
		if rng.IntN(2) == 0 {
			return 0
		}
		return most * rng.Float64()
	}
	if rng.IntN(6) == 0 { // writers that sleep while copies of their calls are on their way
		return odds{freeze: 0.03, hold: 0.25, late: 0.1, twice: 0.5}
	}
	if rng.IntN(12) == 0 { // writers that sleep until others have finished their upload
		return odds{freeze: 0.01, loseAnswer: p(0.05), oversleep: 0.3}
	}
	return odds{
		crash: p(0.05), freeze: p(0.06), hold: p(0.12), loseRequest: p(0.10), loseAnswer: p(0.10), late: p(0.10), twice: p(0.25), hook: p(0.4),
	}
}

// Kinds of steps, by what they can meet beside a crash and a delay. Those of the store are in [Config].
type kinds struct {
	changes []string // may arrive late, or twice
	rare    []string // of which a schedule has few: they meet more
	endings []string // where trouble is, in some schedules, and nowhere else
}

var hooks = []string{"PreCreate", "PreFinish", "Event"}

func kindsOf(c *Config) (k kinds) {
	k.changes = append([]string{"Create", "Acquire", "Commit", "Delete", "Insert", "Swap", "Erase"}, c.Changes...)
	k.rare = append([]string{"Delete", "Erase"}, c.Rare...)
	k.endings = append([]string{"PreFinish", "Event", "Commit"}, k.rare...)
	return k
}

// disturb lets a call go on, or not.
func (s *scheduler) disturb(c *call) {
	o, rng := &s.odds, s.rng
	often := 1.0
	if slices.Contains(s.kinds.rare, c.name()) {
		often = 4
	}
	chance := func(p float64) bool { return p > 0 && rng.Float64() < often*p }
	switch {
	case c.rep != nil && chance(o.crash):
		if rng.IntN(2) == 0 {
			s.note(c, "killed before")
		} else {
			s.note(c, "killed after")
			if c.run != nil {
				c.run()
			}
		}
		s.kill(c.rep)
	case c.rep != nil && chance(o.freeze):
		c.rep.frozen = time.Now().Add(pick(rng, 1500*time.Millisecond, 4*time.Second, 7500*time.Millisecond, 40*time.Second, 5*time.Minute))
		s.note(c, "frozen before")
	case c.op == "Append" && chance(o.oversleep):
		c.rep.frozen = time.Now().Add(5 * time.Minute)
		s.note(c, "frozen before")
	case !c.held && chance(o.hold):
		c.held = true
		c.notBefore = time.Now().Add(pick(rng, 100*time.Millisecond, 2500*time.Millisecond, 8*time.Second, 33*time.Second))
		s.note(c, "held back")
	case chance(o.loseRequest), slices.Contains(hooks, c.op) && chance(o.hook):
		s.let(c, lost, "request lost")
	case chance(o.loseAnswer):
		if c.run != nil {
			c.run()
		}
		s.let(c, lost, "answer lost")
	case c.again != nil && chance(o.late):
		s.copyLater(c)
		s.let(c, lost, "sent, arrives later")
	case c.again != nil && chance(o.twice):
		s.copyLater(c)
		s.let(c, passed, "passes, a copy follows")
	default:
		s.let(c, passed, "passes")
	}
}
