package badinput

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

var bin string // directory of the built server

func TestMain(m *testing.M) {
	if os.Getenv(asHelper) != "" {
		os.Exit(helper(os.Args[1:]))
	}
	flag.Parse()
	if !slices.ContainsFunc(os.Args, func(a string) bool { return strings.HasPrefix(a, "-test.parallel") }) {
		_ = flag.Set("test.parallel", "8") // these tests wait more than they work, for processes of their own
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "fileloft-badinput-")
	if err == nil {
		err = os.Chmod(dir, 0o755) // others than this user run the server, too
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	bin = dir
	return m.Run()
}

// program builds the server into bin, without cgo, and returns its path.
var program = sync.OnceValues(func() (string, error) {
	here, err := os.Getwd()
	if err != nil {
		return "", err
	}
	path := filepath.Join(bin, "fileloft")
	cmd := exec.Command("go", "-C", filepath.Dir(filepath.Dir(here)), "build", "-trimpath", "-o", path, "./cmd/fileloft")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%s: %w\n%s", cmd, err, out)
	}
	return path, nil
})

// notShort skips under -short.
func notShort(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("it starts servers")
	}
}
