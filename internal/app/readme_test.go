package app

import (
	"flag"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the settings table into README.md")

// The README's table is this package's own: make docs writes it, and this test fails where it is out of date.
func TestTheREADMEHasTheSettings(t *testing.T) {
	const file, begin, end = "../../README.md", "<!-- settings: written by make docs -->\n", "<!-- end of settings -->"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), begin)
	old, after, ended := strings.Cut(rest, end)
	if !ok || !ended {
		t.Fatalf("README.md must have %q and after it %q", strings.TrimSpace(begin), end)
	}
	table := Table()
	if *update {
		if err := os.WriteFile(file, []byte(before+begin+table+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if old != table {
		t.Error("the settings in README.md are out of date: make docs")
	}
}
