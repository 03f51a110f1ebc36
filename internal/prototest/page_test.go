package prototest

import (
	"flag"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the rows into docs/protocol.md")

// The page's table is this package's own: make docs writes it, and this test fails where it is out of date.
func TestTheProtocolPageHasTheRows(t *testing.T) {
	const file, begin, end = "../../docs/protocol.md", "<!-- rows: written by make docs -->\n", "<!-- end of rows -->"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), begin)
	old, after, ended := strings.Cut(rest, end)
	if !ok || !ended {
		t.Fatalf("%s must have %q and after it %q", file, strings.TrimSpace(begin), end)
	}
	var table strings.Builder
	table.WriteString("| row | what is asserted |\n|---|---|\n")
	for _, rows := range tables() {
		for _, r := range rows {
			id, what, _ := strings.Cut(r.name, " ")
			table.WriteString("| " + id + " | " + what + " |\n")
		}
	}
	if *update {
		if err := os.WriteFile(file, []byte(before+begin+table.String()+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if old != table.String() {
		t.Error("the rows in docs/protocol.md are out of date: make docs")
	}
}
