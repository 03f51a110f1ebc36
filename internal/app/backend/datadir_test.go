package backend

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWhereDataGoes(t *testing.T) {
	t.Chdir(t.TempDir())
	here, err := filepath.Abs("data")
	if err != nil {
		t.Fatal(err)
	}
	yes, no := func(string) bool { return true }, func(string) bool { return false }
	for _, tt := range []struct {
		name, chosen string
		writable     func(string) bool
		want, why    string
	}{
		{"what was configured counts, whatever can be written", "/srv/x", yes, "/srv/x", "configured"},
		{"the system's place where it can be written", "", yes, "/var/lib/fileloft", "can be written"},
		{"else beside the working directory", "", no, here, "cannot be written"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir, why := dataDir(tt.chosen, tt.writable)
			if dir != tt.want || !strings.Contains(why, tt.why) {
				t.Errorf("%s, because %s", dir, why)
			}
		})
	}
}

func TestWritableTriesAndLeavesNothingBehind(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "new")
	if !writable(dir) {
		t.Error("a directory that can be made counts as not writable")
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("left behind: %v %v", entries, err)
	}
	file := filepath.Join(root, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if writable(filepath.Join(file, "below")) {
		t.Error("a place below a file counts as writable")
	}
}
