package statetest

import (
	"context"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fileloft/fileloft/state"
	"github.com/fileloft/fileloft/tus"
)

// broken is a state that follows the rules but for one mistake.
type broken struct {
	now func() time.Time

	mu      sync.Mutex
	records map[tus.ID]state.Record

	// before may change what a call sees and asks for, after what it stores.
	before func(method string, r *state.Record, l *tus.Lease, c *tus.Claim)
	after  func(method string, was state.Record, r *state.Record)
	torn   bool // reads and writes in two steps
}

func (s *broken) Create(_ context.Context, u tus.Upload, c tus.Claim) (tus.Lease, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r, ok := s.records[u.ID]; ok {
		if r.Nonce == c.Nonce && r.Upload.Birth == u.Birth {
			l := state.Held(tus.Lease{Upload: r.Upload, Epoch: r.Epoch, Nonce: r.Nonce, Expires: r.LeaseUntil})
			_, lease, err := state.New(u, c, s.now())
			lease.Expires = l.LeaseUntil
			return lease, err
		}
		return tus.Lease{}, tus.ErrExists
	}
	r, l, err := state.New(u, c, s.now())
	if err == nil {
		s.after("Create", state.Record{}, &r)
		s.records[u.ID] = r
	}
	return l, err
}

func (s *broken) Load(_ context.Context, id tus.ID) (tus.Upload, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.records[id]
	if !ok {
		return tus.Upload{}, tus.ErrNotFound
	}
	return r.Upload, nil
}

func (s *broken) Acquire(_ context.Context, id tus.ID, c tus.Claim) (tus.Lease, error) {
	return s.change("Acquire", id, tus.Lease{}, c, tus.ErrNotFound, func(r state.Record, _ tus.Lease, c tus.Claim) (state.Record, tus.Lease, error) {
		return state.Grant(r, c, s.now())
	})
}

func (s *broken) Commit(_ context.Context, l tus.Lease, next tus.Upload, c tus.Claim) (tus.Lease, error) {
	birth := l.Upload.Birth
	return s.change("Commit", l.Upload.ID, l, c, tus.ErrSuperseded, func(r state.Record, l tus.Lease, c tus.Claim) (state.Record, tus.Lease, error) {
		if l.Upload.Birth != birth {
			next.Birth = l.Upload.Birth
		}
		return state.Advance(r, l, next, c, s.now())
	})
}

func (s *broken) change(method string, id tus.ID, l tus.Lease, c tus.Claim, missing error,
	rule func(state.Record, tus.Lease, tus.Claim) (state.Record, tus.Lease, error),
) (tus.Lease, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.records[id]
	if !ok {
		return tus.Lease{}, missing
	}
	if s.torn {
		s.mu.Unlock()
		time.Sleep(time.Microsecond) // not to wait for anything: to let others in
		s.mu.Lock()
	}
	was := r
	s.before(method, &r, &l, &c)
	r, granted, err := rule(r, l, c)
	if err != nil {
		return tus.Lease{}, err
	}
	s.after(method, was, &r)
	s.records[id] = r
	return granted, nil
}

func (s *broken) Delete(_ context.Context, l tus.Lease) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.records[l.Upload.ID]
	if !ok {
		return nil
	}
	s.before("Delete", &r, &l, &tus.Claim{})
	gone, err := state.Remove(r, l)
	if !gone && err == nil {
		delete(s.records, l.Upload.ID)
	}
	return err
}

// mistakes are ways to get it wrong. Each must be found by the sentences and by the random sequences, or, where it
// shows only among callers at the same time, by the races.
var mistakes = map[string]func(s *broken){
	"a commit under an older epoch counts": func(s *broken) {
		s.before = func(m string, r *state.Record, l *tus.Lease, _ *tus.Claim) {
			if m == "Commit" && l.Epoch < r.Epoch {
				l.Epoch, l.Nonce = r.Epoch, r.Nonce
			}
		}
	},
	"a commit is not conditional on the nonce": func(s *broken) {
		s.before = func(m string, r *state.Record, l *tus.Lease, c *tus.Claim) {
			if m == "Commit" && l.Epoch == r.Epoch && c.Nonce != r.Nonce {
				l.Nonce = r.Nonce
			}
		}
	},
	"a commit is conditional on the nonce alone": func(s *broken) {
		s.before = func(m string, r *state.Record, l *tus.Lease, _ *tus.Claim) {
			if m == "Commit" && l.Nonce == r.Nonce {
				l.Epoch = r.Epoch
			}
		}
	},
	"a commit is conditional on epoch and nonce alone": func(s *broken) {
		s.before = func(m string, r *state.Record, l *tus.Lease, _ *tus.Claim) {
			if m == "Commit" && l.Nonce == r.Nonce && l.Epoch == r.Epoch {
				l.Upload.Birth = r.Upload.Birth
			}
		}
	},
	"a deletion is not conditional": func(s *broken) {
		s.before = func(m string, r *state.Record, l *tus.Lease, _ *tus.Claim) {
			if m == "Delete" {
				l.Epoch, l.Nonce = r.Epoch, r.Nonce
			}
		}
	},
	"a deletion takes another life of the ID": func(s *broken) {
		s.before = func(m string, r *state.Record, l *tus.Lease, _ *tus.Claim) {
			if m == "Delete" && l.Upload.Birth != r.Upload.Birth {
				l.Upload.Birth, l.Epoch, l.Nonce = r.Upload.Birth, r.Epoch, r.Nonce
			}
		}
	},
	"slots of a crashed holder are granted again": func(s *broken) {
		unused := map[tus.ID]uint32{} // the slots of the lease under way
		s.before = func(m string, r *state.Record, _ *tus.Lease, c *tus.Claim) {
			if m == "Acquire" && r.Nonce != c.Nonce {
				r.Upload.NextSlot -= unused[r.Upload.ID]
			}
		}
		s.after = func(m string, was state.Record, r *state.Record) {
			unused[r.Upload.ID] = 0
			if m == "Acquire" && r.Epoch != was.Epoch {
				unused[r.Upload.ID] = r.Upload.NextSlot - was.Upload.NextSlot
			}
		}
	},
	"a lease holds nobody off": func(s *broken) {
		s.before = func(m string, _ *state.Record, _ *tus.Lease, c *tus.Claim) {
			if m == "Acquire" {
				c.Steal = true
			}
		}
	},
	"the offset is not looked at": func(s *broken) {
		s.before = func(m string, _ *state.Record, _ *tus.Lease, c *tus.Claim) {
			if m == "Acquire" {
				c.Offset = tus.AnyOffset
			}
		}
	},
	"a repeated Acquire is granted anew": func(s *broken) {
		s.before = func(m string, r *state.Record, _ *tus.Lease, c *tus.Claim) {
			if m == "Acquire" && r.Nonce == c.Nonce {
				r.Nonce, r.LeaseUntil = "forgotten", time.Time{}
			}
		}
	},
	"a repeated Commit is superseded by itself": func(s *broken) {
		s.before = func(m string, r *state.Record, _ *tus.Lease, c *tus.Claim) {
			if m == "Commit" && r.Nonce == c.Nonce {
				r.Nonce = "forgotten"
			}
		}
	},
	"a release forgets the epoch": func(s *broken) {
		s.after = func(m string, _ state.Record, r *state.Record) {
			if m == "Commit" && r.LeaseUntil.IsZero() {
				r.Epoch = 1
			}
		}
	},
	"a commit loses the cursor": func(s *broken) {
		s.after = func(m string, was state.Record, r *state.Record) {
			if m == "Commit" {
				r.Upload.Cursor = was.Upload.Cursor
			}
		}
	},
}

func newBroken(mistake func(*broken)) *bench {
	c := newClock()
	s := &broken{
		now: c.now, records: map[tus.ID]state.Record{},
		before: func(string, *state.Record, *tus.Lease, *tus.Claim) {},
		after:  func(string, state.Record, *state.Record) {},
	}
	mistake(s)
	return &bench{ctx: context.Background(), st: s, clock: c, rounds: 40}
}

// TestSuiteFindsNothingWhereNothingIsWrong is what gives the next test its meaning.
func TestSuiteFindsNothingWhereNothingIsWrong(t *testing.T) {
	b := newBroken(func(*broken) {})
	for _, s := range append(sentences, races...) {
		if s.name == "A call under a cancelled context returns" {
			continue // broken knows no context
		}
		if err := b.check(s.check); err != nil {
			t.Errorf("%s: %v", s.name, err)
		}
	}
	for seed := range uint64(300) {
		if err := b.sequence(seed); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

func TestSuiteHasTeeth(t *testing.T) {
	for name, mistake := range mistakes {
		t.Run(name, func(t *testing.T) {
			found := ""
			for _, s := range sentences {
				if s.name == "A call under a cancelled context returns" {
					continue
				}
				if newBroken(mistake).check(s.check) != nil {
					found = s.name
				}
			}
			if found == "" {
				t.Error("no sentence finds it")
			}
			for seed := range uint64(3000) {
				if err := newBroken(mistake).sequence(seed); err != nil {
					t.Logf("found by %q and by the sequence of seed %d", found, seed)
					return
				}
			}
			t.Error("no random sequence finds it")
		})
	}
}

func TestRacesHaveTeeth(t *testing.T) {
	for _, race := range races {
		t.Run(race.name, func(t *testing.T) {
			if race.name == races[0].name {
				t.Skip("broken creates in one step")
			}
			b := newBroken(func(s *broken) { s.torn = true })
			b.rounds = 1000 // many chances; the first is taken
			if err := b.check(race.check); err == nil {
				t.Error("a state that reads and writes in two steps passed")
			}
		})
	}
}

func TestHistoriesHaveTeeth(t *testing.T) {
	if _, err := newBroken(func(*broken) {}).histories(100); err != nil {
		t.Fatalf("where nothing is wrong: %v", err)
	}
	flaws := map[string]func(*broken){"reads and writes in two steps": func(s *broken) { s.torn = true }}
	for name, mistake := range mistakes {
		switch name {
		case "a commit is conditional on the nonce alone", "a commit is conditional on epoch and nonce alone":
			continue // show only where a copy of an Acquire arrives late, which the random sequences have
		}
		flaws[name] = mistake
	}
	for name, flaw := range flaws {
		t.Run(name, func(t *testing.T) {
			calls, err := newBroken(flaw).histories(3000)
			if err == nil {
				t.Fatalf("no history of %d calls shows it", calls)
			}
			path, ok := strings.CutPrefix(err.Error()[strings.LastIndex(err.Error(), "picture: "):], "picture: ")
			if _, err := os.Stat(path); !ok || err != nil {
				t.Errorf("no picture: %v", err)
			}
			os.Remove(path)
			t.Logf("found after %d calls: %v", calls, err)
		})
	}
}
