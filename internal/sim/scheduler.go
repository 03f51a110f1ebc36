package sim

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strings"
	"sync"
	"testing/synctest"
	"time"

	"github.com/fileloft/fileloft/tus"
)

// A verdict is what becomes of a call, as its caller learns it.
type verdict uint8

const (
	passed verdict = iota
	lost           // the caller gets an error that could mean anything
	died           // the caller's process is dead: nothing that it does reaches anything
	gaveUp         // the caller's context has ended first
)

// ErrLost is what the caller of a step gets that cannot know whether it was carried out.
var ErrLost = fmt.Errorf("sim: lost on the way: %w", tus.ErrUnavailable)

var errDead = errors.New("sim: killed")

// A call is one step over a boundary of a process: a call to a port or a hook, a request on its way in, an answer on its
// way out. It stands still until the scheduler picks it.
type call struct {
	who int // the request or other actor that makes it
	op  string
	id  tus.ID
	rep *replica // whose process makes it; nil: a client

	run   func() // what the call does; nil: the caller does it when it goes on
	again func() // what a late copy of it does; nil: there are no copies of it

	verdict   chan verdict
	held      bool // it was picked before, and held back
	notBefore time.Time
	orphan    bool // its caller has given up
}

// name is the call's without the number that tells it from others of its caller's.
func (c *call) name() string { return strings.TrimRight(c.op, " 0123456789") }

// A done thing is a kind of step and what happened to it.
type done struct{ op, what string }

// A scheduler decides what happens next. All its decisions come from one seed.
type scheduler struct {
	rng   *rand.Rand
	odds  odds
	kinds kinds
	calm  time.Time // since when nothing goes wrong any more; zero: it still does
	steps int       // picks that are left until it is calm
	end   bool      // trouble is for the end of uploads: what comes before passes

	mu     sync.Mutex
	parked []*call
	late   []*call // copies on their way, each until its notBefore
	wake   chan struct{}
	over   bool
	failed string

	count map[done]int
	sum   uint64 // hash of all that was done
	text  *strings.Builder
	begin time.Time
	kill  func(*replica)
}

func newScheduler(rng *rand.Rand, k kinds, verbose bool) *scheduler {
	s := &scheduler{rng: rng, kinds: k, wake: make(chan struct{}, 1), count: map[done]int{}, begin: time.Now()}
	s.odds = drawOdds(rng)
	s.end = rng.IntN(3) == 0
	s.steps = rng.IntN(pick(rng, 100, 300, 900)) + 30
	if verbose {
		s.text = &strings.Builder{}
	}
	return s
}

// park stands still until c's turn.
func (s *scheduler) park(ctx context.Context, c *call) verdict {
	s.mu.Lock()
	if s.failed != "" || c.rep != nil && c.rep.dead {
		s.mu.Unlock()
		return died
	}
	c.verdict = make(chan verdict, 1)
	s.parked = append(s.parked, c)
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
	select {
	case v := <-c.verdict:
		return v
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case v := <-c.verdict:
		return v
	default:
	}
	c.orphan = true
	return gaveUp
}

// fail notes the first broken promise and lets everything come to its end.
func (s *scheduler) fail(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failLocked(format, args...)
}

func (s *scheduler) failLocked(format string, args ...any) {
	if s.failed == "" {
		s.failed = fmt.Sprintf("after %v: ", time.Since(s.begin)) + fmt.Sprintf(format, args...)
	}
}

func (s *scheduler) hasFailed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed != ""
}

// isCalm reports since when nothing has gone wrong any more.
func (s *scheduler) isCalm() (time.Time, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calm, !s.calm.IsZero()
}

func (s *scheduler) beCalm() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.calm.IsZero() {
		s.calm = time.Now()
	}
}

// note adds a line to the trace.
func (s *scheduler) note(c *call, what string) {
	s.count[done{c.name(), what}]++
	h := fnv.New64a()
	var b [16]byte
	binary.LittleEndian.PutUint64(b[:], s.sum)
	binary.LittleEndian.PutUint64(b[8:], uint64(time.Since(s.begin))<<16|uint64(c.who))
	_, _ = h.Write(b[:])
	_, _ = h.Write([]byte(c.op))
	_, _ = h.Write([]byte(c.id))
	_, _ = h.Write([]byte(what))
	s.sum = h.Sum64()
	if s.text != nil {
		rep := "-"
		if c.rep != nil {
			rep = fmt.Sprintf("%d.%d", c.rep.slot, c.rep.life)
		}
		fmt.Fprintf(s.text, "%14v  replica %-4s actor %-3d %-9s %-8s %s\n", time.Since(s.begin), rep, c.who, c.op, c.id, what)
	}
}

// A traced line is what a process logs.
type traced struct{ s *scheduler }

func (t traced) Write(line []byte) (int, error) {
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	return t.s.text.Write(line)
}

// loop runs the schedule until over is set and nobody waits.
func (s *scheduler) loop() {
	for {
		synctest.Wait()
		s.mu.Lock()
		if s.over || s.failed != "" {
			for _, c := range s.parked {
				c.verdict <- died
			}
			s.parked = nil
			over := s.over
			s.mu.Unlock()
			if over {
				return
			}
			s.sleep(time.Hour)
			continue
		}
		ready, next := s.ready()
		late, nextLate := s.arriving()
		next = min(next, nextLate)
		if len(ready) == 0 && len(late) == 0 {
			s.mu.Unlock()
			s.sleep(next)
			continue
		}
		d := time.Duration(1 + s.rng.IntN(2000))
		if s.rng.Float64() < 0.04 {
			d += pick(s.rng, 10*time.Millisecond, 300*time.Millisecond, 1200*time.Millisecond, 3*time.Second, 7*time.Second)
		}
		s.mu.Unlock()
		// No two steps happen at one instant, so that timers set by them do not fire at one, in an order that is nobody's choice.
		time.Sleep(d)
		synctest.Wait()
		s.mu.Lock()
		s.step()
		s.mu.Unlock()
	}
}

// sleep passes d, or less where a call comes in.
func (s *scheduler) sleep(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-s.wake:
	case <-t.C:
	}
}

func pick[T any](rng *rand.Rand, from ...T) T { return from[rng.IntN(len(from))] }
