//go:build unix

package filestore

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fileloft/fileloft/tus"
)

func TestKeys(t *testing.T) {
	long := strings.Repeat("x", 245)
	for _, key := range []string{
		"a", "a/b/c.txt", "Ärger & 漢字/it's fine", "a/-b", "a b", long, long + "/" + long, "x.meta.json/y", "meta.json",
	} {
		if err := checkKey(key); err != nil {
			t.Errorf("refused: %v", err)
		}
	}
	for _, key := range []string{
		"", "/", "/etc/passwd", "a/", "/a", "a//b", ".", "..", "../a", "a/../b", "a/..", "a/.", "./a", ".hidden", "a/.b",
		"a\x00b", `a\b`, `..\a`, "a\nb", "a\x7fb", "a\xffb", "a.meta.json", "b/A.META.JSON", long + "y", strings.Repeat("a/", 600) + "a",
	} {
		if checkKey(key) == nil {
			t.Errorf("key %q was accepted", key)
		}
	}
}

// TestNothingLeavesTheDirectory: neither texts that come from outside nor symbolic links lead out.
func TestNothingLeavesTheDirectory(t *testing.T) {
	outside := t.TempDir()
	attempt := func(u tus.Upload, prepare func(dir string)) {
		t.Helper()
		dir := t.TempDir()
		g := &game{t: t, s: newStore(t, dir, &Options{NoSync: true}), u: u, epoch: 1}
		g.u.Length = 10
		prepare(dir)
		rec, err := g.s.Append(t.Context(), g.lease(), strings.NewReader("0123456789"))
		g.u.Offset, g.u.Cursor = rec.N, rec.Cursor
		_, cerr := g.s.Complete(t.Context(), g.lease())
		if cerr == nil {
			t.Errorf("completed: %+v (%v)", u, err)
		}
		_, _ = g.s.Open(t.Context(), g.u, 0, 10)
		_ = g.s.Remove(t.Context(), g.lease())
		if names, _ := os.ReadDir(outside); len(names) != 1 || names[0].Name() != "keep.meta.json" {
			t.Fatalf("%+v: outside is now %v", u, names)
		}
	}
	if err := os.WriteFile(filepath.Join(outside, "keep.meta.json"), []byte(`{"id":"a","birth":"b"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	nothing := func(string) {}
	for _, u := range []tus.Upload{
		{ID: "../a", Birth: "b"},
		{ID: "a", Birth: "../../b"},
		{ID: "a", Birth: ""},
		{ID: "", Birth: "b"},
		{ID: "a", Birth: "b", Key: "../a"},
		{ID: "a", Birth: "b", Key: outside + "/x"},
	} {
		attempt(u, nothing)
	}
	link := func(name string) func(string) {
		return func(dir string) {
			if err := os.Symlink(outside, filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	attempt(tus.Upload{ID: "a", Birth: "b", Key: "sub/x"}, link("files/sub"))
	attempt(tus.Upload{ID: "a", Birth: "b", Key: "sub/keep"}, link("files/sub"))
	attempt(tus.Upload{ID: "a", Birth: "b"}, link("partial/"+shardName(shardOf("a"))))
	attempt(tus.Upload{ID: "a", Birth: "b"}, link("files/a"))
	attempt(tus.Upload{ID: "a", Birth: "b"}, func(dir string) {
		if err := os.Symlink(filepath.Join(outside, "keep.meta.json"), filepath.Join(dir, "files/a.meta.json")); err != nil {
			t.Fatal(err)
		}
	})
}

// TestKeysInEachOthersWay: a key cannot be a file and a directory.
func TestKeysInEachOthersWay(t *testing.T) {
	for _, keys := range [][2]string{{"a", "a/b"}, {"a/b", "a"}, {"a/b", "a/b/c/d"}, {"a/b/c/d", "a/b"}} {
		dir := fastDir(t)
		one, two := newGame(t, dir), newGame(t, dir)
		one.u.Key, two.u.Key, two.u.ID = keys[0], keys[1], "other"
		one.play(0, len(moves))
		two.play(0, 6)
		if _, err := two.s.Complete(t.Context(), two.lease()); !errors.Is(err, tus.ErrExists) {
			t.Errorf("%q after %q: %v", keys[1], keys[0], err)
		}
		one.check("after another wanted to be in its way")
		if err := two.remove(); err != nil {
			t.Error(err)
		}
		one.check("after the other was removed")
	}
}

// TestForeignFile: what a person has put under a key is neither replaced nor removed.
func TestForeignFile(t *testing.T) {
	dir := fastDir(t)
	g := newGame(t, dir)
	g.u.Key = "mine"
	file := filepath.Join(dir, filesDir, "mine")
	if err := os.WriteFile(file, make([]byte, g.u.Length), 0o600); err != nil {
		t.Fatal(err)
	}
	g.play(0, 6)
	if _, err := g.s.Complete(t.Context(), g.lease()); !errors.Is(err, tus.ErrExists) {
		t.Errorf("complete over a foreign file: %v", err)
	}
	if err := g.remove(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(file); err != nil {
		t.Error(err)
	}
}

func FuzzCursor(f *testing.F) {
	for _, s := range []string{"", "1 7", "1 7 5", "1 7-2 5-1", "2 7", "1 ../7", "1 7 7", "1  7", "1 07", "1 7-0", "1 99999999999999999999"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, err := parseCursor(tus.Cursor(s))
		if err != nil {
			if !errors.Is(err, tus.ErrCorrupt) {
				t.Errorf("%q: %v", s, err)
			}
			return
		}
		if c.file != "" && string(c.format()) != s {
			t.Errorf("%q is written %q", s, c.format())
		}
		if strings.ContainsAny(c.file+c.dropped, "/.\x00") {
			t.Errorf("%q names %+v", s, c)
		}
	})
}

func FuzzKey(f *testing.F) {
	f.Add("a/b")
	f.Add("../a")
	f.Fuzz(func(t *testing.T, key string) {
		if checkKey(key) == nil && !filepath.IsLocal(key) || checkKey(key) == nil && filepath.Clean(key) != key {
			t.Errorf("key %q was accepted", key)
		}
	})
}
