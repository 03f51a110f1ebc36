package proof

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// A row is what is kept of one run on one fleet.
type row struct {
	Name    string         `json:"name"`
	Date    string         `json:"date"`
	Commit  string         `json:"commit,omitempty"`
	Seconds float64        `json:"seconds"`
	Seed    uint64         `json:"seed"`
	Uploads int            `json:"uploads"`
	Counts  map[string]int `json:"counts"`

	// Peer tells that the server was another's, and Promised whether its documentation has it that what was done works.
	Peer     bool `json:"peer,omitempty"`
	Promised bool `json:"promised,omitempty"`
}

// record appends a run to the file that PROOF_REPORT names. promised is nil for fileloft.
func record(t testing.TB, l *load, promised *bool) {
	t.Helper()
	path := os.Getenv("PROOF_REPORT")
	if path == "" {
		return
	}
	r := row{
		Name: l.setup.name, Date: time.Now().UTC().Format(time.RFC3339), Commit: os.Getenv("PROOF_COMMIT"),
		Seconds: l.tally.took.Round(100 * time.Millisecond).Seconds(), Seed: l.seed, Uploads: len(l.files), Counts: l.tally.counts,
		Peer: promised != nil, Promised: promised != nil && *promised,
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := json.NewEncoder(f).Encode(r); err != nil {
		t.Fatal(err)
	}
}

// newest reads such a file: of each name the row that was written last, in the order in which names came first.
func newest(file []byte) (rows []row, err error) {
	for d := json.NewDecoder(bytes.NewReader(file)); d.More(); {
		var r row
		if err := d.Decode(&r); err != nil {
			return nil, err
		}
		if i := slices.IndexFunc(rows, func(o row) bool { return o.Name == r.Name }); i >= 0 {
			rows[i] = r
			continue
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// columns are those of both tables but for some.
var columns = []struct {
	head string
	of   func(r *row) string
}{
	{"uploads", func(r *row) string { return fmt.Sprint(r.Uploads) }},
	{"GiB", func(r *row) string { return fmt.Sprintf("%.2f", float64(r.Counts["bytes finished"])/(1<<30)) }},
	{"requests", count("requests")},
	{"kills", count("kills")},
	{"freezes", count("freezes")},
	{"bodies cut off or silent", count("deliveries cut off", "deliveries fallen silent")},
	{"PATCHes sent twice at once", count("deliveries to two replicas")},
	{"faults between replicas and stores", func(r *row) string {
		n := 0
		for what, k := range r.Counts {
			if strings.HasPrefix(what, "store ") {
				n += k
			}
		}
		return fmt.Sprint(n)
	}},
	{peersOnly, count(takenBack)},
	{"lost", count("lost")},
	{"corrupt", count("corrupt")},
	{"stuck", count("stuck")},
	{"refused", count("refused")},
	{oursOnly, count("left")},
}

// An offset that goes back is lost in fileloft. What it leaves behind is looked at in its stores; tusd is looked at by its protocol alone.
const (
	peersOnly = "acknowledged offsets taken back"
	oursOnly  = "left after a sweep"
)

func count(what ...string) func(*row) string {
	return func(r *row) string {
		n := 0
		for _, w := range what {
			n += r.Counts[w]
		}
		return fmt.Sprint(n)
	}
}

// table makes a table of fileloft's rows, or of the peer's.
func table(rows []row, peer bool) string {
	var b strings.Builder
	first, without := "fileloft on", peersOnly
	if peer {
		first, without = "tusd on", oursOnly
	}
	b.WriteString("| " + first + " |")
	rule := "|---|"
	for _, c := range columns {
		if c.head != without {
			b.WriteString(" " + c.head + " |")
			rule += "---:|"
		}
	}
	b.WriteString("\n" + rule + "\n")
	for i := range rows {
		r := &rows[i]
		if r.Peer != peer {
			continue
		}
		name := strings.TrimPrefix(r.Name, "tusd, ")
		if peer && !r.Promised {
			name += " (outside of what it promises)"
		}
		b.WriteString("| " + name + " |")
		for _, c := range columns {
			if c.head != without {
				b.WriteString(" " + c.of(r) + " |")
			}
		}
		b.WriteString("\n")
	}
	return b.String()
}

// peerText stands between the tables.
const peerText = `The same load on [tusd](https://github.com/tus/tusd) v2.9.2, with the flags that do best here and clients that count on nothing beyond tus 1.0.0:
after whatever was no success they ask by HEAD and go on from where it says, also where that is behind what was acknowledged before, which
tus 1.0.0 does not forbid in so many words. They give up where nothing gets on for four minutes, there as here. They look at content by GET:
corrupt is also what HEAD says is complete and GET says is not, since tus knows no request that would complete it. Nobody looks for what
is left. A process is struck as often as one of fileloft's.

What tusd's documentation covers is one process; several on one disk, since its locks
[reach as far as the disk](https://tus.github.io/tusd/advanced-topics/locks/); or a front end that sends all requests of an upload to one
process. Three processes over one bucket are outside of it. It does not say what becomes of uploads when a process is killed or frozen, or
when a call to S3 fails.
`

// report makes all that stands between the markers.
func report(rows []row) string {
	s := table(rows, false)
	if slices.ContainsFunc(rows, func(r row) bool { return r.Peer }) {
		s += "\n" + peerText + "\n" + table(rows, true)
	}
	return s
}

// Where the tables go.
const (
	beginMark = "<!-- proof: begin -->\n"
	endMark   = "<!-- proof: end -->"
)

// insert puts a text between the marks of a page, in place of what was there.
func insert(page, text string) (string, error) {
	head, rest, ok := strings.Cut(page, beginMark)
	_, tail, ok2 := strings.Cut(rest, endMark)
	if !ok || !ok2 {
		return "", fmt.Errorf("there is no %q with an %q behind it", beginMark, endMark)
	}
	return head + beginMark + text + endMark + tail, nil
}

// TestReport makes the tables in docs/guarantees.md of the runs in the file that PROOF_REPORT names. Without PROOF_UPDATE=1 it only prints them.
func TestReport(t *testing.T) {
	path := os.Getenv("PROOF_REPORT")
	if path == "" {
		t.Skip("PROOF_REPORT names no file of runs")
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := newest(b)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	text := report(rows)
	t.Log("\n" + text)
	if os.Getenv("PROOF_UPDATE") != "1" {
		return
	}
	guarantees := filepath.Join(root, "docs", "guarantees.md")
	page, err := os.ReadFile(guarantees)
	if err != nil {
		t.Fatal(err)
	}
	made, err := insert(string(page), text)
	if err != nil {
		t.Fatalf("%s: %v", guarantees, err)
	}
	if err := os.WriteFile(guarantees, []byte(made), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestTheReportHasTheNewestRowOfEachName(t *testing.T) {
	rows, err := newest([]byte(`{"name":"files","uploads":1,"counts":{"lost":7}}
{"name":"tusd, files","peer":true,"promised":true,"counts":{"stuck":2,"acknowledged and taken back":9}}
{"name":"files","uploads":200,"counts":{"bytes finished":1610612736,"store cut":2,"store lost":3,"left":4}}
{"name":"tusd, S3","peer":true}
`))
	if err != nil {
		t.Fatal(err)
	}
	got, err := insert("a\n"+beginMark+"old\n"+endMark+"\nz\n", report(rows))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"a\n" + beginMark + "| fileloft on | uploads | GiB |", "\n| files | 200 | 1.50 | 0 | 0 | 0 | 0 | 0 | 5 | 0 | 0 | 0 | 0 | 4 |\n",
		"\n| tusd on | uploads |", "\n| files | 0 | 0.00 | 0 | 0 | 0 | 0 | 0 | 0 | 9 | 0 | 0 | 2 | 0 |\n", "\n| S3 (outside of what it promises) |", "|\n" + endMark + "\nz\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in:\n%s", want, got)
		}
	}
	if _, err := insert("a page without marks", "text"); err == nil {
		t.Error("a page without marks takes a text")
	}
}
