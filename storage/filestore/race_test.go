//go:build unix

package filestore

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fileloft/fileloft/tus"
)

// An actor is one call in a process of its own, which goes on by one step whenever it is told to.
type actor struct {
	s    *Store
	at   chan string // the step that it has come to; closed at the end
	next chan bool
	err  error
}

// act starts a call; it stops at once.
func (g *game) act(s *Store, call func(g *game, s *Store) error) *actor {
	a := &actor{s: s, at: make(chan string), next: make(chan bool)}
	s.step = func(name string) {
		a.at <- name
		if !<-a.next {
			panic("killed")
		}
	}
	own := *g
	g.epoch++ // for the next
	go func() {
		defer close(a.at)
		defer func() { _ = recover() }()
		s.step("start")
		a.err = call(&own, s)
	}()
	<-a.at
	return a
}

// TestRaces lets Completes and Removes of one upload go on by turns, in any order, some of them killed on the way. When a
// Remove has come to its end and nobody is alive, nothing of the upload is left.
func TestRaces(t *testing.T) {
	root := fastDir(t)
	rounds := 300
	if testing.Short() {
		rounds = 50
	}
	for name, kind := range races {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(rounds) {
				race(t, path.Join(root, fmt.Sprint(name, seed)), kind, seed, true)
			}
		})
	}
}

// TestRacesNeedTheWitness: without a look at it, something comes back.
func TestRacesNeedTheWitness(t *testing.T) {
	root := fastDir(t)
	for name, kind := range races {
		if name == "partial" {
			continue // its one step is a link of the committed file itself
		}
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(3000) {
				if back := race(t, path.Join(root, fmt.Sprint(name, seed)), kind, seed, false); back != "" {
					t.Logf("seed %d: %s", seed, back)
					return
				}
			}
			t.Error("3000 races found nothing wrong")
		})
	}
}

type raceKind struct {
	role   tus.Role
	length int64
	busy   bool // the committed file is held by somebody else, for ever
}

var races = map[string]raceKind{
	"whole":         {tus.Whole, 10, false},
	"copied":        {tus.Whole, 10, true},
	"empty":         {tus.Whole, 0, false},
	"partial":       {tus.Partial, 10, false},
	"copiedpartial": {tus.Partial, 10, true},
	"emptypartial":  {tus.Partial, 0, false},
}

// race returns what came back, or fails where the store is careful.
func race(t *testing.T, dir string, kind raceKind, seed uint64, careful bool) string {
	rng := rand.New(rand.NewPCG(seed, 7))
	g := &game{t: t, epoch: 1 + tus.Epoch(rng.IntN(3))}
	opt := &Options{Verify: VerifyNever, NoSync: true}
	store := func() *Store {
		s, err := New(dir, opt)
		if err != nil {
			t.Fatal(err)
		}
		s.lock, s.careful = tryLock, careful
		return s
	}
	g.s = store()
	defer g.s.Close()
	g.u = tus.Upload{ID: "race", Birth: "first", Key: "some/object", Length: kind.length}
	g.u.Concat.Role = kind.role
	if kind.length > 0 {
		g.appendTo(g.s, 'x')()
	}
	g.u.Phase = tus.Sealed
	if kind.busy {
		defer g.hold().Close()
	}
	complete := func(g *game, s *Store) error { _, err := s.Complete(t.Context(), g.lease()); return err }
	remove := func(g *game, s *Store) error { return s.Remove(t.Context(), g.lease()) }
	actors := []*actor{g.act(store(), complete), g.act(store(), complete), g.act(store(), remove)}
	mortal := rng.IntN(2) == 0
	for len(actors) > 0 {
		i := rng.IntN(len(actors))
		for n := 1 + rng.IntN(6); n > 0; n-- {
			a := actors[i]
			last := a.s // a Remove may be killed, but then it is repeated
			a.next <- !mortal || rng.IntN(40) > 0
			if _, more := <-a.at; !more {
				_ = last.Close()
				actors = append(actors[:i], actors[i+1:]...)
				break
			}
		}
		if len(actors) == 1 && rng.IntN(2) == 0 { // a second one comes along
			actors = append(actors, g.act(store(), remove))
		}
	}
	if mortal {
		if err := g.remove(); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
	back := ""
	if left := visible(g); len(left) > 0 {
		back = fmt.Sprintf("visible: %q", left)
	} else if rc, err := g.s.Open(t.Context(), g.u, 0, g.u.Length); err == nil {
		_ = rc.Close()
		back = "the object can be read"
	}
	if left := pieces(g.s, &g.u); back == "" && len(left) > 0 {
		back = fmt.Sprintf("left behind: %q", left)
	}
	if back != "" && careful {
		t.Fatalf("seed %d: %s", seed, back)
	}
	return back
}

// TestTidiedShards: a person may remove empty shards while stores have them open.
func TestTidiedShards(t *testing.T) {
	dir := fastDir(t)
	g := newGame(t, dir)
	other := newStore(t, dir, &Options{NoSync: true})
	for n := range 4 {
		g.u = tus.Upload{ID: "game", Birth: fmt.Sprint("life", n), Key: "object", Length: 60}
		g.epoch, g.want = 1, nil
		g.play(0, 1)
		if _, err := other.Append(t.Context(), g.lease(), strings.NewReader("")); err != nil { // it opens the shard of now
			t.Fatal(err)
		}
		g.play(1, len(moves))
		g.check("in the end")
		g.epoch++
		if err := other.Remove(t.Context(), g.lease()); err != nil {
			t.Fatal(err)
		}
		if left := visible(g); len(left) > 0 {
			t.Fatalf("after the removal: %q", left)
		}
		if err := os.Remove(filepath.Dir(piece(g.s, &g.u, ""))); err != nil {
			t.Fatal(err)
		}
	}
}
