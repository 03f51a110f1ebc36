package metrics

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the table into docs/metrics.md")

// table is all metrics in Markdown.
func table(m *Metrics) string {
	var b strings.Builder
	b.WriteString("| name | type | labels | meaning |\n|---|---|---|---|\n")
	families := slices.SortedFunc(slices.Values(m.families), func(a, b family) int { return strings.Compare(a.name, b.name) })
	for _, f := range families {
		labels := "`" + strings.Join(f.labels, "`, `") + "`"
		if len(f.labels) == 0 {
			labels = ""
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", f.name, f.kind, labels, f.help)
	}
	return b.String()
}

// The page's table is this package's own: make docs writes it, and this test fails where it is out of date.
func TestThePageHasAllMetrics(t *testing.T) {
	const file, begin, end = "../../docs/metrics.md", "<!-- metrics: written by make docs -->\n", "<!-- end of metrics -->"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), begin)
	old, after, ended := strings.Cut(rest, end)
	if !ok || !ended {
		t.Fatalf("%s must have %q and after it %q", file, begin, end)
	}
	want := table(New(Info{}))
	if *update {
		if err := os.WriteFile(file, []byte(before+begin+want+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if old != want {
		t.Error("the table in docs/metrics.md is out of date: make docs")
	}
}

// What alerts and the dashboard ask for exists, with the labels and the values that they go by.
func TestAlertsAndTheDashboardAskForWhatThereIs(t *testing.T) {
	m := New(Info{})
	labels := map[string][]string{}
	for _, f := range m.families {
		names := map[string][]string{"counter": {""}, "gauge": {""}, "histogram": {"_bucket", "_count", "_sum"}}[f.kind]
		for _, suffix := range names {
			labels[f.name+suffix] = append(f.labels, "le")
		}
	}
	asked := regexp.MustCompile(`(fileloft_[a-z0-9_]+)(\{([a-z]+)(?:=|=~|!~|!=)\\?"([^"\\]*)\\?"\})?`)
	by := regexp.MustCompile(`by \(([a-z, ]+)\)`)
	values := slices.Concat(stateResults, storageResults, []string{terminated, expired, cleanedUp, failed, "5..", "ok|body"})
	for _, file := range []string{"alerts.yaml", "dashboard.json"} {
		b, err := os.ReadFile("../../infra/prometheus/" + file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(file, ".json") && !json.Valid(b) {
			t.Errorf("%s is no JSON", file)
		}
		found := 0
		for line := range strings.Lines(string(b)) {
			if !strings.Contains(line, "expr") {
				continue
			}
			var both []string
			for _, a := range asked.FindAllStringSubmatch(line, -1) {
				found++
				has, ok := labels[a[1]]
				if !ok || a[2] != "" && (!slices.Contains(has, a[3]) || !slices.Contains(values, a[4])) {
					t.Errorf("%s: there is no %s", file, a[0])
				}
				both = append(both, has...)
			}
			for _, g := range by.FindAllStringSubmatch(line, -1) {
				for _, l := range strings.Split(g[1], ", ") {
					if !slices.Contains(both, l) {
						t.Errorf("%s: no label %q in %s", file, l, line)
					}
				}
			}
		}
		if found < 6 {
			t.Errorf("only %d metrics are found in %s: this test is blind", found, file)
		}
	}
}
