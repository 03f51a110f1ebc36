package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/fileloft/fileloft/internal/clients"
)

var (
	long = os.Getenv("E2E_LONG") == "1"
	root = moduleRoot()
	bin  string // directory of the built programs and the sources
)

func TestMain(m *testing.M) {
	if dir := os.Getenv("E2E_SUICIDAL_SERVER"); dir != "" {
		os.Exit(suicidal(dir, os.Getenv("E2E_ADDR")))
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "fileloft-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	bin, everyClient = dir, clients.All(dir, 0)
	return m.Run()
}

func moduleRoot() string {
	dir, err := os.Getwd()
	if err != nil {
		panic(err)
	}
	return filepath.Dir(filepath.Dir(dir))
}

// buildServer builds the server into bin, without cgo.
var buildServer = sync.OnceValue(func() error {
	cmd := exec.Command("go", "-C", root, "build", "-trimpath", "-o", bin+"/", "./cmd/fileloft")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", cmd, err, out)
	}
	return nil
})

// notShort skips under -short.
func notShort(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("end-to-end tests do not run under -short")
	}
}
