package proof

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// unfenced is a server on files and SQLite whose commits count whoever makes them: what is taken out, and what takes its place.
var unfenced = []struct{ file, from, to string }{
	{
		"state/rules.go",
		"if r.Upload.Birth != l.Upload.Birth || r.Epoch != l.Epoch {", "if r.Upload.Birth != l.Upload.Birth {",
	},
	{
		"state/rules.go",
		"	if r.Nonce != l.Nonce {\n		return Record{}, tus.Lease{}, tus.ErrSuperseded", "	if false {\n		return Record{}, tus.Lease{}, tus.ErrSuperseded",
	},
	{
		"state/sqlitestate/table.go",
		"(?, ?, ?, ?, ?, ?, ?, ?, ?) WHERE id = ? AND epoch = ? AND nonce = ? AND birth = ?", "(?, ?, ?, ?, ?, ?, ?, ?, ?) WHERE id = ? AND (1 OR epoch = ? AND nonce = ?) AND birth = ?",
	},
}

// TestTheFenceIsNeeded takes the fence out of the real server and wants the load to notice: what it looks for does happen in it.
func TestTheFenceIsNeeded(t *testing.T) {
	if !long {
		t.Skip("=== SKIPPED: one run notices in most cases, not in all; PROOF=long makes up to five ===")
	}
	server := build(t, "cmd/fileloft", "-overlay", overlay(t))
	for seed := range uint64(5) {
		s := serversOn(t, server, t.TempDir())
		l := newLoad(t, s)
		l.seed = seed + 1
		l.run(t)
		if n := len(l.tally.findings); n > 0 {
			t.Logf("run %d, %d findings, the first: %v; %v", seed+1, n, l.tally.findings[0], l.tally)
			return
		}
	}
	t.Error("nobody noticed that there is no fence")
}

// overlay writes the changed files, and the list of them for the compiler.
func overlay(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp(tmp, "")
	if err != nil {
		t.Fatal(err)
	}
	base, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	replace := map[string]string{}
	for _, c := range unfenced {
		path := filepath.Join(base, c.file)
		to := replace[path]
		if to == "" {
			to = path
		}
		b, err := os.ReadFile(to)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Count(string(b), c.from) != 1 {
			t.Fatalf("%s does not hold this once: %s", c.file, c.from)
		}
		replace[path] = filepath.Join(dir, strings.ReplaceAll(c.file, "/", "_"))
		if err := os.WriteFile(replace[path], []byte(strings.Replace(string(b), c.from, c.to, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	list := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(list, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return list
}
