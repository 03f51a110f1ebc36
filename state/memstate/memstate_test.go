package memstate_test

import (
	"testing"
	"time"

	"github.com/fileloft/fileloft/state/memstate"
	"github.com/fileloft/fileloft/state/statetest"
	"github.com/fileloft/fileloft/tus"
)

func TestStore(t *testing.T) {
	statetest.Run(t, func(_ testing.TB, now func() time.Time) tus.State {
		return memstate.New(&memstate.Options{Now: now})
	}, nil)
}
