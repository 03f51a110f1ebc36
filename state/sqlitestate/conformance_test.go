package sqlitestate_test

import (
	"testing"
	"time"

	"github.com/fileloft/fileloft/state/sqlitestate"
	"github.com/fileloft/fileloft/state/statetest"
	"github.com/fileloft/fileloft/tus"
)

func TestStore(t *testing.T) {
	statetest.Run(t, func(t testing.TB, now func() time.Time) tus.State {
		return open(t, &sqlitestate.Options{Sync: sqlitestate.Off, Now: now})
	}, &statetest.Options{Seeds: seeds})
}
