package tablestate_test

import (
	"context"
	"os"
	"sync"
	"testing"

	"github.com/fileloft/fileloft/internal/servers"
)

// shared is the Azurite of all tests, started by the first that asks. Each test has a table of its own.
var shared struct {
	once sync.Once
	p    *servers.Process
	conn string
}

// azurite returns the connection string of Azurite.
func azurite(t testing.TB) string {
	t.Helper()
	if testing.Short() {
		t.Skip("=== SKIPPED: Azurite takes a second to start ===")
	}
	shared.once.Do(func() {
		if p, conn, err := servers.StartAzurite(context.Background()); err == nil {
			shared.p, shared.conn = p, conn
		}
	})
	if shared.p == nil {
		return servers.Azurite(t) // it says why
	}
	return shared.conn
}

func TestMain(m *testing.M) {
	code := m.Run()
	if shared.p != nil {
		shared.p.Stop()
	}
	os.Exit(code)
}
