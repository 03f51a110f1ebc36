// Package servers starts real servers, each a process on a free port of 127.0.0.1, stopped by its process id: for tests, one
// that ends with the test that asked for it; for programs, one that ends with a context. The programs are installed by
// `make servers` from what tools/ pins.
//
// A test whose server is not installed is skipped and says so; where REQUIRE_EMULATORS=1 it fails, unless it runs
// under -short, which is to work with nothing installed.
package servers

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// forTest starts a server that lives until t ends.
func forTest(t testing.TB, program string, args func(host, port string) []string) *Process {
	t.Helper()
	path, err := find(program)
	if err != nil {
		missing(t, err)
	}
	return launchForTest(t, path, args)
}

func launchForTest(t testing.TB, path string, args func(host, port string) []string) *Process {
	t.Helper()
	p, err := start(context.WithoutCancel(t.Context()), path, args) // a test's own context ends before its cleanups
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Stop()
		if t.Failed() {
			t.Logf("%s says: %s", filepath.Base(path), p.Log())
		}
	})
	return p
}

// Require skips a test that lacks something, or fails it where everything must be there. A nil error lacks nothing.
func Require(t testing.TB, what string, err error) {
	t.Helper()
	if err != nil {
		missing(t, fmt.Errorf("%s is missing: %w", what, err))
	}
}

func missing(t testing.TB, err error) {
	t.Helper()
	if os.Getenv("REQUIRE_EMULATORS") == "1" && !testing.Short() {
		t.Fatal(err)
	}
	t.Skipf("=== SKIPPED: %v ===", err)
}
