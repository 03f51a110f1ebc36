package gcsstore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"cloud.google.com/go/storage"

	"github.com/fileloft/fileloft/storage/gcsstore/gcsfake"
	"github.com/fileloft/fileloft/tus"
)

// FuzzCursor: a cursor that is not this driver's is refused or leads nowhere, and never to a panic.
func FuzzCursor(f *testing.F) {
	for _, s := range []string{
		"", "{}", "1 7", `{"v":1}`, `{"v":1,"p":[{"k":"p.1.a","l":10,"g":7}]}`, `{"v":1,"p":[{"k":"p.1.a","l":-5,"g":1}]}`,
		`{"v":1,"p":[{"k":"gone","l":10,"g":1}]}`, `{"v":1,"p":[{"k":"p.../../x","l":10,"g":1}],"d":["object"]}`,
		`{"v":1,"p":[{"k":"p.","l":9223372036854775807,"g":1},{"k":"p.","l":9223372036854775807,"g":1}]}`,
	} {
		f.Add(s)
	}
	s, _ := onFake(f, Options{}, gcsfake.Options{})
	f.Fuzz(func(t *testing.T, text string) {
		c, err := parseCursor(tus.Cursor(text))
		if err != nil {
			if !errors.Is(err, tus.ErrCorrupt) {
				t.Fatal(err)
			}
			return
		}
		if text == "" {
			return
		}
		again, err := parseCursor(c.format())
		if err != nil || string(again.format()) != string(c.format()) {
			t.Fatalf("%s becomes %s, %v", text, c.format(), err)
		}
		lease := tus.Lease{Epoch: 1, Upload: tus.Upload{ID: tus.NewID(), Birth: "b", Length: 10, Cursor: tus.Cursor(text)}}
		_, _ = s.Append(context.Background(), lease, strings.NewReader("0123456789"))
		lease.Upload.Offset, lease.Upload.Phase = 10, tus.Sealed
		if _, err := s.Complete(context.Background(), lease); err == nil {
			t.Errorf("cursor %q was completed", text)
		}
	})
}

// The worst cursor: every piece that there may be, and as many dropped.
func TestTheWorstCursorIsSmallEnough(t *testing.T) {
	s, c := &Store{word: randomWord}, cursor{}
	for range maxPieces {
		c.Pieces = append(c.Pieces, piece{Name: s.newName(pieceMark, 1_000_000), Size: 1 << 30, Gen: 1_799_999_999_999_999, Level: maxLevel})
		c.Drop = append(c.Drop, s.newName(composedMark, 1_000_000))
	}
	b := c.format()
	if len(b) > tus.MaxCursor {
		t.Errorf("%d bytes", len(b))
	}
	t.Logf("%d bytes", len(b))
	if back, err := parseCursor(b); err != nil || len(back.Pieces) != maxPieces {
		t.Errorf("%d pieces, %v", len(back.Pieces), err)
	}
}

// Composing keeps the order of the bytes, whatever was composed before, and leaves less than 32 of each level.
func TestFoldKeepsTheOrder(t *testing.T) {
	s, _ := onFake(t, Options{}, gcsfake.Options{})
	p := newUpload(t, s, tus.Unknown)
	want := ""
	for n := range 3 * fanIn * 4 {
		body := fmt.Sprintf("%d,", n)
		p.append(body)
		want += body
		if n%100 == 50 { // what a failed fold leaves behind
			c, _ := parseCursor(p.lease.Upload.Cursor)
			if i := crowd(c.Pieces, fanIn); i >= 0 && i+fanIn > len(c.Pieces) {
				t.Fatalf("a crowd at %d of %d", i, len(c.Pieces))
			}
		}
	}
	if err := p.complete(); err != nil {
		t.Fatal(err)
	}
	if got := object(t, p); got != want {
		t.Errorf("%.200s", got)
	}
	levels := func(spec string) (ps []piece) {
		for _, l := range spec {
			ps = append(ps, piece{Level: int(l - '0')})
		}
		return ps
	}
	for spec, at := range map[string]int{
		"": -1, strings.Repeat("0", 31): -1, strings.Repeat("0", 32): 0, "11" + strings.Repeat("0", 40): 2,
		strings.Repeat("1", 33) + "0": 0, strings.Repeat("1", 31) + strings.Repeat("0", 31): -1,
	} {
		if got := crowd(levels(spec), fanIn); got != at {
			t.Errorf("%s: %d", spec, got)
		}
	}
}

// The tree takes any number of pieces, in order, with no more composes than needed.
func TestTree(t *testing.T) {
	s, f := onFake(t, Options{}, gcsfake.Options{})
	for _, n := range []int{1, 2, 31, 32, 33, 63, 64, 65, 300, 1023, 1024, 1025, 2100} {
		p := newUpload(t, s, tus.Unknown)
		parts := make([]tus.Upload, 0, n)
		sources := partials(t, s)
		want := ""
		for range n {
			i := rand.IntN(len(sources))
			parts = append(parts, sources[i].lease.Upload)
			want += fmt.Sprint(i)
		}
		u := &p.lease.Upload
		u.Concat.Role, u.Length, u.Offset, u.Phase = tus.Final, int64(n), int64(n), tus.Sealed
		f.Used()
		st, err := s.Concat(t.Context(), p.lease, parts)
		if err != nil || st.Size != int64(n) {
			t.Fatalf("%d parts: %+v, %v", n, st, err)
		}
		used := f.Used()
		if most := 2 + (n+30)/31; used["objects.compose"] > most {
			t.Errorf("%d parts: %d composes; %d are enough", n, used["objects.compose"], most)
		}
		if got := object(t, p); got != want {
			t.Errorf("%d parts: in another order", n)
		}
		if left := left(s, f, *u); len(left) != 1 {
			t.Errorf("%d parts: left behind: %q", n, left)
		}
	}
}

// partials makes ten finished Partial uploads, of a digit each.
func partials(t *testing.T, s *Store) (ps []*uploading) {
	t.Helper()
	for i := range 10 {
		p := newUpload(t, s, 1)
		p.lease.Upload.Concat.Role = tus.Partial
		p.append(fmt.Sprint(i))
		if err := p.complete(); err != nil {
			t.Fatal(err)
		}
		ps = append(ps, p)
	}
	return ps
}

// Where composing has failed for a while, more than 32 are to be composed at once, and some lie behind them.
func TestALongListIsFoldedInOrder(t *testing.T) {
	s, f := onFake(t, Options{}, gcsfake.Options{})
	for _, n := range []int{31, 32, 33, 65, 150} {
		p := newUpload(t, s, tus.Unknown)
		c := &cursor{}
		want := ""
		for i := range n {
			body := fmt.Sprintf("%d,", i)
			made, err := s.put(t.Context(), &p.lease, [][]byte{[]byte(body)})
			if err != nil {
				t.Fatal(err)
			}
			c.Pieces = append(c.Pieces, made)
			want += body
		}
		list, drop, made, err := s.fold(t.Context(), &p.lease, c.Pieces)
		if err != nil || len(list) != n-31*(n/32) || len(drop) != 32*(n/32) || len(made) != n/32 {
			t.Fatalf("%d pieces: %d, of %d; %d to be dropped; %v", n, len(list), len(made), len(drop), err)
		}
		c.Pieces, c.Drop = list, drop
		u := &p.lease.Upload
		u.Cursor, u.Offset, u.Length, u.Phase = c.format(), int64(len(want)), int64(len(want)), tus.Sealed
		if _, err := s.Complete(t.Context(), p.lease); err != nil {
			t.Fatal(err)
		}
		if got := object(t, p); got != want {
			t.Errorf("%d pieces: %.100s", n, got)
		}
		if left := left(s, f, *u); len(left) != 1 {
			t.Errorf("%d pieces: left behind: %q", n, left)
		}
	}
}

func TestAPieceThatIsNotWhatWasSentDoesNotCount(t *testing.T) {
	p := piece{Name: "p.1.x", Size: 3}
	for _, o := range []storage.ObjectAttrs{{Size: 2, CRC32C: 7}, {Size: 3, CRC32C: 8}} {
		if _, err := p.as(&o, 7); !errors.Is(err, tus.ErrUnavailable) {
			t.Errorf("%+v: %v", o, err)
		}
	}
	if got, err := p.as(&storage.ObjectAttrs{Size: 3, CRC32C: 7, Generation: 5}, 7); err != nil || got.Gen != 5 {
		t.Errorf("%+v, %v", got, err)
	}
}
