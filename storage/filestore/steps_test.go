//go:build unix

package filestore

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
	"testing"

	"github.com/fileloft/fileloft/tus"
)

// A game is one upload in a directory that two processes use: the one that acts, and the one that is killed or frozen
// between two steps of a call.
type game struct {
	t     *testing.T
	s     *Store // of the living
	z     *Store // of the one to be stopped
	u     tus.Upload
	parts []tus.Upload // of a Final
	epoch tus.Epoch
	want  []byte
}

func newGame(t *testing.T, dir string) *game {
	opt := &Options{Verify: VerifyAlways, NoSync: true}
	g := &game{t: t, s: newStore(t, dir, opt), z: newStore(t, dir, opt), epoch: 1}
	g.s.lock, g.z.lock = tryLock, tryLock
	g.u = tus.Upload{ID: "game", Birth: "first", Key: "some dir/object", Length: 60}
	return g
}

func (g *game) lease() tus.Lease { return tus.Lease{Upload: g.u, Epoch: g.epoch} }

// appendTo appends 10 bytes of c, and returns what to do if the receipt is committed.
func (g *game) appendTo(s *Store, c byte) (commit func()) {
	body := bytes.Repeat([]byte{c}, 10)
	rec, err := s.Append(g.t.Context(), g.lease(), bytes.NewReader(body))
	return func() {
		if err != nil || rec.N != 10 {
			g.t.Fatalf("append at %d under epoch %d: %d bytes, %v", g.u.Offset, g.epoch, rec.N, err)
		}
		g.u.Offset += rec.N
		g.u.Cursor = rec.Cursor
		g.want = append(g.want, body...)
	}
}

func (g *game) completeBy(s *Store) (commit func()) {
	var err error
	if g.u.Concat.Role == tus.Final {
		_, err = s.Concat(g.t.Context(), g.lease(), g.parts)
	} else {
		_, err = s.Complete(g.t.Context(), g.lease())
	}
	return func() {
		if err != nil {
			g.t.Fatalf("complete under epoch %d: %v", g.epoch, err)
		}
	}
}

// hold keeps the committed data file locked, as a frozen writer would.
func (g *game) hold() *os.File {
	c, err := parseCursor(g.u.Cursor)
	if err != nil {
		g.t.Fatal(err)
	}
	p, _ := pathsOf(&g.u)
	f, err := g.s.root.OpenFile(path.Join(p.dir, c.file), os.O_RDWR, 0)
	if err != nil {
		g.t.Fatal(err)
	}
	if _, err := tryLock(f); err != nil { // if it is the zombie who holds it, so much the better
		g.t.Fatal(err)
	}
	return f
}

// The moves of a whole life. Each is made by the store that is given, and counts once its result is called.
var moves = []struct {
	name string
	make func(g *game, s *Store, c byte) (commit func())
}{
	{"first append", (*game).appendTo},
	{"next append of the same lease", (*game).appendTo},
	{"append of the next lease", func(g *game, s *Store, c byte) func() {
		g.epoch++
		return g.appendTo(s, c)
	}},
	{"append into a copy", func(g *game, s *Store, c byte) func() {
		if c != 'Z' {
			defer g.hold().Close()
		} else if c, _ := parseCursor(g.u.Cursor); c.file != "" {
			f := g.hold() // released once the zombie holds its copy; it stays open till the end
			g.t.Cleanup(func() { _ = f.Close() })
		}
		g.epoch++
		return g.appendTo(s, c)
	}},
	{"append after a copy", (*game).appendTo},
	{"last append", func(g *game, s *Store, c byte) func() {
		g.epoch++
		return g.appendTo(s, c)
	}},
	{"complete by the last writer", func(g *game, s *Store, _ byte) func() { return g.completeBy(s) }},
	{"complete again by another", func(g *game, s *Store, _ byte) func() {
		g.epoch++
		return g.completeBy(s)
	}},
}

// play makes the moves from first on, up to but without end.
func (g *game) play(first, end int) {
	for i := first; i < end; i++ {
		moves[i].make(g, g.s, 'a'+byte(i))()
	}
}

func (g *game) check(when string) {
	g.t.Helper()
	rc, err := g.s.Open(g.t.Context(), g.u, 0, g.u.Length)
	if err != nil {
		g.t.Fatalf("%s: %v", when, err)
	}
	defer rc.Close()
	if got, err := io.ReadAll(rc); err != nil || !bytes.Equal(got, g.want) {
		g.t.Fatalf("%s: the object is %q instead of %q (%v)", when, got, g.want, err)
	}
}

func (g *game) remove() error {
	g.epoch++
	return g.s.Remove(g.t.Context(), g.lease())
}

// again begins another life under the same id and key, and ends it.
func (g *game) again() {
	g.u = tus.Upload{ID: g.u.ID, Birth: "second", Key: g.u.Key, Length: 60}
	g.epoch, g.want, g.parts = 1, nil, nil
	g.play(0, len(moves))
}

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
	names, err := g.s.list(filesDir)
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
