package ledger

import (
	"flag"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var update = flag.Bool("update", false, "write the tables into docs/cost.md")

const mib = 1 << 20

// unhurried are settings that keep out of a bill how slow this machine is: a body that takes longer than the interval of checkpoints, or than
// a third of a lease, costs a commit more for each of them, and mostly an object, as docs/cost.md says.
var unhurried = []string{"FILELOFT_CHECKPOINT_INTERVAL=1h", "FILELOFT_LEASE_TTL=1h"}

// upload sends a whole upload in bodies of one size, and returns what its creation and each PATCH cost.
func upload(t *testing.T, l *Ledger, collection string, bodies, size int) (created Bill, patches []Bill) {
	t.Helper()
	l.Take()
	url := create(t, collection, "Upload-Length", strconv.Itoa(bodies*size), "Upload-Metadata", "filename aG9saWRheXMubXA0,filetype dmlkZW8vbXA0")
	created = l.Take()
	body := make([]byte, size)
	for i := range bodies {
		want(t, patch(t, url, i*size, body), http.StatusNoContent)
		patches = append(patches, l.Take())
	}
	return created, patches
}

// clocked are the units in which the clock has a part.
var clocked = []string{indexWrites, invoked.name, arm.name, httpAPI.name, runRequests.name, runCPU.name, runMemory.name, executions.name, execution.name}

// constant fails where one of the bills is not of these calls by service and operation, or these units. Clocked ones are not
// looked at.
func constant(t *testing.T, bills []Bill, calls map[string]map[string]int, units map[string]float64) {
	t.Helper()
	for i := range bills {
		if d := bills[i].differs(calls, units); d != "" {
			t.Fatalf("PATCH or pair %d (-want +got):\n%s", i+1, d)
		}
	}
}

func (b *Bill) differs(calls map[string]map[string]int, units map[string]float64) string {
	ignored := cmpopts.IgnoreMapEntries(func(name string, n float64) bool { return n == 0 || slices.Contains(clocked, name) })
	return cmp.Diff(calls, b.Calls, cmpopts.EquateEmpty()) + cmp.Diff(units, b.Units, cmpopts.EquateEmpty(), ignored)
}

// sum adds bills up.
func sum(bills ...Bill) Bill {
	total := newBill()
	for i := range bills {
		total = total.plus(1, &bills[i])
	}
	return total
}

func TestDocsHaveThePrices(t *testing.T) {
	inDocs(t, "prices of AWS", priceTable(pricesOfAWS))
	inDocs(t, "prices of Google", priceTable(pricesOfGoogle))
	inDocs(t, "prices of Azure", priceTable(pricesOfAzure))
}

// inDocs fails where docs/cost.md has another table, or writes it there.
func inDocs(t *testing.T, name, table string) {
	t.Helper()
	t.Logf("%s:\n%s", name, table)
	const file = root + "/docs/cost.md"
	begin, end := "<!-- "+name+": written by make cost -->\n", "<!-- end of "+name+" -->"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), begin)
	old, after, ended := strings.Cut(rest, end)
	if !ok || !ended {
		t.Fatalf("docs/cost.md must have %q and after it %q", strings.TrimSpace(begin), end)
	}
	if *update {
		if err := os.WriteFile(file, []byte(before+begin+table+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if old != table {
		t.Errorf("docs/cost.md is out of date (make cost):\n%s", cmp.Diff(old, table))
	}
}
