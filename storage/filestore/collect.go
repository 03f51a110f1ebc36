//go:build unix

package filestore

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/fileloft/fileloft/tus"
)

// Collect implements tus.Collector. It looks at every name in partial/.
func (s *Store) Collect(ctx context.Context, before time.Time, alive func(context.Context, tus.ID, string) (bool, error)) (int, error) {
	removed := 0
	dirs, err := s.tree.inUse()
	for _, d := range dirs {
		var n int
		if n, err = s.collect(ctx, d, before, alive); err != nil {
			break
		}
		removed += n
	}
	if err != nil {
		err = fmt.Errorf("filestore: collect: %w", err)
	}
	return removed, err
}

// inUse returns the shards that exist.
func (t *tree) inUse() ([]*folder, error) {
	partial, err := t.root.sub(partialDir, false)
	if missing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer partial.close()
	names, err := partial.names()
	var dirs []*folder
	for _, name := range names {
		if i, err := strconv.ParseUint(name, 16, 8); err == nil && name == shardName(int(i)) {
			dirs = append(dirs, &t.shards[i])
		}
	}
	return dirs, err
}

// collect removes the pieces in one shard.
func (s *Store) collect(ctx context.Context, d *folder, before time.Time, alive func(context.Context, tus.ID, string) (bool, error)) (int, error) {
	names, err := s.tree.list(d)
	if err != nil {
		return 0, err
	}
	pieces := map[string][]string{} // by stem
	for _, name := range names {
		if stem, rest, k := splitName(name); k != noPiece {
			pieces[stem] = append(pieces[stem], rest)
		}
	}
	removed := 0
	for stem, rests := range pieces {
		if err := ctx.Err(); err != nil {
			return removed, err
		}
		h := home{paths{stem: stem}, d}
		if old, err := h.olderThan(before, rests); err != nil {
			return removed, err
		} else if !old {
			continue
		}
		id, birth, _ := strings.Cut(strings.TrimSuffix(stem, "."), ".")
		if live, err := alive(ctx, tus.ID(id), birth); err != nil {
			return removed, err
		} else if live {
			continue
		}
		if err := s.clear(h, ""); err != nil {
			return removed, fmt.Errorf("%s: %w", stem, err)
		}
		sign := false
		for _, rest := range []string{doneName, goneName} { // the sign last
			if sign, err = d.unlink(stem + rest); err != nil {
				return removed, fmt.Errorf("%s: %w", stem, err)
			}
		}
		if !sign || len(rests) > 1 {
			removed++
		}
	}
	return removed, nil
}

// olderThan reports whether all of these pieces were last changed before t.
func (h home) olderThan(t time.Time, rests []string) (bool, error) {
	for _, rest := range rests {
		st, err := h.dir.stat(h.stem + rest)
		if missing(err) {
			return false, nil // it is being changed right now
		}
		if err != nil || !time.Unix(st.Mtim.Unix()).Before(t) {
			return false, err
		}
	}
	return true, nil
}
