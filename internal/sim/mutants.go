package sim

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A Mutant is the product with one of its rules taken out.
type Mutant struct {
	Rule string // what is no longer so
	File string // below the module's root; "": the texts of another mutant name this one too
	From string // a text that occurs once in the file
	To   string // what takes its place; mutant is the name of the mutant that is switched on
}

// switches is what each package of a mutant gets beside its own files.
const switches = "\n\nimport \"os\"\n\n// mutant names the rule that is taken out.\nvar mutant = os.Getenv(\"FILELOFT_MUTANT\")\n"

// buildMutants builds this package's tests with all mutants in it, none of them switched on.
func buildMutants(t *testing.T, mutants map[string]Mutant) string {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	texts := map[string]string{}
	for name, m := range mutants {
		if m.File == "" {
			continue
		}
		if texts[m.File] == "" {
			b, err := os.ReadFile(filepath.Join(root, m.File))
			if err != nil {
				t.Fatal(err)
			}
			texts[m.File] = string(b)
		}
		if n := strings.Count(texts[m.File], m.From); n != 1 {
			t.Fatalf("mutant %s: its text occurs %d times in %s, want once:\n%s", name, n, m.File, m.From)
		}
		texts[m.File] = strings.Replace(texts[m.File], m.From, m.To, 1)
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
	if out, err := exec.CommandContext(t.Context(), "go", "test", "-c", "-overlay", list, "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("go test -c: %v\n%s", err, out)
	}
	return program
}

var noticed = regexp.MustCompile(`((?:seed|order) \d+): (.*)`)

// EachRuleIsNeeded takes the rules out, one at a time, and wants the package's TestOrders, TestMeetings or TestSchedules to notice, within
// as many schedules as that plays without -short.
func EachRuleIsNeeded(t *testing.T, c Config, mutants map[string]Mutant) {
	if testing.Short() {
		t.Skip("=== SKIPPED: it builds a program of its own; run it without -short ===")
	}
	program := buildMutants(t, mutants)
	play := func(name, test string, n uint64) (string, error) {
		cmd := exec.CommandContext(t.Context(), program, "-test.run", "^"+test+"$", "-sim.n", strconv.FormatUint(n, 10), "-sim.fails", "1")
		cmd.Env = append(cmd.Environ(), "FILELOFT_MUTANT="+name)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := play("", "TestSchedules", c.short()); err != nil {
		t.Fatalf("with all rules in force: %v\n%s", err, out)
	}
	for _, name := range slices.Sorted(maps.Keys(mutants)) {
		t.Run(name, func(t *testing.T) {
			var out string
			var err error
			for _, p := range []struct {
				test string
				n    uint64
			}{{"TestSchedules", c.short()}, {"TestOrders", 0}, {"TestMeetings", 0}, {"TestSchedules", c.ordinary()}} {
				if out, err = play(name, p.test, p.n); err != nil {
					break
				}
			}
			found := noticed.FindStringSubmatch(out)
			if err == nil || found == nil {
				t.Fatalf("nobody noticed that it is no longer so that %s: %v\n%s", mutants[name].Rule, err, out)
			}
			t.Logf("%s: %s", found[1], found[2])
		})
	}
}
