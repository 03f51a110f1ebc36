// Package storage shows what it takes to keep uploads somewhere else: a [tus.Storage] of a few lines over a directory, which
// passes the suite that every storage must pass. It leaves out what can be left out: objects cannot be read through
// the server, pieces of a writer that woke up after a deletion stay (a [tus.Collector] would find them), and directories are not
// forced to the disk, so that a power cut may cost what was acknowledged shortly before it.
package storage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"github.com/fileloft/fileloft/tus"
)

// A Dir is a directory with finished objects in objects/. What one Append brings becomes a piece: a file in pieces/, named by the
// lease's slot, which no other lease ever gets. So a writer that wakes up late writes where nobody looks.
type Dir string

// runs is the cursor: the slots of the committed pieces in order, as first and last of each run.
type runs [][2]uint32

func (d Dir) pieces(u *tus.Upload, elem ...string) string {
	return filepath.Join(append([]string{string(d), "pieces", string(u.ID) + "." + u.Birth}, elem...)...)
}

func (d Dir) object(u *tus.Upload) string {
	return filepath.Join(string(d), "objects", filepath.FromSlash(u.ObjectKey()))
}

func (d Dir) removed(u *tus.Upload) bool { _, err := os.Stat(d.pieces(u) + ".gone"); return err == nil }

// Slots implements tus.Storage.
func (d Dir) Slots(int64) uint32 { return 1 }

// Append implements tus.Storage.
func (d Dir) Append(ctx context.Context, l tus.Lease, r io.Reader) (tus.Receipt, error) {
	u, slot := &l.Upload, l.Slots.First
	rc := tus.Receipt{Cursor: u.Cursor, NextSlot: slot}
	var pieces runs
	if err := errors.Join(ctx.Err(), parse(u.Cursor, &pieces), os.MkdirAll(d.pieces(u), 0o750)); err != nil {
		return rc, err
	}
	f, err := os.OpenFile(d.pieces(u, strconv.Itoa(int(slot))), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o640)
	if err != nil {
		return rc, err
	}
	rc.NextSlot++ // spoilt from here on, whatever happens
	body := &counter{r: r}
	n, err := io.Copy(f, body)
	if failed := errors.Join(f.Sync(), f.Close()); failed != nil || n != body.n { // not all that was read is durable: it does not count
		return rc, errors.Join(err, failed)
	}
	if rc.N = n; n > 0 {
		if last := len(pieces) - 1; last >= 0 && pieces[last][1]+1 == slot {
			pieces[last][1] = slot
		} else {
			pieces = append(pieces, [2]uint32{slot, slot})
		}
		rc.Cursor, _ = json.Marshal(pieces) // numbers cannot fail
	}
	return rc, err // where r broke off, what came before it counts
}

// Complete implements tus.Storage.
func (d Dir) Complete(ctx context.Context, l tus.Lease) (tus.Stored, error) {
	u, whole := &l.Upload, d.pieces(&l.Upload, "whole")
	if d.removed(u) {
		return tus.Stored{}, tus.ErrSuperseded
	}
	if _, err := os.Stat(whole); err != nil {
		if err := d.assemble(ctx, u, whole); err != nil {
			return tus.Stored{}, err
		}
	}
	key := d.object(u)
	if err := errors.Join(os.MkdirAll(filepath.Dir(key), 0o750), os.Link(whole, key)); err != nil && !same(whole, key) {
		if errors.Is(err, os.ErrExist) {
			err = tus.ErrExists
		}
		return tus.Stored{}, err
	}
	if d.removed(u) { // meanwhile: Remove may have looked before the object was there
		return tus.Stored{}, errors.Join(tus.ErrSuperseded, os.Remove(key))
	}
	return tus.Stored{Size: u.Length}, nil
}

// assemble makes one file of the pieces. It appears under its name when it is whole.
func (d Dir) assemble(ctx context.Context, u *tus.Upload, whole string) error {
	var pieces runs
	if err := errors.Join(ctx.Err(), parse(u.Cursor, &pieces), os.MkdirAll(d.pieces(u), 0o750)); err != nil {
		return err
	}
	f, err := os.CreateTemp(d.pieces(u), "assembling-*")
	if err != nil {
		return err
	}
	defer func() { _ = errors.Join(f.Close(), os.Remove(f.Name())) }() // a second close, and a name that is gone, are no trouble
	size := int64(0)
	for _, run := range pieces {
		for slot := run[0]; slot <= run[1]; slot++ {
			b, err := os.Open(d.pieces(u, strconv.Itoa(int(slot))))
			if err != nil {
				return err
			}
			n, err := io.Copy(f, b)
			if err := errors.Join(err, b.Close()); err != nil {
				return err
			}
			size += n
		}
	}
	if size != u.Length {
		return fmt.Errorf("%w: %d bytes of %d", tus.ErrCorrupt, size, u.Length)
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), whole); !errors.Is(err, os.ErrExist) { // the first one counts: another may be the object by now
		return err
	}
	return nil
}

// Remove implements tus.Storage.
func (d Dir) Remove(_ context.Context, l tus.Lease) error {
	u := &l.Upload
	if err := errors.Join(os.MkdirAll(filepath.Dir(d.pieces(u)), 0o750), os.WriteFile(d.pieces(u)+".gone", nil, 0o640)); err != nil {
		return err
	}
	if key := d.object(u); same(d.pieces(u, "whole"), key) {
		if err := os.Remove(key); err != nil {
			return err
		}
	}
	return os.RemoveAll(d.pieces(u))
}

func parse(c tus.Cursor, r *runs) error {
	if len(c) == 0 {
		return nil
	}
	return json.Unmarshal(c, r)
}

func same(a, b string) bool {
	x, err := os.Stat(a)
	y, err2 := os.Stat(b)
	return errors.Join(err, err2) == nil && os.SameFile(x, y)
}

// A counter counts what was read, as io.Copy counts what was written.
type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}
