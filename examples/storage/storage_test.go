package storage

import (
	"testing"

	"github.com/fileloft/fileloft/storage/storetest"
	"github.com/fileloft/fileloft/tus"
)

func TestDirIsAStorage(t *testing.T) {
	storetest.Run(t, storetest.Config{New: func(tb testing.TB) tus.Storage { return Dir(tb.TempDir()) }, Seeds: 300})
}
