package firestorestate_test

import (
	"context"
	"os"
	"sync"
	"testing"

	"github.com/fileloft/fileloft/internal/servers"
)

// shared is the emulator of all tests, started by the first that asks: it takes some seconds. Each test has a project of
// its own.
var shared struct {
	once sync.Once
	p    *servers.Process
}

// emulator returns the address of Firestore's emulator.
func emulator(t testing.TB) string {
	t.Helper()
	if testing.Short() {
		t.Skip("=== SKIPPED: Firestore's emulator takes seconds to start ===")
	}
	shared.once.Do(func() {
		if p, err := servers.StartFirestore(context.Background()); err == nil {
			shared.p = p
		}
	})
	if shared.p == nil {
		return servers.Firestore(t) // it says why
	}
	return shared.p.Addr
}

func TestMain(m *testing.M) {
	code := m.Run()
	if shared.p != nil {
		shared.p.Stop()
	}
	os.Exit(code)
}
