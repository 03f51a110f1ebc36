package proof

import (
	"os"
	"strconv"
	"testing"
	"time"
)

// fleets are the rows of the proof.
var fleets = []struct {
	name  string
	setup func(t testing.TB) *setup
}{
	{"files", onFiles},
	{"aws", onAWS},
	{"azure", onAzure},
	{"google", onGoogle},
}

// long tells that the long form is wanted.
var long = os.Getenv("PROOF") == "long"

// number reads a variable that says how the proof is to run.
func number(t testing.TB, name string, otherwise int) int {
	t.Helper()
	v := os.Getenv(name)
	if v == "" {
		return otherwise
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 {
		t.Fatalf("%s=%s is no number", name, v)
	}
	return n
}

func newLoad(t testing.TB, s *setup) *load {
	l := &load{
		setup: s, seed: uint64(number(t, "PROOF_SEED", 1)), clients: 8, patience: 3 * time.Minute,
		trouble: trouble{pause: 400 * time.Millisecond, freeze: 5 * time.Second},
	}
	if s.pause > 0 {
		l.trouble.pause = s.pause
	}
	uploads := 24
	if long {
		uploads, l.clients, l.patience = 200, 12, 4*time.Minute
		l.trouble = trouble{pause: time.Second, freeze: 12 * time.Second}
	}
	l.files = plan(l.seed, number(t, "PROOF_UPLOADS", uploads), func(k kind) bool { return !s.lacks[k] })
	return l
}

// TestProof runs the load on each fleet.
func TestProof(t *testing.T) {
	if testing.Short() {
		t.Skip("the proof does not run under -short")
	}
	for _, f := range fleets {
		t.Run(f.name, func(t *testing.T) {
			s := f.setup(t)
			l := newLoad(t, s)
			l.run(t)
			t.Logf("%s: %v", s.name, l.tally)
			record(t, l, nil)
			for _, f := range l.tally.findings {
				t.Error(f)
			}
			if n := l.tally; n.of("kills") == 0 || n.of("freezes") == 0 || n.of("deliveries cut off") == 0 || n.of("deliveries to two replicas") == 0 {
				t.Error("too little happened for this to be a proof")
			}
		})
	}
}
