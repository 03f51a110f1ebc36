//go:build unix

package filestore

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"

	"github.com/fileloft/fileloft/tus"
)

// TestDiskFull fills the disk at random places: what counts ends with a Read, all of it is right, and the
// upload goes on when there is space again.
func TestDiskFull(t *testing.T) {
	dir := fastDir(t)
	for seed := range uint64(100) {
		rng := rand.New(rand.NewPCG(seed, 1))
		g := newGame(t, path.Join(dir, string(tus.NewID())))
		body := make([]byte, 1+rng.IntN(3*bufSize))
		for i := range body {
			body[i] = byte(rng.Uint32())
		}
		g.u.Length = int64(len(body))
		for g.u.Offset < g.u.Length {
			space := rng.IntN(len(body))
			g.s.writeAt = func(f *file, p []byte, off int64) (int, error) {
				if len(p) <= space {
					space -= len(p)
					return f.WriteAt(p, off)
				}
				n, _ := f.WriteAt(p[:space], off)
				space = 0
				return n, &os.PathError{Op: "write", Path: f.name, Err: syscall.ENOSPC}
			}
			var ends []int64
			r := iotest.HalfReader(bytes.NewReader(body[g.u.Offset:]))
			sum := int64(0)
			rec, err := g.s.Append(t.Context(), g.lease(), readerFunc(func(p []byte) (int, error) {
				n, err := r.Read(p[:min(len(p), 1+rng.IntN(bufSize))])
				sum += int64(n)
				ends = append(ends, sum)
				return n, err
			}))
			if err != nil && !errors.Is(err, tus.ErrNoSpace) {
				t.Fatal(err)
			}
			if rec.N > 0 && !slices.Contains(ends, rec.N) || err == nil && rec.N != sum {
				t.Fatalf("seed %d: %d bytes count, Reads ended at %v, %v", seed, rec.N, ends, err)
			}
			g.u.Offset += rec.N
			g.u.Cursor = rec.Cursor
			g.epoch++
		}
		g.want = body

		g.s.writeAt = func(*file, []byte, int64) (int, error) { return 0, syscall.EDQUOT }
		if _, err := g.s.Complete(t.Context(), g.lease()); !errors.Is(err, tus.ErrNoSpace) {
			t.Fatalf("complete on a full disk: %v", err)
		}
		g.s.writeAt = (*file).WriteAt
		g.completeBy(g.s)()
		g.check("in the end")
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// TestShortFile: bytes that were committed and are not there, as after a loss of power without fsync, are never made up.
func TestShortFile(t *testing.T) {
	g := newGame(t, fastDir(t))
	g.play(0, 1)
	file := piece(g.s, &g.u, "1")
	if err := os.Truncate(file, g.u.Offset-1); err != nil {
		t.Fatal(err)
	}
	if _, err := g.s.Append(t.Context(), g.lease(), strings.NewReader("x")); !errors.Is(err, tus.ErrCorrupt) {
		t.Errorf("append behind missing bytes: %v", err)
	}
	g.u.Offset, g.u.Length = 10, 10
	if _, err := g.s.Complete(t.Context(), g.lease()); !errors.Is(err, tus.ErrCorrupt) {
		t.Errorf("complete with a byte missing: %v", err)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if _, err := g.s.Append(t.Context(), g.lease(), strings.NewReader("x")); !errors.Is(err, tus.ErrUnavailable) || errors.Is(err, tus.ErrCorrupt) {
		t.Errorf("append to a missing file: %v", err)
	}
	// The disk may not be mounted: nothing that would have the upload removed.
	if _, err := g.s.Complete(t.Context(), g.lease()); !errors.Is(err, tus.ErrUnavailable) || errors.Is(err, tus.ErrCorrupt) {
		t.Errorf("complete with the file missing: %v", err)
	}
	if left := visible(g); len(left) > 0 {
		t.Errorf("published: %q", left)
	}
}

// TestVerify: a file that was changed behind the store's back is not published.
func TestVerify(t *testing.T) {
	g := newGame(t, fastDir(t))
	g.play(0, 6)
	g.u.Digest = []byte{1, 0x12, 0x34, 0x56, 0x78} // the stored form of another crc32c
	if _, err := g.s.Complete(t.Context(), g.lease()); !errors.Is(err, tus.ErrCorrupt) {
		t.Errorf("complete with another checksum: %v", err)
	}
	if left := visible(g); len(left) > 0 {
		t.Errorf("published: %q", left)
	}
}

// TestFailedSync: after a failed fsync nobody knows what is durable, so nothing counts.
func TestFailedSync(t *testing.T) {
	g := &game{t: t, s: newStore(t, t.TempDir(), nil), epoch: 1}
	g.u = tus.Upload{ID: "u", Birth: "b", Length: 3}
	r := io.MultiReader(strings.NewReader("abc"), readerFunc(func([]byte) (int, error) {
		g.s.tree.close() // nothing can be synced
		return 0, io.EOF
	}))
	rec, err := g.s.Append(t.Context(), g.lease(), r)
	if err == nil || rec.N != 0 || len(rec.Cursor) != 0 {
		t.Errorf("a receipt for %d bytes, cursor %q, %v", rec.N, rec.Cursor, err)
	}
}
