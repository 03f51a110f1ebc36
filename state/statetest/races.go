package statetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/fileloft/fileloft/tus"
)

// callers is how many call at the same time.
const callers = 8

var races = []sentence{
	{"Of many that create one ID at once, one wins", raceCreate},
	{"Of many that claim one upload at once, one wins each epoch", raceAcquire},
	{"Many writers under wild clocks lose nothing", func(b *bench) { raceWriters(b, false) }},
	{"Many writers behind a bad network lose nothing", func(b *bench) { raceWriters(b, true) }},
}

// together runs f callers times at once and returns the first error.
func together(f func(i int) error) error {
	start := make(chan struct{})
	errs := make([]error, callers)
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			<-start
			errs[i] = f(i)
		})
	}
	close(start)
	wg.Wait()
	return errors.Join(errs...)
}

func raceCreate(b *bench) {
	for range b.rounds {
		id := tus.NewID()
		var won [callers]*tus.Lease
		err := together(func(i int) error {
			u := upload()
			u.ID = id
			l, err := b.st.Create(b.ctx, u, claim(ttl, 1))
			switch {
			case err == nil:
				won[i] = &l
			case !errors.Is(err, tus.ErrExists):
				return fmt.Errorf("Create: %w", err)
			}
			return nil
		})
		b.must("at once", err)
		winner := b.onlyOne(won)
		b.commit(winner, winner.Upload, claim(0, 0)) // it is the winner's record that was stored
	}
}

// onlyOne returns the only lease among won.
func (b *bench) onlyOne(won [callers]*tus.Lease) tus.Lease {
	var winner *tus.Lease
	for _, l := range won {
		if l == nil {
			continue
		}
		if winner != nil {
			b.fail("two winners: %+v and %+v", *winner, *l)
		}
		winner = l
	}
	if winner == nil {
		b.fail("no winner of %d", callers)
	}
	return *winner
}

func raceAcquire(b *bench) {
	u := upload()
	last := b.create(u, claim(0, 0))
	for range b.rounds {
		var won [callers]*tus.Lease
		err := together(func(i int) error {
			l, err := b.st.Acquire(b.ctx, u.ID, claim(ttl, 1))
			var leased *tus.LeasedError
			switch {
			case err == nil:
				won[i] = &l
			case !errors.As(err, &leased):
				return fmt.Errorf("Acquire: %w", err)
			}
			return nil
		})
		b.must("at once", err)
		l := b.onlyOne(won)
		if l.Epoch != last.Epoch+1 || l.Slots.First != last.Upload.NextSlot {
			b.fail("the lease %+v comes after %+v", l, last)
		}
		next := l.Upload
		next.NextSlot = l.Slots.End()
		last = b.commit(l, next, claim(0, 0))
	}
}

// raceWriters has writers append to one upload, who take the lease from each other all the time: their clocks are
// hours apart, they steal, and behind a bad network they repeat calls, give up, and calls arrive late.
func raceWriters(b *bench, badNetwork bool) {
	b.clock.wild()
	u := upload()
	u.Length = tus.Unknown
	b.create(u, claim(0, 0))

	net := NewFaulty(b.st, func(string) Fault {
		if badNetwork && rand.IntN(4) == 0 {
			return Fault(rand.IntN(int(Delay) + 1))
		}
		return Pass
	})
	w := &writers{b: b, net: net, id: u.ID, ledger: newLedger()}
	b.must("at once", together(w.write))

	got := b.load(u.ID)
	b.must("in the end", w.ledger.seen(got))
	for _, nonce := range w.acked {
		if !strings.Contains(string(got.Cursor), ":"+nonce+";") {
			b.fail("the acknowledged commit %s is missing in the history %q", nonce, got.Cursor)
		}
	}
	if most := len(w.acked) + w.unsure; got.Offset > int64(most) {
		b.fail("%d commits were acknowledged or are unsure, the record counts %d", most, got.Offset)
	}
	if len(w.acked) == 0 {
		b.fail("in %d rounds of %d writers nobody got through", b.rounds, callers)
	}
}

type writers struct {
	b   *bench
	net *Faulty
	id  tus.ID

	mu     sync.Mutex
	ledger *ledger
	acked  []string // commits, by nonce
	unsure int
}

// write is one writer: each round it takes the lease, uses all slots, and commits one byte or two in turn.
func (w *writers) write(int) error {
	for range w.b.rounds {
		if rand.IntN(4) == 0 {
			w.deliver()
		}
		c := claim(time.Duration(1+rand.IntN(int(ttl))), 2)
		c.Steal = rand.IntN(3) == 0
		l, err := again(func() (tus.Lease, error) { return w.net.Acquire(w.b.ctx, w.id, c) })
		var leased *tus.LeasedError
		if errors.As(err, &leased) || errors.Is(err, ErrInjected) {
			continue
		}
		if err != nil {
			return fmt.Errorf("Acquire: %w", err)
		}
		if err := w.appendTo(l, c.Nonce); err != nil {
			return err
		}
	}
	return nil
}

// deliver lets a late call arrive, if there is one. Nobody waits for its answer.
func (w *writers) deliver() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.net.Waiting() > 0 {
		_ = w.net.Deliver(w.b.ctx, 0)
	}
}

// appendTo commits twice under a lease, and releases it by the second.
func (w *writers) appendTo(l tus.Lease, holder string) error {
	for _, c := range []tus.Claim{claim(ttl, 2), claim(0, 0)} {
		next := progress(l, 1, c.Nonce)
		next.NextSlot = l.Slots.First + 1
		w.mu.Lock()
		err := errors.Join(w.ledger.granted(l, holder), w.ledger.committing(l, next, holder))
		w.mu.Unlock()
		if err != nil {
			return err
		}
		nl, err := again(func() (tus.Lease, error) { return w.net.Commit(w.b.ctx, l, next, c) })
		w.mu.Lock()
		switch {
		case err == nil:
			w.acked = append(w.acked, c.Nonce)
		case errors.Is(err, ErrInjected), errors.Is(err, tus.ErrSuperseded):
			w.unsure++ // superseded by a repeat: the first may have been made, its answer lost
		}
		w.mu.Unlock()
		if errors.Is(err, ErrInjected) || errors.Is(err, tus.ErrSuperseded) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("Commit: %w", err)
		}
		l = nl
	}
	return nil
}

// again makes a call up to three times, until its answer is no injected error.
func again(call func() (tus.Lease, error)) (l tus.Lease, err error) {
	for range 3 {
		if l, err = call(); !errors.Is(err, ErrInjected) {
			break
		}
	}
	return l, err
}
