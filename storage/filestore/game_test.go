//go:build unix

package filestore

import (
	"bytes"
	"io"
	"os"
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
	g.u.Phase = tus.Sealed
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
func (g *game) hold() *file {
	c, err := parseCursor(g.u.Cursor)
	if err != nil {
		g.t.Fatal(err)
	}
	h, err := g.s.home(&g.u)
	if err != nil {
		g.t.Fatal(err)
	}
	f, err := h.dir.open(h.stem+c.file, os.O_RDWR)
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
