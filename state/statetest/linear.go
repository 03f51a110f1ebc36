package statetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/fileloft/fileloft/tus"
)

const (
	linearClients = 5
	linearIDs     = 3
	linearCalls   = 12 // by each client
	// linearCallsRepeated are fewer: each call that may have been made three times makes the search for an order longer.
	linearCallsRepeated = 8
	// linearPatience bounds the search for an order. A history of this size takes milliseconds.
	linearPatience = 30 * time.Second
	// linearPatienceRepeated ends the rare search that calls which may have been made three times make endless: it decides nothing.
	linearPatienceRepeated = 3 * time.Second
)

var errUndecided = errors.New("no order was found, and not all were tried")

// histories has clients call at the same time, notes when each call began and ended and what it was told, and looks for an order of the calls,
// each within its time, in which the pure rules tell everybody the same. The clock stands still, so no lease expires: what takes an upload
// from its holder is a claim that steals. A history's seed decides what the clients ask for; how their calls meet is chance.
func (b *bench) histories(seeds uint64) (calls int, err error) {
	for seed := range seeds {
		h := b.history(seed)
		calls += len(h.ops)
		if err := h.check(b.repeats); errors.Is(err, errUndecided) && b.repeats {
			b.undecided++
		} else if err != nil {
			return calls, fmt.Errorf("history of seed %d: %w", seed, err)
		}
	}
	return calls, nil
}

// history is what the clients of one seed did.
type history struct {
	start time.Time
	now   time.Time // by the clock that the state reads

	mu  sync.Mutex
	ops []porcupine.Operation
}

// answer is what a call was told. Of one that was told nothing certain, sure is false.
type answer struct {
	lease  tus.Lease
	upload tus.Upload // Load's
	facts  any
	sure   bool
}

func (b *bench) history(seed uint64) *history {
	h := &history{start: time.Now(), now: b.clock.now()}
	var ids [linearIDs]tus.ID
	for i := range ids {
		ids[i] = tus.NewID()
	}
	var wg sync.WaitGroup
	for i := range linearClients {
		c := &client{b: b, h: h, number: i, ids: ids[:], rng: rand.New(rand.NewPCG(seed, uint64(i)))}
		wg.Go(c.run)
	}
	wg.Wait()
	h.close(b.repeats)
	return h
}

// client is one caller: a process that knows its own leases.
type client struct {
	b      *bench
	h      *history
	number int
	ids    []tus.ID
	rng    *rand.Rand
	leases []tus.Lease
	last   call
	calls  int
}

func (c *client) run() {
	n := linearCalls
	if c.b.repeats {
		n = linearCallsRepeated
	}
	for range n {
		if c.calls == 0 || c.rng.IntN(5) > 0 {
			c.last = c.next()
		} // else the same again, under the same nonce
		c.calls++
		c.make(c.last)
	}
}

// next chooses a call. A Create is not repeated once its record may have been deleted: see package state.
func (c *client) next() call {
	id := c.ids[c.rng.IntN(len(c.ids))]
	claim := tus.Claim{Offset: tus.AnyOffset, Nonce: fmt.Sprintf("%d-%d", c.number, c.calls), Slots: uint32(c.rng.IntN(3))}
	if c.rng.IntN(3) > 0 {
		claim.TTL = time.Hour
	}
	if len(c.leases) > 0 && c.rng.IntN(2) == 0 {
		l := c.leases[len(c.leases)-1]
		if c.rng.IntN(4) == 0 {
			l = c.leases[c.rng.IntN(len(c.leases))]
		}
		if c.rng.IntN(6) == 0 {
			return call{method: "Delete", lease: l, upload: tus.Upload{ID: l.Upload.ID}}
		}
		next := progress(l, c.rng.Int64N(5), claim.Nonce)
		next.NextSlot = l.Slots.First + uint32(c.rng.IntN(int(l.Slots.N)+1))
		return call{method: "Commit", lease: l, upload: next, claim: claim}
	}
	switch c.rng.IntN(6) {
	case 0, 1:
		u := tus.Upload{ID: id, Birth: "b" + claim.Nonce, Length: tus.Unknown, NextSlot: 1}
		return call{method: "Create", upload: u, claim: claim}
	case 2:
		return call{method: "Load", upload: tus.Upload{ID: id}}
	}
	claim.TTL, claim.Steal = time.Hour, c.rng.IntN(2) == 0
	if c.rng.IntN(3) == 0 {
		claim.Offset = c.rng.Int64N(5)
	}
	return call{method: "Acquire", upload: tus.Upload{ID: id}, claim: claim}
}

// make makes the call and notes it.
func (c *client) make(do call) {
	op := porcupine.Operation{ClientId: c.number, Input: do, Call: int64(time.Since(c.h.start))}
	var a answer
	var err error
	if do.method == "Load" {
		a.upload, err = c.b.st.Load(c.b.ctx, do.upload.ID)
	} else {
		a.lease, err = do.on(c.b.ctx, c.b.st)
	}
	op.Return = int64(time.Since(c.h.start))
	a.facts, a.sure = facts(err), certain(err)
	op.Output = a
	if err == nil && do.method != "Load" && do.method != "Delete" {
		c.leases = append(c.leases, a.lease)
	}
	c.h.mu.Lock()
	defer c.h.mu.Unlock()
	c.h.ops = append(c.h.ops, op)
}

// certain reports whether an answer tells what became of the call.
func certain(err error) bool {
	return err == nil || errors.Is(err, tus.ErrNotFound) || errors.Is(err, tus.ErrExists) || errors.Is(err, tus.ErrSuperseded) ||
		errors.As(err, new(*tus.LeasedError)) || errors.As(err, new(*tus.OffsetError))
}

// close leaves every call open that was told nothing certain: it may be made at any time after it began, or never. Where the network
// repeats writes, a call may also have been made before, twice at most, within its time: its echo then met a lease that came in between,
// and was granted anew or told that it is superseded. The port allows that, and package state says what it costs.
func (h *history) close(repeats bool) {
	end := int64(time.Since(h.start)) + 1
	for i := range h.ops {
		op := &h.ops[i]
		if !op.Output.(answer).sure {
			op.Return = end
		}
		if repeats && op.Input.(call).method != "Load" {
			echo := *op
			echo.Output = answer{facts: "perhaps"}
			h.ops = append(h.ops, echo, echo)
		}
	}
}

// rules is the model: package state's, for each ID.
func (h *history) rules() porcupine.Model {
	det := porcupine.NondeterministicModel{
		Partition: func(ops []porcupine.Operation) [][]porcupine.Operation {
			byID := map[tus.ID][]porcupine.Operation{}
			for _, op := range ops {
				id := op.Input.(call).upload.ID
				byID[id] = append(byID[id], op)
			}
			var parts [][]porcupine.Operation
			for _, p := range byID {
				parts = append(parts, p)
			}
			return parts
		},
		Init: func() []any { return []any{model{}} },
		Step: func(was, input, output any) []any {
			m, do, told := was.(model), input.(call), output.(answer)
			next, want := m.answer(do, h.now)
			switch {
			case !told.sure:
				return []any{m, next}
			case differ(want.facts, told.facts) != "" || differ(want.lease, told.lease) != "" || differ(want.upload, told.upload) != "":
				return nil
			}
			return []any{next}
		},
		Equal: func(a, b any) bool { return sameRecord(a.(model), b.(model)) },
		DescribeOperation: func(input, output any) string {
			a := output.(answer)
			return fmt.Sprintf("%s %s -> %v, epoch %d, slots %v", input.(call).upload.ID, input.(call), a.facts, a.lease.Epoch, a.lease.Slots)
		},
		DescribeState: func(s any) string {
			r := s.(model).record
			if r == nil {
				return "no record"
			}
			return fmt.Sprintf("birth %s, epoch %d/%s, offset %d, next slot %d", r.Upload.Birth, r.Epoch, r.Nonce, r.Upload.Offset, r.Upload.NextSlot)
		},
	}
	return det.ToModel()
}

// answer is what the rules tell the caller, and the model after it.
func (m model) answer(do call, now time.Time) (model, answer) {
	a := answer{facts: facts(tus.ErrNotFound), sure: true}
	if do.method == "Load" {
		if m.record != nil {
			a = answer{upload: m.record.Upload, facts: facts(nil), sure: true}
		}
		return m, a
	}
	l, err := m.apply(do, now) // on a copy: a record is replaced, never changed in place
	if err != nil {
		l = tus.Lease{}
	}
	return m, answer{lease: l, facts: facts(err), sure: true}
}

func sameRecord(a, b model) bool {
	if a.record == nil || b.record == nil {
		return a.record == b.record
	}
	return a.record == b.record || differ(*a.record, *b.record) == ""
}

// check looks for an order. Where there is none it leaves a picture of the history, to be opened in a browser.
func (h *history) check(repeats bool) error {
	m, patience := h.rules(), linearPatience
	if repeats {
		patience = linearPatienceRepeated
	}
	result, info := porcupine.CheckOperationsVerbose(m, h.ops, patience)
	switch {
	case result == porcupine.Ok:
		return nil
	case result == porcupine.Unknown && repeats:
		return errUndecided
	}
	path := filepath.Join(os.TempDir(), fmt.Sprintf("history-%d.html", time.Now().UnixNano()))
	if err := porcupine.VisualizePath(m, info, path); err != nil {
		path = err.Error()
	}
	if result == porcupine.Unknown {
		return fmt.Errorf("%w in %s among %d calls; picture: %s", errUndecided, patience, len(h.ops), path)
	}
	return fmt.Errorf("no order of the %d calls explains their answers; picture: %s", len(h.ops), path)
}
