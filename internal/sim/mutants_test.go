package sim

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A mutant is the engine with one of its rules taken out.
type mutant struct {
	rule string // what is no longer so
	file string
	from string // a text that occurs once in the file
	to   string // what takes its place; mutant is the name of the mutant that is switched on
}

// mutants maps names to what they are. All go into one program, which is told by its environment which one it is.
var mutants = map[string]mutant{
	"fence": {
		"a commit counts only under the newest epoch and after the write that it follows", "state/rules.go",
		"	if r.Nonce != l.Nonce {\n		return Record{}, tus.Lease{}, tus.ErrSuperseded", "	if mutant != \"fence\" && mutant != \"nonce\" && r.Nonce != l.Nonce {\n		return Record{}, tus.Lease{}, tus.ErrSuperseded",
	},
	"nonce": {"a late copy of a commit changes nothing", "", "", ""}, // with fence's text
	"epoch": {
		"a commit counts only under the newest epoch", "state/rules.go",
		"if r.Upload.Birth != l.Upload.Birth || r.Epoch != l.Epoch {", "if r.Upload.Birth != l.Upload.Birth || mutant != \"epoch\" && mutant != \"fence\" && r.Epoch != l.Epoch {",
	},
	"slots": {
		"the write that grants a lease keeps its slots from the next", "state/rules.go",
		"	return r, r.lease(n), nil\n}\n\n// again", "	l := r.lease(n)\n	if mutant == \"slots\" {\n		r.Upload.NextSlot -= n\n	}\n	return r, l, nil\n}\n\n// again",
	},
	"spoilt": {
		"slots that were touched do not go back with a receipt that is thrown away", "tus/rounds.go",
		"	next.NextSlot = rc.NextSlot\n", "	next.NextSlot = rc.NextSlot\n	if mutant == \"spoilt\" && (err != nil || rc.N == 0) {\n		next.NextSlot = lease.Slots.First\n	}\n",
	},
	"tail": {
		"the old tail is deleted after the commit of what replaces it", "storage/memstore/append.go",
		"	a.cursor.add(n)\n", "	a.cursor.add(n)\n	if mutant == \"tail\" {\n		for _, t := range a.cursor.Tails {\n			delete(ses.tails, t.Name)\n		}\n	}\n",
	},
	"record": {
		"the record goes after the pieces", "tus/finish.go",
		"	k := h.keep(ctx, l, func(error) {})\n	err := guard(func() error { return h.storage.Remove(ctx, l) })\n",
		"	if mutant == \"record\" {\n		if err := h.deleteRecord(ctx, l); err != nil {\n			return err\n		}\n	}\n	k := h.keep(ctx, l, func(error) {})\n	err := guard(func() error { return h.storage.Remove(ctx, l) })\n",
	},
	"early": {
		"bytes are acknowledged after the commit of their receipt", "tus/rounds.go",
		"		return a.lease.Upload, false, e\n	case !more:", "		if mutant == \"early\" {\n			return next, false, nil\n		}\n		return a.lease.Upload, false, e\n	case !more:",
	},
	"checksum": {
		"bytes that do not match their checksum do not count", "tus/rounds.go",
		"			return false, err\n		}\n	}\n	return a.verify", "			return mutant == \"checksum\", err\n		}\n	}\n	return mutant == \"checksum\" || a.verify",
	},
	"compare": {
		"what the store holds is compared with what was committed", "tus/finish.go",
		"	if s.HasCRC32C && s", "	if mutant != \"compare\" && s.HasCRC32C && s",
	},
	"sealed": {
		"HEAD puts a sealed upload's object in place before it calls the upload complete", "tus/engine.go",
		"	case u.Phase == Sealed:\n		return h.rollForward", "	case u.Phase == Sealed && mutant != \"sealed\":\n		return h.rollForward",
	},
	"conflict": {
		"PATCH at another offset puts a sealed upload's object in place before it tells the offset", "tus/append.go",
		"	case u.Phase == Sealed:\n		if u, err = h.rollForward", "	case u.Phase == Sealed && mutant != \"conflict\":\n		if u, err = h.rollForward",
	},
	"overtaken": {
		"a writer that was overtaken is not told the end before the object is in place", "tus/rounds.go",
		"	if u.Phase == Sealed {\n		return u, faultLocked", "	if u.Phase == Sealed && mutant != \"overtaken\" {\n		return u, faultLocked",
	},
	"created": {
		"a creation does not tell the end before the object is in place", "tus/tus1.go",
		"c.body != nil && u.Phase != Sealed {", "c.body != nil && (u.Phase != Sealed || mutant == \"created\") {",
	},
	"event": {
		"an event that was not delivered stays owed", "tus/deliver.go",
		"			return owed\n		}\n		owed &^= kind", "			if mutant != \"event\" {\n				return owed\n			}\n		}\n		owed &^= kind",
	},
	"late": {
		"what a late Complete would need is taken away first", "storage/memstore/complete.go",
		"	if _, ok := s.gone[o.life]; ok {", "	if _, ok := s.gone[o.life]; ok && mutant != \"late\" {",
	},
	"parts": {
		"a clean-up of parts waits until the final upload is done", "tus/finish.go",
		"	stored, err := h.complete(ctx, l)\n", "	if mutant == \"parts\" && u.Concat.Role == Final && h.opt.CleanupPartials {\n		h.cleanUp(ctx, u.Concat.Parts)\n	}\n	stored, err := h.complete(ctx, l)\n",
	},
	"strays": {
		"of an upload that is done all goes but its object", "storage/memstore/complete.go",
		"		if !dead && u.Phase != tus.Done {", "		if !dead && (u.Phase != tus.Done || mutant == \"strays\") {",
	},
	"retry": {
		"a failed completion gives its lease back and is taken up again", "tus/sweep.go",
		"	case u.Phase == Doomed:\n", "	case mutant == \"retry\":\n		return nil\n	case u.Phase == Doomed:\n",
	},
}

// switches is what each package of a mutant gets beside its own files.
const switches = "\n\nimport \"os\"\n\n// mutant names the rule that is taken out.\nvar mutant = os.Getenv(\"FILELOFT_MUTANT\")\n"

// buildMutants builds this package's tests with all mutants in it, none of them switched on.
func buildMutants(t *testing.T) string {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	texts := map[string]string{}
	for name, m := range mutants {
		if m.file == "" {
			continue
		}
		if texts[m.file] == "" {
			b, err := os.ReadFile(filepath.Join(root, m.file))
			if err != nil {
				t.Fatal(err)
			}
			texts[m.file] = string(b)
		}
		if n := strings.Count(texts[m.file], m.from); n != 1 {
			t.Fatalf("mutant %s: its text occurs %d times in %s, want once:\n%s", name, n, m.file, m.from)
		}
		texts[m.file] = strings.Replace(texts[m.file], m.from, m.to, 1)
	}
	overlay := struct{ Replace map[string]string }{map[string]string{}}
	put := func(path, text string) {
		to := filepath.Join(dir, strings.ReplaceAll(path, "/", "_"))
		if err := os.WriteFile(to, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		overlay.Replace[filepath.Join(root, path)] = to
	}
	for file, text := range texts {
		put(file, text)
		pkg := filepath.Dir(file)
		put(filepath.Join(pkg, "mutant.go"), "package "+filepath.Base(pkg)+switches)
	}
	b, err := json.Marshal(overlay)
	if err != nil {
		t.Fatal(err)
	}
	list := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(list, b, 0o600); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "mutants.test")
	if out, err := exec.Command("go", "test", "-c", "-overlay", list, "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("go test -c: %v\n%s", err, out)
	}
	return program
}

var seedLine = regexp.MustCompile(`seed (\d+): (.*)`)

// TestEachRuleIsNeeded takes the rules out, one at a time, and wants the simulation to notice within as many schedules as it
// plays without -short.
func TestEachRuleIsNeeded(t *testing.T) {
	if testing.Short() {
		t.Skip("=== SKIPPED: it builds a program of its own; run it without -short ===")
	}
	program := buildMutants(t)
	play := func(name string, n int) (string, error) {
		cmd := exec.Command(program, "-test.run", "^TestSchedules$", "-sim.n", strconv.Itoa(n), "-sim.fails", "1")
		cmd.Env = append(os.Environ(), "FILELOFT_MUTANT="+name)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := play("", shortSchedules); err != nil {
		t.Fatalf("with all rules in force: %v\n%s", err, out)
	}
	names := slices.Sorted(mapKeys(mutants))
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			out, err := play(name, ordinarySchedules)
			found := seedLine.FindStringSubmatch(out)
			if err == nil || found == nil {
				t.Fatalf("nobody noticed that it is no longer so that %s: %v\n%s", mutants[name].rule, err, out)
			}
			t.Logf("seed %s: %s", found[1], found[2])
		})
	}
}
