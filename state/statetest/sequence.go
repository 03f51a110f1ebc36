package statetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/fileloft/fileloft/tus"
)

// steps is how many calls a random sequence makes.
const steps = 40

// world is one random sequence: an upload, some processes that work on it without knowing of each other, and a
// network between them and the state.
type world struct {
	b       *bench
	rng     *rand.Rand
	net     *Faulty
	fault   Fault // of the next call
	id      tus.ID
	model   model
	ledgers map[string]*ledger // by birth
	actors  [4]actor
	nonces  int
	births  int
	stored  map[string]bool // births that were ever stored
	late    []lateCall      // what waits in net, in its order
	log     []string
}

// actor is one process. It keeps every lease that it was ever granted: a process may freeze for any time and go on
// where it stood.
type actor struct {
	skew   time.Duration
	leases []held
	unsure call // the call whose answer is missing, if asking
	asking bool
}

// held is a lease in the hands of an actor.
type held struct {
	lease    tus.Lease
	holder   string
	spent    bool   // a commit was tried: the actor touches no more slots
	nextSlot uint32 // what it committed then
}

type lateCall struct {
	call
	skew time.Duration
}

// sequence runs the random sequence of a seed.
func (b *bench) sequence(seed uint64) error {
	w := &world{b: b, rng: rand.New(rand.NewPCG(seed, 0)), id: tus.NewID(), ledgers: map[string]*ledger{}, stored: map[string]bool{}}
	w.net = NewFaulty(b.st, func(string) Fault { return w.fault })
	for i := range w.actors {
		w.actors[i].skew = time.Duration(w.rng.IntN(7)-3) * time.Hour
	}
	defer b.clock.steady()
	for range steps {
		if err := w.step(); err != nil {
			return fmt.Errorf("%w\nafter:\n\t%s", err, strings.Join(w.log, "\n\t"))
		}
	}
	return nil
}

// step makes one call, or delivers a late one, and looks at the record.
func (w *world) step() error {
	w.b.clock.advance(time.Duration(w.rng.IntN(4000)) * time.Millisecond)
	if len(w.late) > 0 && w.rng.IntN(4) == 0 {
		if err := w.deliver(); err != nil {
			return err
		}
		return w.look()
	}
	who := w.rng.IntN(len(w.actors))
	a := &w.actors[who]
	// Most of the time clocks agree to the second: or leases would never matter.
	skew := time.Duration(0)
	if w.rng.IntN(4) == 0 {
		skew = a.skew
	}
	c := w.next(a)
	w.fault = Pass
	if w.rng.IntN(3) == 0 {
		w.fault = Fault(w.rng.IntN(int(Delay) + 1))
	}
	w.log = append(w.log, fmt.Sprintf("%d (clock %+.0fh): %s: %s", who, skew.Hours(), c, w.fault))
	if err := w.make(a, c, skew); err != nil {
		return err
	}
	return w.look()
}

// next chooses what a does.
func (w *world) next(a *actor) call {
	if a.asking && w.rng.IntN(3) > 0 && w.mayRepeat(a.unsure) {
		return a.unsure
	}
	a.asking = false // it gives up, or crashes
	switch n := w.rng.IntN(20); {
	case len(w.ledgers) == 0 || n == 0 || (w.model.record == nil && n < 10):
		w.births++
		u := tus.Upload{ID: w.id, Birth: fmt.Sprintf("b%d", w.births), Length: tus.Unknown, NextSlot: uint32(w.rng.IntN(2))}
		w.ledgers[u.Birth] = newLedger()
		c := w.claim(w.rng.IntN(2) == 0)
		return call{method: "Create", upload: u, claim: c, holder: c.Nonce}
	case len(a.leases) == 0 || n < 7:
		c := w.claim(true)
		c.Offset = tus.AnyOffset
		if w.rng.IntN(2) == 0 && w.model.record != nil {
			c.Offset = w.model.record.Upload.Offset - w.rng.Int64N(2)*3
		}
		c.Steal = w.rng.IntN(5) == 0
		return call{method: "Acquire", upload: tus.Upload{ID: w.id}, claim: c, holder: c.Nonce}
	}
	h := &a.leases[len(a.leases)-1]
	if w.rng.IntN(4) == 0 {
		h = &a.leases[w.rng.IntN(len(a.leases))] // it wakes up late
	}
	if w.rng.IntN(12) == 0 {
		return call{method: "Delete", lease: h.lease, holder: h.holder}
	}
	c := w.claim(w.rng.IntN(2) == 0)
	next := progress(h.lease, w.rng.Int64N(10), c.Nonce)
	if !h.spent {
		h.spent, h.nextSlot = true, next.NextSlot+uint32(w.rng.IntN(int(h.lease.Slots.N)+1))
	}
	next.NextSlot = h.nextSlot
	return call{method: "Commit", lease: h.lease, upload: next, claim: c, holder: h.holder}
}

func (w *world) claim(leased bool) tus.Claim {
	w.nonces++
	c := tus.Claim{Nonce: fmt.Sprintf("n%d", w.nonces), Slots: uint32(w.rng.IntN(5))}
	if leased {
		c.TTL = time.Duration(1+w.rng.IntN(9999)) * time.Millisecond
	}
	return c
}

// mayRepeat is false for a Create whose record was deleted since: that brings it back, which no state can know (see
// package state).
func (w *world) mayRepeat(c call) bool {
	return c.method != "Create" || w.model.record != nil || !w.stored[c.upload.Birth]
}

// make makes the call on the state and on the model, and compares.
func (w *world) make(a *actor, c call, skew time.Duration) error {
	w.b.clock.wrong(skew)
	now := w.b.clock.now()
	if c.method == "Commit" {
		if err := w.ledgers[c.upload.Birth].committing(c.lease, c.upload, c.holder); err != nil {
			return err
		}
	}
	got, gotErr := c.on(w.b.ctx, w.net)
	if w.fault == Duplicate || w.fault == Delay {
		w.late = append(w.late, lateCall{c, skew})
	}
	var want tus.Lease
	var wantErr error
	if w.fault != LoseRequest && w.fault != Delay {
		want, wantErr = w.apply(c, now)
	}
	a.asking, a.unsure = w.fault == LoseRequest || w.fault == LoseAnswer || w.fault == Delay, c
	if a.asking {
		want, wantErr = tus.Lease{}, ErrInjected
	}
	if err := compare(want, wantErr, got, gotErr); err != nil || gotErr != nil {
		return err
	}
	if c.method == "Delete" {
		return nil
	}
	a.leases = append(a.leases, held{lease: got, holder: c.holder})
	g := w.ledgers[got.Upload.Birth] // that there is one, compare has found
	if c.method == "Commit" {
		g.committed(c.upload)
	}
	if err := g.granted(got, c.holder); err != nil {
		return fmt.Errorf("%s: %w", c, err)
	}
	return nil
}

// apply makes the call on the model.
func (w *world) apply(c call, now time.Time) (tus.Lease, error) {
	l, err := w.model.apply(c, now)
	if c.method == "Create" && err == nil {
		w.stored[c.upload.Birth] = true
	}
	return l, err
}

// deliver lets a late call arrive.
func (w *world) deliver() error {
	i := w.rng.IntN(len(w.late))
	c := w.late[i]
	w.late = append(w.late[:i:i], w.late[i+1:]...)
	if !w.mayRepeat(c.call) {
		w.net.Drop(i)
		return nil
	}
	w.log = append(w.log, fmt.Sprintf("late (clock %+.0fh): %s", c.skew.Hours(), c.call))
	w.b.clock.wrong(c.skew)
	now := w.b.clock.now()
	gotErr := w.net.Deliver(w.b.ctx, i)
	_, wantErr := w.apply(c.call, now)
	return compare(tus.Lease{}, wantErr, tus.Lease{}, gotErr)
}

// look loads the record and compares it with the model and the ledger.
func (w *world) look() error {
	got, err := w.b.st.Load(w.b.ctx, w.id)
	if w.model.record == nil {
		if !errors.Is(err, tus.ErrNotFound) {
			return fmt.Errorf("Load without a record: %+v, %w", got, err)
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("Load: %w", err)
	}
	if g := w.ledgers[got.Birth]; g != nil {
		if err := g.seen(got); err != nil {
			return err
		}
	}
	if diff := differ(w.model.record.Upload, got); diff != "" {
		return fmt.Errorf("another record than the rules make (-want +got):\n%s", diff)
	}
	return nil
}
