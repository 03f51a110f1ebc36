//go:build unix

package filestore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fileloft/fileloft/tus"
)

type looker = func(context.Context, tus.ID, string) (tus.Upload, error)

// Collect implements tus.Collector. It looks at every name in partial/.
func (s *Store) Collect(ctx context.Context, before time.Time, look looker) (int, error) {
	removed := 0
	dirs, err := s.tree.inUse()
	for _, d := range dirs {
		var n int
		if n, err = s.collect(ctx, d, before, look); err != nil {
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
func (s *Store) collect(ctx context.Context, d *folder, before time.Time, look looker) (int, error) {
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
		had, err := s.collectLife(ctx, h, rests, look)
		if err != nil {
			return removed, fmt.Errorf("%s: %w", stem, err)
		}
		if had {
			removed++
		}
	}
	return removed, nil
}

// collectLife removes pieces of a life that has no record or is done, and says whether there was more than a sign.
func (s *Store) collectLife(ctx context.Context, h home, rests []string, look looker) (had bool, err error) {
	id, birth, _ := strings.Cut(strings.TrimSuffix(h.stem, "."), ".")
	u, err := look(ctx, tus.ID(id), birth)
	if err == nil {
		if u.Phase != tus.Done {
			return false, nil
		}
		// Nobody reads anything of it but its object: "done", or in files/ under a name of its own. A sign is for those who remove it.
		rests = slices.DeleteFunc(rests, func(rest string) bool { return rest == doneName || rest == goneName })
		if len(rests) == 0 {
			return false, nil
		}
		return true, s.sweep(h, func(rest string, _ kind) bool { return slices.Contains(rests, rest) })
	}
	if !errors.Is(err, tus.ErrNotFound) {
		return false, err
	}
	if err := s.clear(h, ""); err != nil {
		return false, err
	}
	sign := false
	for _, rest := range []string{doneName, goneName} { // the sign last
		if sign, err = h.dir.unlink(h.stem + rest); err != nil {
			return false, err
		}
	}
	return !sign || len(rests) > 1, nil
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
