//go:build unix

package filestore

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"testing"

	"github.com/fileloft/fileloft/tus"
)

// stop makes a call on the zombie's store that stops at the n-th step; it returns the step's name, or "" if there were
// fewer. frozen: wake lets the call go on and waits for its end. Otherwise it was killed.
func (g *game) stop(n int, frozen bool, call func()) (step string, wake func()) {
	at, end, resume := make(chan string, 1), make(chan struct{}), make(chan struct{})
	g.z.step = func(name string) {
		if n--; n != -1 {
			return
		}
		at <- name
		if !frozen {
			panic("killed")
		}
		<-resume
	}
	go func() {
		defer close(end)
		defer func() { _ = recover() }()
		call()
	}()
	select {
	case step = <-at:
		if !frozen {
			<-end
			return step, func() {}
		}
		return step, func() { close(resume); <-end }
	case <-end:
		return "", func() {}
	}
}

// TestStopsAtEveryStep kills or freezes one process at every step of every call of a life, lets another go on in its place for
// a while, and then wakes the first.
func TestStopsAtEveryStep(t *testing.T) {
	futures := []struct {
		name string
		run  func(g *game, next int, wake func())
	}{
		{"woken at once", func(g *game, next int, wake func()) {
			wake()
			g.play(next, len(moves))
		}},
		{"woken after the next call", func(g *game, next int, wake func()) {
			g.play(next, min(next+1, len(moves)))
			wake()
			g.play(min(next+1, len(moves)), len(moves))
		}},
		{"woken after the end", func(g *game, next int, wake func()) {
			g.play(next, len(moves))
			wake()
		}},
		{"woken after the removal", func(g *game, next int, wake func()) {
			g.play(next, len(moves))
			if err := g.remove(); err != nil {
				g.t.Fatal(err)
			}
			wake()
			if left := visible(g); len(left) > 0 {
				g.t.Fatalf("after the removal: %q", left)
			}
			g.again()
		}},
		{"woken in the next life", func(g *game, _ int, wake func()) {
			if err := g.remove(); err != nil {
				g.t.Fatal(err)
			}
			g.again()
			wake()
		}},
	}
	root := fastDir(t)
	count := 0
	for i, move := range moves {
		for _, f := range futures {
			for _, frozen := range []bool{true, false} {
				for n := 0; ; n++ {
					count++
					g := newGame(t, path.Join(root, fmt.Sprint(count)))
					g.play(0, i)
					zombie := *g
					step, wake := g.stop(n, frozen, func() { move.make(&zombie, g.z, 'Z') })
					if step == "" {
						break
					}
					g.epoch += 2
					g.t.Logf("%s, stopped (frozen %v) at %s, %s", move.name, frozen, step, f.name)
					f.run(g, i, wake)
					g.check("in the end")
				}
			}
		}
	}
	t.Logf("%d lives", count)
}

// visible lists what lies in files/.
func visible(g *game) []string {
	names, err := g.s.tree.list(&g.s.tree.files)
	if err != nil {
		g.t.Fatal(err)
	}
	return names
}

// TestStopsInConcat does the same to a Concat.
func TestStopsInConcat(t *testing.T) {
	root := fastDir(t)
	for _, future := range []string{"woken before", "woken after", "removed", "next life"} {
		for _, frozen := range []bool{true, false} {
			for n := 0; ; n++ {
				g := newGame(t, path.Join(root, fmt.Sprint(future, frozen, n)))
				for i := range 2 {
					p := tus.Upload{ID: tus.ID(fmt.Sprint("part", i)), Birth: "x", Length: 10, Concat: tus.Concat{Role: tus.Partial}}
					pg := &game{t: t, s: g.s, u: p, epoch: 1}
					pg.appendTo(g.s, '0'+byte(i))()
					pg.completeBy(g.s)()
					g.parts = append(g.parts, pg.u)
					g.want = append(g.want, pg.want...)
				}
				g.u.Length, g.u.Offset, g.u.Concat.Role = 20, 20, tus.Final
				zombie := *g
				step, wake := g.stop(n, frozen, func() { zombie.completeBy(g.z) })
				if step == "" {
					break
				}
				g.epoch++
				t.Logf("stopped (frozen %v) at %s, %s", frozen, step, future)
				switch future {
				case "woken before":
					wake()
					g.completeBy(g.s)()
				case "woken after":
					g.completeBy(g.s)()
					wake()
				default:
					if err := g.remove(); err != nil {
						t.Fatal(err)
					}
					if future == "removed" {
						wake()
						if left := visible(g); len(left) > 0 {
							t.Fatalf("after the removal: %q", left)
						}
						continue
					}
					g.again()
					wake()
				}
				g.check("in the end")
			}
		}
	}
}

// TestStopsInRemove does the same to a Remove; the second life has the same key.
func TestStopsInRemove(t *testing.T) {
	root := fastDir(t)
	for _, late := range []bool{true, false} {
		for _, frozen := range []bool{true, false} {
			for n := 0; ; n++ {
				g := newGame(t, path.Join(root, fmt.Sprint(late, frozen, n)))
				g.play(0, len(moves))
				zombie := *g
				step, wake := g.stop(n, frozen, func() { _ = g.z.Remove(t.Context(), zombie.lease()) })
				if step == "" {
					break
				}
				t.Logf("stopped (frozen %v) at %s, woken late: %v", frozen, step, late)
				if !late {
					wake()
				}
				err := g.remove()
				if errors.Is(err, tus.ErrUnavailable) && late && frozen && strings.HasPrefix(step, "unpublish:") {
					wake() // only the one that is about to unlink may be waited for
					wake = func() {}
					err = g.remove()
				}
				if err != nil {
					t.Fatal(err)
				}
				if left := visible(g); len(left) > 0 {
					t.Fatalf("after the removal: %q", left)
				}
				g.again()
				if late {
					wake()
				}
				g.check("in the end")
			}
		}
	}
}
