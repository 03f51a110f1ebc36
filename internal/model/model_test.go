// Package model holds the tests that have spin explore the model of the lease protocol, which lies beside ADR 0002. They promise that
// within the model's bounds every schedule was looked at, and that the model finds each of the five rules missing. They start a C compiler
// and the program it makes; nothing crosses the network.
package model

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

const (
	source = "../../docs/decisions/0002-fence-by-epoch-and-nonce.pml"
	spin   = "../../bin/spin"
)

// A search is one exploration of the model: the bounds and switches, and whether it asks what ends rather than what may happen.
type search struct {
	name    string
	defines string
	live    bool
	long    bool // only with MODEL=long
}

var exhaustive = []search{
	{name: "lost answers, crashes, two lives", defines: "LIVES=2 LEASES=3 LENGTH=1 COPIES=0"},
	{name: "lost answers, crashes, two units", defines: "LIVES=1 LEASES=3 LENGTH=2 COPIES=0"},
	{name: "late copies too", defines: "LIVES=1 LEASES=2 LENGTH=2 COPIES=1"},
	{name: "retried uploads end", defines: "LIVENESS FAULTS=1 LIVES=1 LEASES=9 LENGTH=2 COPIES=1", live: true},

	{name: "two lives, two units", defines: "LIVES=2 LEASES=3 LENGTH=2 COPIES=0", long: true},
	{name: "three leases after the first", defines: "LIVES=1 LEASES=4 LENGTH=2 COPIES=0", long: true},
	{name: "late copies, three leases", defines: "LIVES=1 LEASES=3 LENGTH=1 COPIES=1", long: true},
	{name: "late copies, two units", defines: "LIVES=1 LEASES=3 LENGTH=2 COPIES=1", long: true},
	{name: "retried uploads end after two faults", defines: "LIVENESS FAULTS=2 LIVES=1 LEASES=12 LENGTH=2 COPIES=1", live: true, long: true},
}

// mutations take the rules away. The comments name the rule of the architecture page, or the mark of ADR 0002.
var mutations = []search{
	{name: "LIST_PIECES", defines: "LIVES=1 LEASES=3 LENGTH=2 COPIES=0"},                             // 1: the object is made of what the store lists
	{name: "COUNT_RECEIPTS", defines: "LIVES=1 LEASES=3 LENGTH=2 COPIES=0"},                          // 2: bytes are acknowledged before the commit
	{name: "NO_EPOCH", defines: "LIVES=1 LEASES=4 LENGTH=1 COPIES_OF=ACQUIRE"},                       // 3: commits are conditional on birth and nonce
	{name: "SAME_EPOCH", defines: "LIVES=1 LEASES=4 LENGTH=1 COPIES_OF=ACQUIRE"},                     // 3: a grant does not raise the epoch
	{name: "NO_NONCE", defines: "LIVES=1 LEASES=2 LENGTH=2 COPIES_OF=COMMIT"},                        // commits are conditional on birth and epoch
	{name: "NO_BIRTH", defines: "LIVES=2 LEASES=3 LENGTH=1 COPIES_OF=ACQUIRE"},                       // commits are conditional on epoch and nonce
	{name: "REUSE_SLOTS", defines: "LIVES=1 LEASES=3 LENGTH=2 COPIES=0"},                             // 4: slots that were not given back are granted again
	{name: "DELETE_FIRST", defines: "LIVES=1 LEASES=3 LENGTH=2 COPIES=0"},                            // 5: a piece is deleted before the commit that replaces it
	{name: "RECORD_FIRST", defines: "LIVES=1 LEASES=3 LENGTH=2 COPIES=0"},                            // 5: the record goes before the bytes
	{name: "OBJECT_FIRST", defines: "LIVES=1 LEASES=4 LENGTH=1 COPIES_OF=COMPLETE"},                  // 5: Remove leaves what a late Complete needs for last
	{name: "NO_EXPIRY", defines: "LIVENESS FAULTS=1 LIVES=1 LEASES=9 LENGTH=2 COPIES=1", live: true}, // a dead holder's lease never ends
}

func TestEveryScheduleKeepsThePromises(t *testing.T) {
	need(t)
	for _, s := range exhaustive {
		t.Run(s.name, func(t *testing.T) {
			if s.long && os.Getenv("MODEL") != "long" {
				t.Skip("=== SKIPPED: minutes; make model runs it ===")
			}
			start := time.Now()
			optimise := "-O0" // a second to compile, where -O1 takes seven
			if s.long {
				optimise = "-O1"
			}
			out := s.run(t, optimise)
			if !strings.Contains(out, "errors: 0") {
				t.Fatalf("spin found a schedule that breaks a promise:\n%s", out)
			}
			for _, cut := range []string{"Search not completed", "max search depth too small", "out of memory", "Bit statespace"} {
				if strings.Contains(out, cut) {
					t.Fatalf("the search is not complete: %s\n%s", cut, out)
				}
			}
			if n := states(t, out); n < 1000 {
				t.Errorf("%d states are no search", n)
			} else {
				t.Logf("%s: %d states, complete, %s", s.defines, n, time.Since(start).Round(100*time.Millisecond))
			}
		})
	}
}

func TestEachRuleIsNeeded(t *testing.T) {
	need(t)
	for _, s := range mutations {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			out := search{defines: s.name + " " + s.defines, live: s.live}.run(t, "-O0")
			broken := regexp.MustCompile(`(?m)^pan:1: (assertion violated|acceptance cycle).*$`).FindString(out)
			if broken == "" || strings.Contains(out, "errors: 0") {
				t.Fatalf("spin finds nothing without the rule:\n%s", out)
			}
			t.Logf("found among %d states: %s", states(t, out), broken)
		})
	}
}

// need skips a test where there is no spin or no C compiler. It never fails for that: the model is about the design, and the code has tests of
// its own.
func need(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("too long for -short")
	}
	if _, err := os.Stat(spin); err != nil {
		t.Skip("=== SKIPPED: the model is not explored: there is no spin (make bin/spin) ===")
	}
	if _, err := exec.LookPath(compiler()); err != nil {
		t.Skip("=== SKIPPED: the model is not explored: there is no C compiler ===")
	}
}

func compiler() string {
	if cc := os.Getenv("CC"); cc != "" {
		return cc
	}
	return "cc"
}

// run has spin write the program that makes the search, and runs it. It returns what the program says.
func (s search) run(t *testing.T, optimise string) string {
	dir := t.TempDir()
	model, err := os.ReadFile(source)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "lease.pml"), model, 0o600); err != nil {
		t.Fatal(err)
	}
	path, err := filepath.Abs(spin)
	if err != nil {
		t.Fatal(err)
	}
	write := []string{"-P" + compiler() + " -E -x c"}
	for d := range strings.FieldsSeq(s.defines) {
		write = append(write, "-D"+d)
	}
	command(t, dir, path, append(write, "-a", "lease.pml")...)
	build := []string{optimise, "-DCOLLAPSE", "-DMEMLIM=16000", "-o", "pan", "pan.c"}
	explore := []string{"-m500000"}
	if s.live {
		build = append(build, "-DNFAIR=3")
		explore = append(explore, "-a", "-f") // acceptance cycles, under weak fairness
	} else {
		build = append(build, "-DSAFETY", "-DNOFAIR")
	}
	command(t, dir, compiler(), build...)
	return command(t, dir, "./pan", explore...)
}

func command(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 25*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if exit := new(exec.ExitError); err != nil && (name != "./pan" || !errors.As(err, &exit)) || ctx.Err() != nil {
		t.Fatalf("%s %q: %v, %v\n%s", name, args, err, ctx.Err(), out)
	}
	return string(out)
}

func states(t *testing.T, out string) int {
	t.Helper()
	m := regexp.MustCompile(`(\d+) states, stored`).FindStringSubmatch(out)
	if m == nil {
		t.Fatalf("spin's program tells no number of states:\n%s", out)
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		t.Fatal(err)
	}
	return n
}
